"""Events, one class each: published on ``event``, kept in the outbox until acknowledged.

A new event is a subclass of `Event` with a literal ``event_type``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mediarip_mqtt.contract.content import ReviewReason
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.library_runs import LibraryProgress
from mediarip_mqtt.contract.models import Job, Timestamp, new_id, now
from mediarip_mqtt.contract.subscription_models import ItemState
from mediarip_mqtt.contract.titles import Candidate, Title


class Event(Frozen):
    """The keys of every event; ``event_id`` lets a receiver drop repeats."""

    event_type: str
    event_id: str = Field(default_factory=new_id)
    at: Timestamp = Field(default_factory=now)


class JobEvent(Event):
    """An event of a job; ``job`` is its state at that time."""

    job: Job


class JobQueued(JobEvent):
    """A job was added, or put back in the queue."""

    event_type: Literal["queued"] = "queued"


class JobStarted(JobEvent):
    """An attempt at the job began."""

    event_type: Literal["started"] = "started"


class JobCompleted(JobEvent):
    """The job's file is in its final place, ``job.filename``."""

    event_type: Literal["completed"] = "completed"


class JobFailed(JobEvent):
    """The job failed for good; ``job.error_code`` and ``job.error_message`` say why."""

    event_type: Literal["failed"] = "failed"


class JobRetrying(JobEvent):
    """An attempt failed; the next one starts at ``job.next_retry_at``."""

    event_type: Literal["retrying"] = "retrying"


class JobCancelled(JobEvent):
    """The job was cancelled."""

    event_type: Literal["cancelled"] = "cancelled"


class JobDeleted(JobEvent):
    """The job was removed; ``job`` is its last state."""

    event_type: Literal["deleted"] = "deleted"


class PlaylistCompleted(JobEvent):
    """All items of a playlist have ended; ``job.items`` holds the counts."""

    event_type: Literal["playlist_completed"] = "playlist_completed"


class StorageLost(Event):
    """The volume became unusable and the queue is paused; ``reason`` says why."""

    event_type: Literal["storage_lost"] = "storage_lost"
    reason: str


class StorageRestored(Event):
    """The volume is usable again and the queue continues."""

    event_type: Literal["storage_restored"] = "storage_restored"


class DiskLow(Event):
    """Fewer than ``storage.min_free`` bytes are free; the queue is paused until there are more."""

    event_type: Literal["disk_low"] = "disk_low"
    disk_free: int = Field(ge=0)
    min_free: int = Field(ge=0)


class Purged(Event):
    """Retention removed finished jobs, and their files where that is set."""

    event_type: Literal["purged"] = "purged"
    count: int = Field(ge=0, description="Jobs that were removed.")
    files: int = Field(ge=0, description="Files that were removed.")
    freed: int = Field(ge=0, description="Bytes of these files.")
    kept: int = Field(ge=0, description="Finished jobs that stay, as `keep` is set.")


class Imported(Event):
    """``count`` finished jobs were imported as history."""

    event_type: Literal["imported"] = "imported"
    count: int = Field(ge=0)


class YtdlpUpdated(Event):
    """An update of yt-dlp ended; if ``ok`` is false, ``reason`` says why it failed.

    ``to_version`` is the requested version, or after a rollback the one restored.
    """

    event_type: Literal["ytdlp_updated"] = "ytdlp_updated"
    ok: bool
    from_version: str
    to_version: str
    reason: str | None = None


class ReviewNeeded(JobEvent):
    """A person is asked what a title is; answer with the command ``review``."""

    event_type: Literal["review_needed"] = "review_needed"
    title_id: str
    reason: ReviewReason
    candidates: tuple[Candidate, ...] = Field(description="Guesses, the likeliest first.")
    review_until: Timestamp | None = Field(
        description="When the likeliest is taken without an answer; null: never."
    )


class TitleEvent(Event):
    """An event of a title; ``title`` is its state at that time. Its job may be gone."""

    title: Title


class TitleOrganized(TitleEvent):
    """A title's files are in their places in the library, ``title.organized_to``."""

    event_type: Literal["organized"] = "organized"


class TitleArchived(TitleEvent):
    """A title's files are in the archive; `restore` returns them."""

    event_type: Literal["archived"] = "archived"


class TitleRestored(TitleEvent):
    """An archived title's files are back in the library, ``title.organized_to``."""

    event_type: Literal["restored"] = "restored"


class TitleMissing(TitleEvent):
    """A title's file is gone; nothing downloads it again unless that is asked for."""

    event_type: Literal["missing"] = "missing"


class TitleWatched(TitleEvent):
    """A title was watched for the first time."""

    event_type: Literal["watched"] = "watched"


class LibraryRunEnded(Event):
    """`organize all` or `adopt` has looked at everything; ``run`` has the counts."""

    event_type: Literal["library_run_ended"] = "library_run_ended"
    run: LibraryProgress


class SubscriptionEvent(Event):
    """An event of a subscription."""

    subscription_id: str
    name: str
    url: str


class NewItem(Frozen):
    """An item that a subscription has found."""

    item_key: str
    title: str | None
    url: str
    state: ItemState
    job_id: str | None


class SubscriptionNew(SubscriptionEvent):
    """A check found items that are wanted."""

    event_type: Literal["subscription_new"] = "subscription_new"
    count: int = Field(ge=1)
    items: tuple[NewItem, ...] = Field(description="At most 20, the newest first.")


class SubscriptionFailed(SubscriptionEvent):
    """Checks of a subscription keep failing; told once. ``enabled`` false: it was given up."""

    event_type: Literal["subscription_failed"] = "subscription_failed"
    error_code: str
    error_message: str = Field(description="For people.")
    enabled: bool


class SubscriptionRecovered(SubscriptionEvent):
    """A check of a subscription whose checks failed has succeeded."""

    event_type: Literal["subscription_recovered"] = "subscription_recovered"


def classes() -> dict[str, type[Event]]:
    """Return every event class by its ``event_type``, sorted."""
    by_type: dict[str, type[Event]] = {}
    pending: list[type[Event]] = [Event]
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        field = cls.model_fields["event_type"]
        if not field.is_required():
            by_type[field.default] = cls
    return dict(sorted(by_type.items()))


def types() -> list[str]:
    """Return every ``event_type``, sorted."""
    return list(classes())


def of_job(kind: type[JobEvent], at: datetime, job: Job) -> JobEvent:
    """Return an event of class ``kind`` for a job."""
    return kind(at=at, job=job)  # type: ignore[call-arg] # every subclass defaults event_type
