"""Jobs, their statuses and transitions, progress, and what an extraction returns."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import uuid_utils
from pydantic import Field, PlainSerializer, WithJsonSchema

from mediarip_mqtt.contract.content import ContentType, FileRole, ReviewReason
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a UUIDv7, which sorts by time."""
    return str(uuid_utils.uuid7())


def utc_iso(moment: datetime) -> str:
    """Format a time as the contract does: ``2026-01-02T03:04:05.678Z``."""
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
    """The status of a job."""

    QUEUED = "queued"  # waits for a free slot
    EXTRACTING = "extracting"  # yt-dlp reads the page
    DOWNLOADING = "downloading"  # receives data; a playlist: its items are in progress
    PROCESSING = "processing"  # ffmpeg runs, or the file is moved into place
    REVIEW = "review"  # waits for a decision of a person
    COMPLETED = "completed"  # the file is in its final place
    FAILED = "failed"  # failed for good; error_code and error_message say why
    CANCELLED = "cancelled"  # stopped for good by a command
    PAUSED = "paused"  # held by a command; partial files are kept
    RETRYING = "retrying"  # waits for next_retry_at


ACTIVE: Final = frozenset({JobStatus.EXTRACTING, JobStatus.DOWNLOADING, JobStatus.PROCESSING})
WAITING: Final = frozenset({JobStatus.QUEUED, JobStatus.PAUSED, JobStatus.RETRYING})
TERMINAL: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

_UNFINISHED_MOVES: Final = frozenset({JobStatus.PAUSED, JobStatus.CANCELLED, JobStatus.FAILED})
_ACTIVE_MOVES: Final = _UNFINISHED_MOVES | {JobStatus.RETRYING, JobStatus.QUEUED}

# The statuses that may follow each status; a command that needs another is `invalid_transition`.
MOVES: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    # COMPLETED: the move into place may finish after a pause, or after the service was stopped.
    JobStatus.QUEUED: _UNFINISHED_MOVES
    | {JobStatus.EXTRACTING, JobStatus.DOWNLOADING, JobStatus.COMPLETED},
    # PROCESSING: the process was killed between download and move, and only the move remains.
    JobStatus.EXTRACTING: _ACTIVE_MOVES
    | {JobStatus.DOWNLOADING, JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.REVIEW},
    JobStatus.DOWNLOADING: _ACTIVE_MOVES
    | {JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.REVIEW},
    JobStatus.PROCESSING: _ACTIVE_MOVES
    | {JobStatus.DOWNLOADING, JobStatus.COMPLETED, JobStatus.REVIEW},
    # FAILED: the file is gone when the answer comes.
    JobStatus.REVIEW: frozenset(
        {
            JobStatus.PROCESSING,
            JobStatus.COMPLETED,
            JobStatus.CANCELLED,
            JobStatus.FAILED,
            JobStatus.QUEUED,
        }
    ),
    JobStatus.PAUSED: _UNFINISHED_MOVES
    | {JobStatus.QUEUED, JobStatus.DOWNLOADING, JobStatus.COMPLETED},
    # DOWNLOADING: its page has been extracted already.
    JobStatus.RETRYING: _UNFINISHED_MOVES
    | {JobStatus.QUEUED, JobStatus.EXTRACTING, JobStatus.DOWNLOADING},
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED, JobStatus.DOWNLOADING}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED, JobStatus.DOWNLOADING}),
}


class Phase(StrEnum):
    """The phase of a running job."""

    EXTRACTING = "extracting"
    VIDEO = "video"
    AUDIO = "audio"
    SUBTITLES = "subtitles"
    MERGING = "merging"
    CONVERTING = "converting"
    MOVING = "moving"


class PauseReason(StrEnum):
    """Why no new download starts."""

    USER = "user"
    QUIET_HOURS = "quiet_hours"
    DISK_LOW = "disk_low"
    STORAGE_LOST = "storage_lost"
    UPDATING = "updating"


class Priority(StrEnum):
    """The priority of a job in the queue."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Items(Frozen):
    """Counts of a playlist's items; the rest have not ended."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class JobHead(Frozen):
    """The first keys of a job: pydantic serializes the fields of the last base class first."""

    id: str = Field(description="Identifies the job in commands and topics; sorts by time.")
    session_id: str = Field(description="The session that requested it.")
    url: str
    status: JobStatus = JobStatus.QUEUED
    title: str | None = None
    thumbnail: str | None = Field(None, description="URL of its thumbnail.")
    duration: float | None = Field(None, description="Seconds.")
    extractor: str | None = Field(None, description="yt-dlp's name of the site.")


class Job(DownloadOptions, JobHead):
    """A job as the store holds it and ``job/<id>/state`` publishes it; null means unknown.

    Its options are those of the request.
    """

    filename: str | None = Field(
        None, description="Path of the finished file below the storage root."
    )
    filesize: int | None = Field(None, description="Bytes.")
    progress_percent: float = 0.0
    speed: float | None = Field(None, description="Bytes per second.")
    eta: float | None = Field(None, description="Seconds.")
    priority: Priority = Priority.NORMAL
    attempt: int = Field(0, description="Attempts started so far.")
    max_attempts: int = 3
    next_retry_at: Timestamp | None = Field(None, description="Only while `retrying`.")
    not_before: Timestamp | None = Field(None, description="As in the request.")
    error_code: str | None = Field(
        None, description="Why it failed, is retried, or ended a recording early."
    )
    error_message: str | None = Field(None, description="The reason for people.")
    warning: str | None = Field(
        None,
        description="Requested extras that were unavailable, or items that a playlist left out.",
    )
    parent_id: str | None = Field(None, description="The playlist it is an item of.")
    playlist_index: int | None = Field(None, description="Position in the playlist, from 1.")
    items: Items | None = Field(None, description="Playlists only.")
    category: str | None = Field(None, description="As in the request.")
    tags: tuple[str, ...] = Field((), description="As in the request.")
    keep: bool = Field(default=False, description="Exempt from retention and `delete all`.")
    created_at: Timestamp
    started_at: Timestamp | None = Field(None, description="Start of its first attempt.")
    completed_at: Timestamp | None = Field(
        None, description="When it completed, failed or was cancelled."
    )
    request_id: str | None = Field(None, description="As in the request.")
    subscription_id: str | None = Field(None, description="The subscription that requested it.")
    title_id: str | None = Field(None, description="Its title in the library, if that is enabled.")
    content_type: ContentType | None = Field(None, description="What the library takes it for.")
    show: str | None = Field(None, description="The show, podcast or album artist.")
    season: int | None = Field(None, description="Season in the library.")
    episode: int | None = Field(None, description="Episode in the library.")
    confidence: float | None = Field(None, description="How sure the library is, 0 to 1.")
    review_reason: ReviewReason | None = Field(
        None, description="Only in `review`: why a person is asked."
    )

    @property
    def options(self) -> DownloadOptions:
        """The job's `DownloadOptions`, without its other fields."""
        fields = DownloadOptions.model_fields
        return DownloadOptions.model_construct(**{key: getattr(self, key) for key in fields})


class Progress(Frozen):
    """A running job's progress."""

    id: str
    status: JobStatus
    phase: Phase
    progress_percent: float = Field(
        ge=0, le=100, description="Progress of the whole job; never decreases."
    )
    downloaded_bytes: int = 0
    total_bytes: int | None = Field(None, description="Null while unknown.")
    speed: float | None = Field(None, description="Bytes per second.")
    eta: float | None = Field(None, description="Seconds.")
    updated_at: Timestamp


class FormatInfo(Frozen):
    """A format that a page offers."""

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
    """An item of a playlist or feed; ``items``: its number, if it has no URL of its own."""

    url: str
    title: str | None = None
    duration: float | None = None
    thumbnail: str | None = None
    index: int
    items: str | None = None


class MediaInfo(Frozen):
    """The result of an extraction: media with formats, or a playlist with entries."""

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
    entry_count: int | None = Field(
        None,
        description="How many items the playlist has, if the site tells; `entries` may be fewer.",
    )
    warning: str | None = Field(None, description="Which items were left out, and why.")


class JobFile(Frozen):
    """A file of a job as the store holds it; ``filename`` is relative to the storage root.

    ``temp_path`` is where it was made; empty once it has been moved to ``filename``. ``identity``
    is what its filesystem knows it by then; empty if it was placed by an earlier release.
    """

    filename: str
    filesize: int
    temp_path: str = ""
    identity: str = ""
    main: bool = True
    role: FileRole = FileRole.MAIN


class CookieReport(Frozen):
    """What is published about a session's cookies; none of their names or values."""

    stored: bool
    count: int = 0
    expired: int = 0
    stored_at: Timestamp | None = None
    last_success: Timestamp | None = Field(None, description="When a download with them succeeded.")


class Facts(Frozen):
    """Versions of the programs that the engine uses; part of ``info``."""

    ytdlp: str
    ffmpeg: str | None = None
    js_runtime: str | None = None
    plugins: tuple[str, ...] = ()
