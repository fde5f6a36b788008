"""A job as an entry of `jobs/now` and its neighbours, and what a reader calculates from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.media_options import MediaType
from mediarip_mqtt.contract.models import TERMINAL, Job, JobStatus, Phase, Priority, Progress
from mediarip_mqtt.contract.topic_payloads import JobEntry
from mediarip_mqtt.contract.urls import host_of

# Characters.
TITLE: Final = 80
LAST_TITLE: Final = 250
SITE: Final = 40
ERROR: Final = 160
CATEGORY: Final = 40
PATH: Final = 250  # a longer one is left out: a part of a path leads nowhere

TOLERANCE: Final = 3.0  # percent that a guess may be wrong
STALLED: Final = 10.0  # seconds without a report after which speed and ETA are no longer true
LEAST: Final = 1.0  # percent from which on the progress tells the speed well enough


@dataclass(frozen=True)
class Guess:
    """What a reader of an entry believes of a running job: its bar moves on until `eta`."""

    status: JobStatus
    phase: Phase | None
    progress: float
    eta: float | None
    at: datetime | None

    @classmethod
    def of(cls, sent: JobEntry) -> Guess:
        """Return the guess of who has this entry."""
        return cls(sent.status, sent.phase, sent.progress or 0.0, sent.eta, sent.at)

    def progress_at(self, moment: datetime) -> float:
        """Return the progress in percent that is shown at a moment."""
        if self.at is None or not self.eta:
            return self.progress
        passed = (moment - self.at).total_seconds() / self.eta
        return self.progress + (100.0 - self.progress) * min(max(passed, 0.0), 1.0)

    def fits(self, progress: Progress, moment: datetime) -> bool:
        """Whether the guess is good enough at a moment; ``progress`` is the newest."""
        if (self.status, self.phase) != (progress.status, progress.phase):
            return False
        if self.eta is None and _eta(progress, moment) is not None:
            return False
        return abs(self.progress_at(moment) - progress.progress_percent) < TOLERANCE


def entry(job: Job, **more: Any) -> JobEntry:
    """Return a job that does not run as an entry."""
    values: dict[str, Any] = {
        "id": job.id,
        "status": job.status,
        "title": short_title(job, TITLE),
        "site": _site(job),
        "kind": _kind(job),
    }
    ended = job.status in TERMINAL
    optional: dict[str, Any] = {
        "progress": None if ended else round(job.progress_percent, 1) or None,
        "size": job.filesize,
        "filename": job.filename if job.filename and len(job.filename) <= PATH else None,
        "duration": round(job.duration) if job.duration else None,
        "items": job.items,
        "priority": None if ended or job.priority is Priority.NORMAL else job.priority,
        "error_code": job.error_code,
        "error": _cut(job.error_message, ERROR) if job.error_message else None,
        "next_retry_at": job.next_retry_at,
        "completed_at": job.completed_at,
        "keep": job.keep or None,
        "category": job.category[:CATEGORY] if job.category else None,
        **more,
    }
    known = {key: value for key, value in optional.items() if value is not None}
    return JobEntry.model_validate(values | known)


def running_entry(job: Job, progress: Progress | None, tile: int | None, now: datetime) -> JobEntry:
    """Return a running job as an entry; without progress yet, its status is all that is known."""
    if progress is None:
        return entry(job, tile=tile)
    eta = _eta(progress, now)
    return entry(
        job.model_copy(update={"status": progress.status}),
        tile=tile,
        phase=progress.phase,
        progress=round(progress.progress_percent, 1),
        speed=round(progress.speed) if progress.speed and eta is not None else None,
        eta=eta,
        at=progress.updated_at,
        size=progress.total_bytes,
    )


def short_title(job: Job, limit: int = LAST_TITLE) -> str:
    """Return a job's title; while unknown, the search words, the file's name or host and path."""
    return _cut(job.title or _name_in(job.url) or "?", limit)


def _name_in(url: str) -> str:
    """Return what a URL says of its medium, without its query: that may hold a secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    if not host:
        return texts.clean(url.partition(":")[2], LAST_TITLE)  # `ytsearch1:words`
    path = texts.clean(unquote(parts.path).strip("/"), 4 * LAST_TITLE)
    name = path.rpartition("/")[2]
    return name if "." in name else f"{host}/{path}".rstrip("/")


def _site(job: Job) -> str:
    host = host_of(job.url)
    return (host.removeprefix("www.") if host else job.extractor or "search")[:SITE]


def _kind(job: Job) -> Literal["video", "audio", "playlist"]:
    if job.items is not None:
        return "playlist"
    return "audio" if job.media_type is MediaType.AUDIO else "video"


def _eta(progress: Progress, now: datetime) -> float | None:
    """Return the seconds until 100 % at the present speed; None if unknown.

    The progress's own ETA is that of one file, while the bar shows the whole job.
    """
    stalled = (now - progress.updated_at).total_seconds() > STALLED
    if stalled or progress.eta is None or not progress.speed:
        return None
    percent = progress.progress_percent
    if percent < LEAST or not progress.downloaded_bytes:
        return max(1.0, round(progress.eta))
    left = (100.0 - percent) / percent * progress.downloaded_bytes / progress.speed
    return max(1.0, round(left))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
