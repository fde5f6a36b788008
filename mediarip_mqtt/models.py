"""What the service talks about: jobs, their statuses and moves, progress, media."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def utc_iso(moment: datetime) -> str:
    """Return the contract's form of a time: ``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(utc_iso, when_used="json")]


class Frozen(BaseModel):
    """A value: compared by content, changed by copy."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    JobStatus.RETRYING: _UNFINISHED_MOVES | {JobStatus.QUEUED, JobStatus.EXTRACTING},
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


class MediaType(StrEnum):
    """What is wanted of a page."""

    VIDEO = "video"
    AUDIO = "audio"


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


class Job(Frozen):
    """A job as the store holds it and ``job/<id>/state`` publishes it."""

    id: str
    session_id: str
    url: str
    status: JobStatus = JobStatus.QUEUED
    title: str | None = None
    thumbnail: str | None = None
    duration: float | None = None
    extractor: str | None = None
    media_type: MediaType = MediaType.VIDEO
    format_id: str | None = None
    quality: str | None = None
    preset: str | None = None
    output_format: str | None = None
    output_template: str | None = None
    folder: str | None = None
    playlist_items: str | None = None
    filename: str | None = None
    filesize: int | None = None
    progress_percent: float = 0.0
    speed: float | None = None
    eta: float | None = None
    priority: Priority = Priority.NORMAL
    attempt: int = 0
    max_attempts: int = 3
    next_retry_at: Timestamp | None = None
    not_before: Timestamp | None = None
    error_code: str | None = None
    error_message: str | None = None
    parent_id: str | None = None
    playlist_index: int | None = None
    items: Items | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    keep: bool = False  # retention and `delete all` leave it alone
    created_at: Timestamp
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    request_id: str | None = None


class Progress(Frozen):
    """A running job's progress: ``progress_percent`` covers the whole job and never falls.

    Sizes are bytes, speed bytes per second, the ETA seconds; None is unknown.
    """

    id: str
    status: JobStatus
    phase: Phase
    progress_percent: float = Field(ge=0, le=100)
    downloaded_bytes: int = 0
    total_bytes: int | None = None
    speed: float | None = None
    eta: float | None = None
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


class DownloadOptions(Frozen):
    """What a sender asked of one download, already validated; see the command ``download``."""

    media_type: MediaType = MediaType.VIDEO
    preset: str | None = None
    quality: str | None = None
    format_id: str | None = None
    output_format: str | None = None
    output_template: str | None = None
    folder: str | None = None
    playlist_items: str | None = None


class ProducedFile(Frozen):
    """A file in the job's temporary folder and the name it shall get, relative to the root."""

    temp_path: str
    filename: str
    filesize: int
    main: bool = True


class Facts(Frozen):
    """Versions and abilities of what the engine stands on; part of ``info``."""

    ytdlp: str
    ffmpeg: str | None = None
    js_runtime: str | None = None
    extra: dict[str, Any] = {}
