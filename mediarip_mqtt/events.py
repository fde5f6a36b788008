"""The things that happen, one class each; ``event`` carries them and the outbox keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from mediarip_mqtt.models import Frozen, Job, Timestamp


class Event(Frozen):
    """What every event carries: ``event_id`` (to drop repeats by), ``event_type``, ``at``."""

    event_type: ClassVar[str]
    event_id: str
    at: Timestamp

    def payload(self) -> dict[str, Any]:
        """Return the event as published."""
        return {"event_type": self.event_type, **self.model_dump(mode="json")}


class JobEvent(Event):
    """Something that happened to a job, which it carries as it is then."""

    job: Job


class JobQueued(JobEvent):
    """A job was added, or put back in the queue."""

    event_type = "queued"


class JobStarted(JobEvent):
    """An attempt at a job began."""

    event_type = "started"


class JobCompleted(JobEvent):
    """The job's file is in its place; ``job.filename`` names it."""

    event_type = "completed"


class JobFailed(JobEvent):
    """The job was given up; ``job.error_code`` and ``job.error_message`` say why."""

    event_type = "failed"


class JobRetrying(JobEvent):
    """An attempt failed; another follows at ``job.next_retry_at``."""

    event_type = "retrying"


class JobCancelled(JobEvent):
    """A person stopped the job for good."""

    event_type = "cancelled"


class JobDeleted(JobEvent):
    """The job was removed; it carries the job as it was."""

    event_type = "deleted"


class PlaylistCompleted(JobEvent):
    """All items of a playlist ended; ``job.items`` has the counts."""

    event_type = "playlist_completed"


class StorageLost(Event):
    """The volume can't be used; ``reason`` says why, and the queue is paused."""

    event_type = "storage_lost"
    reason: str


class StorageRestored(Event):
    """The volume is back and the queue goes on."""

    event_type = "storage_restored"


class DiskLow(Event):
    """Less than ``storage.min_free`` bytes are free; the queue is paused until there is more."""

    event_type = "disk_low"
    disk_free: int = Field(ge=0)
    min_free: int = Field(ge=0)


class Purged(Event):
    """Retention removed jobs (``count``), and ``files`` of ``freed`` bytes; ``kept`` ones stay."""

    event_type = "purged"
    count: int = Field(ge=0)
    files: int = Field(ge=0)
    freed: int = Field(ge=0)
    kept: int = Field(ge=0)


class Imported(Event):
    """Finished jobs (``count``) were taken over from elsewhere."""

    event_type = "imported"
    count: int = Field(ge=0)


class YtdlpUpdated(Event):
    """An update of yt-dlp ended; where ``ok`` is false ``reason`` says why it did not come about.

    ``to_version`` is what was wanted; where a version was given up, what the service went back to.
    """

    event_type = "ytdlp_updated"
    ok: bool
    from_version: str
    to_version: str
    reason: str | None = None


def types() -> list[str]:
    """Return every event's name."""
    found, classes = [], [Event]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        if "event_type" in cls.__dict__:
            found.append(cls.event_type)
    return sorted(found)


def of_job(kind: type[JobEvent], event_id: str, at: datetime, job: Job) -> JobEvent:
    """Return an event of a job."""
    return kind(event_id=event_id, at=at, job=job)
