"""The things that happen, one class each; ``event`` carries them and the outbox keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.models import Job, Timestamp, new_id, now


class Event(Frozen):
    """What every event carries: ``event_id`` (to drop repeats by), ``event_type``, ``at``."""

    event_type: str
    event_id: str = Field(default_factory=new_id)
    at: Timestamp = Field(default_factory=now)


class JobEvent(Event):
    """Something that happened to a job, which it carries as it is then."""

    job: Job


class JobQueued(JobEvent):
    """A job was added, or put back in the queue."""

    event_type: Literal["queued"] = "queued"


class JobStarted(JobEvent):
    """An attempt at a job began."""

    event_type: Literal["started"] = "started"


class JobCompleted(JobEvent):
    """The job's file is in its place; ``job.filename`` names it."""

    event_type: Literal["completed"] = "completed"


class JobFailed(JobEvent):
    """The job was given up; ``job.error_code`` and ``job.error_message`` say why."""

    event_type: Literal["failed"] = "failed"


class JobRetrying(JobEvent):
    """An attempt failed; another follows at ``job.next_retry_at``."""

    event_type: Literal["retrying"] = "retrying"


class JobCancelled(JobEvent):
    """A person stopped the job for good."""

    event_type: Literal["cancelled"] = "cancelled"


class JobDeleted(JobEvent):
    """The job was removed; it carries the job as it was."""

    event_type: Literal["deleted"] = "deleted"


class PlaylistCompleted(JobEvent):
    """All items of a playlist ended; ``job.items`` has the counts."""

    event_type: Literal["playlist_completed"] = "playlist_completed"


class StorageLost(Event):
    """The volume can't be used; ``reason`` says why, and the queue is paused."""

    event_type: Literal["storage_lost"] = "storage_lost"
    reason: str


class StorageRestored(Event):
    """The volume is back and the queue goes on."""

    event_type: Literal["storage_restored"] = "storage_restored"


class DiskLow(Event):
    """Less than ``storage.min_free`` bytes are free; the queue is paused until there is more."""

    event_type: Literal["disk_low"] = "disk_low"
    disk_free: int = Field(ge=0)
    min_free: int = Field(ge=0)


class Purged(Event):
    """Retention removed jobs (``count``), and ``files`` of ``freed`` bytes; ``kept`` ones stay."""

    event_type: Literal["purged"] = "purged"
    count: int = Field(ge=0)
    files: int = Field(ge=0)
    freed: int = Field(ge=0)
    kept: int = Field(ge=0)


class Imported(Event):
    """Finished jobs (``count``) were taken over from elsewhere."""

    event_type: Literal["imported"] = "imported"
    count: int = Field(ge=0)


class YtdlpUpdated(Event):
    """An update of yt-dlp ended; where ``ok`` is false ``reason`` says why it did not come about.

    ``to_version`` is what was wanted; where a version was given up, what the service went back to.
    """

    event_type: Literal["ytdlp_updated"] = "ytdlp_updated"
    ok: bool
    from_version: str
    to_version: str
    reason: str | None = None


def classes() -> dict[str, type[Event]]:
    """Return every event's class by its name."""
    found: dict[str, type[Event]] = {}
    todo: list[type[Event]] = [Event]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        field = cls.model_fields["event_type"]
        if not field.is_required():
            found[field.default] = cls
    return dict(sorted(found.items()))


def types() -> list[str]:
    """Return every event's name."""
    return list(classes())


def of_job(kind: type[JobEvent], at: datetime, job: Job) -> JobEvent:
    """Return an event of a job."""
    return kind(at=at, job=job)  # type: ignore[call-arg] # each has its type
