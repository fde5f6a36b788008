"""A job at work: its thread's control, and how far it is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import Job, JobStatus, Phase, Progress
from mediarip_mqtt.engine.protocol import Control, Report

FLUSH_STEP: Final = 0.5  # percent
_WORK_PHASES: Final = frozenset({Phase.MERGING, Phase.CONVERTING, Phase.MOVING})


@dataclass
class Slot:
    """A job at work."""

    job: Job
    control: Control
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    report: Report | None = None
    notified: bool = False
    progress: Progress | None = None
    saved_percent: float = 0.0
    saved_phase: str = ""
    saved_bytes: int = -1
    ahead: bool = False
    live: bool = False
    moved_at: float = field(default_factory=time.monotonic)
    size: int = -1  # bytes in its temporary folder, when it was last looked at
    stalled: bool = False
    interrupted: bool = False  # by no fault of its own: it goes on later

    def stop(self) -> None:
        """Stop the thread."""
        self.stopped.set()
        self.control.stop()

    def take(self, report: Report, now: datetime) -> None:
        """Take over what the thread reports; the percentage never falls."""
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
            downloaded_bytes=_size(report.downloaded_bytes) or 0,
            total_bytes=_size(report.total_bytes),
            speed=report.speed,
            eta=report.eta,
            updated_at=now,
        )

    @property
    def unsaved(self) -> bool:
        """Whether the progress is worth a commit."""
        return self.progress is not None and (
            self.progress.progress_percent - self.saved_percent >= FLUSH_STEP
            or self.progress.phase != self.saved_phase
            or self.progress.downloaded_bytes != self.saved_bytes
        )

    def saved(self, progress: Progress) -> None:
        """Note what was committed."""
        self.saved_percent, self.saved_phase = progress.progress_percent, progress.phase
        self.saved_bytes = progress.downloaded_bytes


def _size(count: int | None) -> int | None:
    """Return a number of bytes that SQLite can hold; a site may claim any."""
    return count if count is not None and 0 <= count < 2**63 else None
