"""`state.current`: a summary of the running jobs that rarely changes.

Home Assistant records every change of a state. These values change a few dozen times during a
download of any size: the progress in steps of 5 %, speed and ETA with every fourth step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from mediarip_mqtt.contract.models import Job, Progress
from mediarip_mqtt.contract.topic_payloads import Current

STEP: Final = 5  # percent
REFRESH_STEP: Final = 20  # percent of progress between two values of speed and ETA
REFRESH_AGE: Final = 300.0  # seconds after which speed and ETA are refreshed without progress


class Activity:
    """Keeps the published speed and ETA until they are due to change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ids: tuple[str, ...] = ()
        self._step = 0
        self._refreshed_at = 0.0
        self._speed: float | None = None
        self._eta: float | None = None

    def current(self, jobs: Sequence[tuple[Job, Progress | None]]) -> Current:
        """Return the longest-running job's title, and progress, speed and ETA of all jobs.

        Without a job all are null except ``count`` and ``speed`` (0).
        """
        if not jobs:
            self._ids = ()
            return _current(None, 0, None, 0.0, None)
        ids = tuple(job.id for job, _ in jobs)
        percents = [(progress or job).progress_percent for job, progress in jobs]
        step = int(sum(percents) / len(percents)) // STEP * STEP
        speeds = [progress.speed for _, progress in jobs if progress and progress.speed is not None]
        etas = [progress.eta for _, progress in jobs if progress and progress.eta is not None]
        due = (
            ids != self._ids
            or abs(step - self._step) >= REFRESH_STEP
            or self._clock() - self._refreshed_at >= REFRESH_AGE
            or (bool(speeds) and self._speed is None)
            or (bool(etas) and self._eta is None)
        )
        if due:
            self._ids, self._step, self._refreshed_at = ids, step, self._clock()
            self._speed = _two_digits(sum(speeds)) if speeds else None
            self._eta = _rounded(max(etas)) if etas else None
        return _current(jobs[0][0], len(jobs), step, self._speed, self._eta)


def _current(
    job: Job | None, count: int, percent: int | None, speed: float | None, eta: float | None
) -> Current:
    return Current(
        id=job.id if job else None,
        title=(job.title or job.url)[:250] if job else None,
        thumbnail=job.thumbnail if job else None,
        count=count,
        progress_percent=percent,
        speed=speed or 0.0,
        eta=eta,
    )


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _rounded(seconds: float) -> float:
    """Round an ETA: to 5 s below a minute, to 10 s below ten minutes, then to minutes."""
    unit = 5 if seconds < 60 else 10 if seconds < 600 else 60  # noqa: PLR2004 - a minute, ten
    return float(round(seconds / unit) * unit)
