"""What the service talks about: jobs, their statuses and moves, progress, media."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import uuid_utils
from pydantic import Field, PlainSerializer, WithJsonSchema

from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return an id that sorts by time (UUIDv7)."""
    return str(uuid_utils.uuid7())


def utc_iso(moment: datetime) -> str:
    """Return the contract's form of a time: ``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    datetime,
    PlainSerializer(utc_iso, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        },
        mode="serialization",
    ),
]


class JobStatus(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"  # waits for a slot
    EXTRACTING = "extracting"  # yt-dlp reads the page
    DOWNLOADING = "downloading"  # bytes arrive; a playlist: its items are under way
    PROCESSING = "processing"  # ffmpeg works, or the file is moved into place
    REVIEW = "review"  # waits for a person
    COMPLETED = "completed"  # the file is there
    FAILED = "failed"  # given up, with a reason
    CANCELLED = "cancelled"  # stopped for good by a person
    PAUSED = "paused"  # held by a person; partial files kept
    RETRYING = "retrying"  # waits for next_retry_at


ACTIVE: Final = frozenset({JobStatus.EXTRACTING, JobStatus.DOWNLOADING, JobStatus.PROCESSING})
WAITING: Final = frozenset({JobStatus.QUEUED, JobStatus.PAUSED, JobStatus.RETRYING})
TERMINAL: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

_UNFINISHED_MOVES: Final = frozenset({JobStatus.PAUSED, JobStatus.CANCELLED, JobStatus.FAILED})
_ACTIVE_MOVES: Final = _UNFINISHED_MOVES | {JobStatus.RETRYING, JobStatus.QUEUED}

# From each status the ones that may follow; anything else is `invalid_transition`.
MOVES: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    # A move into place may end behind a pause, or behind a stop of the service: COMPLETED.
    JobStatus.QUEUED: _UNFINISHED_MOVES
    | {JobStatus.EXTRACTING, JobStatus.DOWNLOADING, JobStatus.COMPLETED},
    # To PROCESSING: a kill came between the download and the move, and only the move is left.
    JobStatus.EXTRACTING: _ACTIVE_MOVES
    | {JobStatus.DOWNLOADING, JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.REVIEW},
    JobStatus.DOWNLOADING: _ACTIVE_MOVES
    | {JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.REVIEW},
    JobStatus.PROCESSING: _ACTIVE_MOVES
    | {JobStatus.DOWNLOADING, JobStatus.COMPLETED, JobStatus.REVIEW},
    JobStatus.REVIEW: frozenset({JobStatus.COMPLETED, JobStatus.CANCELLED, JobStatus.QUEUED}),
    JobStatus.PAUSED: _UNFINISHED_MOVES
    | {JobStatus.QUEUED, JobStatus.DOWNLOADING, JobStatus.COMPLETED},
    # To DOWNLOADING: its page was read ahead.
    JobStatus.RETRYING: _UNFINISHED_MOVES
    | {JobStatus.QUEUED, JobStatus.EXTRACTING, JobStatus.DOWNLOADING},
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED, JobStatus.DOWNLOADING}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED, JobStatus.DOWNLOADING}),
}


class Phase(StrEnum):
    """What a running job does at this moment."""

    EXTRACTING = "extracting"
    VIDEO = "video"
    AUDIO = "audio"
    SUBTITLES = "subtitles"
    MERGING = "merging"
    CONVERTING = "converting"
    MOVING = "moving"


class PauseReason(StrEnum):
    """Why nothing new begins."""

    USER = "user"
    QUIET_HOURS = "quiet_hours"
    DISK_LOW = "disk_low"
    STORAGE_LOST = "storage_lost"
    UPDATING = "updating"


class Priority(StrEnum):
    """Who goes first in the queue."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Items(Frozen):
    """The counts of a playlist's items; the rest are under way."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class JobHead(Frozen):
    """What a reader looks for first in a job; pydantic publishes a base's fields before others."""

    id: str = Field(description="Its name in commands and topics; sorts by time.")
    session_id: str = Field(description="Who asked for it.")
    url: str
    status: JobStatus = JobStatus.QUEUED
    title: str | None = None
    thumbnail: str | None = Field(None, description="URL of its picture.")
    duration: float | None = Field(None, description="Seconds.")
    extractor: str | None = Field(None, description="yt-dlp's name of the site.")


class Job(DownloadOptions, JobHead):
    """A job as the store holds it and ``job/<id>/state`` publishes it; null is not known (yet).

    Its options are as they were asked for.
    """

    filename: str | None = Field(None, description="Below the storage root, once it is there.")
    filesize: int | None = Field(None, description="Bytes.")
    progress_percent: float = 0.0
    speed: float | None = Field(None, description="Bytes per second.")
    eta: float | None = Field(None, description="Seconds.")
    priority: Priority = Priority.NORMAL
    attempt: int = Field(0, description="Attempts begun.")
    max_attempts: int = 3
    next_retry_at: Timestamp | None = Field(None, description="While it is `retrying`.")
    not_before: Timestamp | None = Field(None, description="As asked for.")
    error_code: str | None = Field(None, description="Why it failed, or will be tried again.")
    error_message: str | None = Field(None, description="The same for people.")
    warning: str | None = Field(None, description="Requested extras that were unavailable.")
    parent_id: str | None = Field(None, description="The playlist it is an item of.")
    playlist_index: int | None = Field(None, description="Its place there, from 1.")
    items: Items | None = Field(None, description="Of a playlist only.")
    category: str | None = Field(None, description="As sent.")
    tags: tuple[str, ...] = Field((), description="As sent.")
    keep: bool = Field(default=False, description="Retention and `delete all` leave it alone.")
    created_at: Timestamp
    started_at: Timestamp | None = Field(None, description="When its first attempt began.")
    completed_at: Timestamp | None = Field(None, description="When it ended, in whichever way.")
    request_id: str | None = Field(None, description="As sent.")

    @property
    def options(self) -> DownloadOptions:
        """What was asked for, alone."""
        fields = DownloadOptions.model_fields
        return DownloadOptions.model_construct(**{key: getattr(self, key) for key in fields})


class Progress(Frozen):
    """A running job's progress."""

    id: str
    status: JobStatus
    phase: Phase
    progress_percent: float = Field(
        ge=0, le=100, description="Of the whole job; it never goes back."
    )
    downloaded_bytes: int = 0
    total_bytes: int | None = Field(None, description="Null while it is not known.")
    speed: float | None = Field(None, description="Bytes per second.")
    eta: float | None = Field(None, description="Seconds.")
    updated_at: Timestamp


class FormatInfo(Frozen):
    """One format that a page offers."""

    format_id: str
    ext: str | None = None
    resolution: str | None = None
    height: int | None = None
    fps: float | None = None
    vcodec: str | None = None
    acodec: str | None = None
    tbr: float | None = None
    filesize: int | None = None
    note: str | None = None


class Entry(Frozen):
    """One item of a playlist or feed; ``items`` where it is only reached by its number there."""

    url: str
    title: str | None = None
    duration: float | None = None
    thumbnail: str | None = None
    index: int
    items: str | None = None


class MediaInfo(Frozen):
    """What an extraction found: one medium with formats, or a playlist with entries."""

    url: str
    extractor: str | None = None
    title: str | None = None
    duration: float | None = None
    thumbnail: str | None = None
    uploader: str | None = None
    live_status: str | None = None
    formats: tuple[FormatInfo, ...] = ()
    is_playlist: bool = False
    entries: tuple[Entry, ...] = ()


class JobFile(Frozen):
    """A file of a job as the store holds it; ``filename`` is relative to the storage root.

    ``temp_path`` is where it was made; empty once it has been moved to ``filename``.
    """

    filename: str
    filesize: int
    temp_path: str = ""
    main: bool = True


class Facts(Frozen):
    """Versions and abilities of what the engine stands on; part of ``info``."""

    ytdlp: str
    ffmpeg: str | None = None
    js_runtime: str | None = None
