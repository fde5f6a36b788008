"""The running jobs in a few numbers that change seldom.

Home Assistant records every change of a state. A download of any size and length changes these at
most some dozen times: the progress in steps of 5 %, speed and time left with every second step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from mediarip_mqtt.contract.models import Job, Progress

STEP: Final = 5  # percent
REFRESH_STEP: Final = 10  # percent of progress between two values of speed and ETA
REFRESH: Final = 300.0  # seconds after which they are told anew all the same


class Activity:
    """Remembers what it told last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ids: tuple[str, ...] = ()
        self._step = 0
        self._at = 0.0
        self._speed: float | None = None
        self._eta: float | None = None

    def current(self, jobs: Sequence[tuple[Job, Progress | None]]) -> dict[str, Any]:
        """Return the longest-running job's title, and progress, speed and ETA of all together.

        All keys are always there. Without a job all are null, but for ``count`` and ``speed`` (0).
        """
        if not jobs:
            self._ids = ()
            return _told(None, 0, None, 0.0, None)
        ids = tuple(job.id for job, _ in jobs)
        percents = [one.progress_percent if one else job.progress_percent for job, one in jobs]
        step = int(sum(percents) / len(percents)) // STEP * STEP
        speeds = [one.speed for _, one in jobs if one and one.speed is not None]
        etas = [one.eta for _, one in jobs if one and one.eta is not None]
        due = (
            ids != self._ids
            or abs(step - self._step) >= REFRESH_STEP
            or self._clock() - self._at >= REFRESH
            or (bool(speeds) and self._speed is None)
            or (bool(etas) and self._eta is None)
        )
        if due:
            self._ids, self._step, self._at = ids, step, self._clock()
            self._speed = _two_digits(sum(speeds)) if speeds else None
            self._eta = _rounded(max(etas)) if etas else None
        return _told(jobs[0][0], len(jobs), step, self._speed, self._eta)


def _told(
    job: Job | None, count: int, percent: int | None, speed: float | None, eta: float | None
) -> dict[str, Any]:
    return {
        "id": job.id if job else None,
        "title": (job.title or job.url)[:250] if job else None,
        "thumbnail": job.thumbnail if job else None,
        "count": count,
        "progress_percent": percent,
        "speed": speed or 0.0,
        "eta": eta,
    }


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _rounded(seconds: float) -> float:
    """Return an ETA as exact as a person needs it."""
    unit = 5 if seconds < 60 else 10 if seconds < 600 else 60  # noqa: PLR2004 - a minute, ten
    return float(round(seconds / unit) * unit)
