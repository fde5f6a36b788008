"""A running job: the control of its threads, and its progress."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import Job, JobStatus, Phase, Progress
from mediarip_mqtt.engine.protocol import Control, Report

_WORK_PHASES: Final = frozenset({Phase.MERGING, Phase.CONVERTING, Phase.MOVING})


@dataclass
class Slot:
    """A running job; times are by `time.monotonic`."""

    job: Job
    control: Control
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    report: Report | None = None  # the newest one, written by the job's threads
    reported: bool = False  # whether `report` is newer than `progress`
    progress: Progress | None = None
    saved: Progress | None = None  # the newest progress in the store
    published: Progress | None = None  # the newest progress marked for publication
    published_at: float = 0.0
    ahead: bool = False  # only reads its page, while all slots are taken
    taken_at: float = field(default_factory=time.monotonic)  # when it began, or got its slot
    live: bool = False  # it records a live stream
    moved_at: float = field(default_factory=time.monotonic)
    temp_size: int = -1  # bytes in its temporary folder at the last check
    stalled: bool = False
    finishing: bool = False  # a live recording that stalled was asked to end
    interrupted: bool = False  # stopped by the service; put back into the queue

    def stop(self) -> None:
        """Ask the job's threads to stop; returns at once."""
        self.stopped.set()
        self.control.stop()

    def go_on(self, control: Control) -> None:
        """Continue with other work after a stop that no command asked for."""
        self.stopped = asyncio.Event()
        self.control = control
        self.stalled = False
        self.moved_at = time.monotonic()

    def take_report(self, now: datetime) -> None:
        """Update `progress` from the newest report; the percentage never falls."""
        if not self.reported:
            return
        self.reported = False  # first: a report that arrives from now on is taken next time
        report = self.report
        if report is None:
            return
        before = self.progress
        if before is None or (before.phase, before.downloaded_bytes, before.total_bytes) != (
            report.phase,
            report.downloaded_bytes,
            report.total_bytes,
        ):
            self.moved_at = time.monotonic()
        floor = before.progress_percent if before else self.job.progress_percent
        working = report.phase in _WORK_PHASES
        self.progress = Progress(
            id=self.job.id,
            status=JobStatus.PROCESSING if working else JobStatus.DOWNLOADING,
            phase=report.phase,
            progress_percent=round(max(floor, min(report.percent, 99.9)), 1),
            downloaded_bytes=_storable(report.downloaded_bytes) or 0,
            total_bytes=_storable(report.total_bytes),
            speed=report.speed,
            eta=report.eta,
            updated_at=now,
        )

    def moved_since(self, earlier: Progress | None) -> bool:
        """Whether phase, percentage or bytes differ from an earlier progress."""
        progress = self.progress
        if progress is None or earlier is None:
            return progress is not earlier
        return (progress.phase, progress.progress_percent, progress.downloaded_bytes) != (
            earlier.phase,
            earlier.progress_percent,
            earlier.downloaded_bytes,
        )


def _storable(count: int | None) -> int | None:
    """Return a number of bytes that SQLite can hold, else None; a site may claim any."""
    return count if count is not None and 0 <= count < 2**63 else None
