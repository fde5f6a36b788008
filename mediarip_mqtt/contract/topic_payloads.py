"""The payloads of `state`, `info`, `library` and other single topics, one class each."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from mediarip_mqtt.contract.content import ContentType, ReviewReason
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.library_runs import LibraryProgress
from mediarip_mqtt.contract.models import (
    Items,
    JobStatus,
    PauseReason,
    Phase,
    Priority,
    Timestamp,
)
from mediarip_mqtt.contract.subscription_models import ItemState
from mediarip_mqtt.contract.titles import Candidate, TitleState


class Current(Frozen):
    """The longest-running job, with totals of all running jobs, in coarse steps."""

    id: str | None
    title: str | None
    thumbnail: str | None
    count: int = Field(ge=0, description="Running jobs.")
    progress_percent: int | None
    speed: float = Field(description="Bytes per second.")
    eta: float | None = Field(description="Seconds.")


class LastJob(Frozen):
    """The latest job that completed, or that failed."""

    id: str
    at: Timestamp | None
    title: str
    filename: str | None
    error_code: str | None
    error_message: str | None
    thumbnail: str | None


class State(Frozen):
    """What the service is doing."""

    status: Literal["idle", "downloading", "paused", "storage_lost", "error"]
    active: int = Field(ge=0, description="Running jobs, without playlists.")
    counts: dict[JobStatus, int] = Field(description="How many jobs have which status.")
    completed_today: int = Field(ge=0, description="Since midnight, in the service's local time.")
    last_completed: LastJob | None
    last_failed: LastJob | None
    current: Current
    speed: int = Field(ge=0, description="Bytes per second, of all downloads.")
    paused: bool = Field(description="Whether no new download starts.")
    pause_reason: PauseReason | None
    storage: str = Field(description="`ok`, or the problem with the volume or the store.")
    disk_free: int | None = Field(description="Bytes.")
    disk_total: int | None = Field(description="Bytes.")
    lost_threads: int = Field(ge=0, description="Threads that did not end when asked to.")
    uptime: int = Field(ge=0, description="Seconds.")
    heartbeat: Timestamp = Field(description="When this was published; at least every 30 s.")


class JobBrief(Frozen):
    """A job in a list, without unknown values; long texts are shortened."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    status: JobStatus
    title: str
    progress_percent: float = Field(ge=0, le=100)
    created_at: Timestamp
    speed: float | None = Field(None, description="Bytes per second; unfinished jobs only.")
    eta: float | None = Field(None, description="Seconds; unfinished jobs only.")
    priority: Priority | None = Field(None, description="Unfinished jobs only.")
    thumbnail: str | None = None
    filename: str | None = None
    filesize: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    parent_id: str | None = None
    items: Items | None = None
    next_retry_at: Timestamp | None = None
    completed_at: Timestamp | None = None


class JobList(Frozen):
    """Jobs for a dashboard card: at most 50 in each list, and 16 KiB in all."""

    active: list[JobBrief]
    queued: list[JobBrief]
    finished: list[JobBrief] = Field(description="Newest first.")
    counts: dict[JobStatus, int] = Field(description="How many jobs have which status.")


class JobEntry(Frozen):
    """A job in `jobs/now`, `jobs/finished` or `jobs/failed`; keys that are unknown are left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    status: JobStatus
    title: str = Field(description="The title, the file's name or the search words; shortened.")
    site: str = Field(description="The host, or yt-dlp's name of the site.")
    kind: Literal["video", "audio", "playlist"]
    phase: Phase | None = Field(None, description="Running jobs only.")
    progress: float | None = Field(None, ge=0, le=100, description="Unfinished jobs only.")
    speed: float | None = Field(None, description="Bytes per second.")
    eta: float | None = Field(None, description="Seconds, counted from `at`.")
    at: Timestamp | None = Field(
        None,
        description="When `progress`, `speed` and `eta` were true. The progress at the time `t` is "
        "about `progress + (100 - progress) * (t - at) / eta`.",
    )
    size: int | None = Field(None, description="Bytes; an estimate while the job runs.")
    tile: int | None = Field(
        None,
        ge=0,
        description="Its place in the picture of the topic `tiles`, row by row from 0.",
    )
    filename: str | None = Field(None, description="Path of the file below the storage root.")
    duration: int | None = Field(None, description="Seconds.")
    items: Items | None = Field(None, description="Playlists only.")
    priority: Priority | None = Field(None, description="Unless it is `normal`.")
    error_code: str | None = None
    error: str | None = Field(None, description="The reason for people; shortened.")
    next_retry_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    keep: bool | None = Field(None, description="Unless it is false.")
    category: str | None = None


class JobsNow(Frozen):
    """What a dashboard shows at once: at most 15,000 bytes, for attributes in Home Assistant."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    jobs: list[JobEntry] = Field(
        description="Running jobs, then the next waiting ones, then the newest five finished."
    )
    more: int = Field(ge=0, description="Running and waiting jobs that are not in the list.")
    pause_reason: PauseReason | None = Field(description="Null while downloads may start.")
    pause_until: Timestamp | None = Field(None, description="When the quiet hours end.")
    storage: Literal["ok", "lost"]
    disk_free: int | None = Field(None, description="Bytes, rounded.")
    disk_total: int | None = Field(None, description="Bytes, rounded.")
    version: str = Field(description="Version of the service.")
    presets: list[str]
    media: str | None = Field(
        description="Home Assistant's media source id of the storage root, such as "
        "`media-source://media_source/local/mediarip`; null if it is unknown."
    )


class JobsFinished(Frozen):
    """The newest completed jobs: at most 15,000 bytes, for attributes in Home Assistant.

    The other keys are about the last one, also after `clear`; null if there is none.
    """

    finished: list[JobEntry] = Field(description="Newest first, without cleared ones.")
    at: Timestamp | None = Field(description="When it completed.")
    job_id: str | None
    title: str | None
    filename: str | None
    thumbnail: str | None


class JobsFailed(Frozen):
    """The newest failed jobs: at most 15,000 bytes, for attributes in Home Assistant.

    The other keys are about the last one, also after `clear`; null if there is none.
    """

    failed: list[JobEntry] = Field(description="Newest first, without cleared ones.")
    at: Timestamp | None = Field(description="When it failed.")
    job_id: str | None
    title: str | None
    error_code: str | None
    error: str | None


class TitleBrief(Frozen):
    """A title in a list; long texts are shortened, unknown keys left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    title: str
    show: str | None = None
    content_type: ContentType | None = None
    season: int | None = None
    episode: int | None = None
    artist: str | None = None
    album: str | None = None
    year: int | None = None
    filesize: int | None = Field(None, description="Bytes.")
    organized_to: str | None = Field(None, description="Path of its medium below the storage root.")
    published_at: Timestamp | None = Field(None, description="When the site published it.")
    watched_at: Timestamp | None = None
    created_at: Timestamp


class CandidateBrief(Candidate):
    """A guess at what a title is; long texts are shortened, unknown keys left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class WaitingReview(Frozen):
    """A title that waits for a person; answer with the command `review`.

    Long texts are shortened, unknown keys left out.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    job_id: str | None = None
    title: str
    detected_title: str | None = Field(
        None, description="The page's title, if the likeliest guess has another one."
    )
    reason: ReviewReason | None = None
    review_until: Timestamp | None = Field(
        None, description="When the first candidate is taken without an answer."
    )
    channel: str | None = None
    duration: float | None = Field(None, description="Seconds.")
    filesize: int | None = Field(None, description="Bytes.")
    candidates: list[CandidateBrief] = Field(description="At most 3, the likeliest first.")


class LibraryState(Frozen):
    """The library in numbers, what waits for a review, the newest titles; at most 15,000 bytes."""

    count: int = Field(ge=0, description="Titles with a file in the library.")
    counts: dict[TitleState, int] = Field(description="How many titles have which state.")
    types: dict[ContentType, int] = Field(description="How many of `count` are what.")
    bytes: int = Field(ge=0, description="Of the media of these titles.")
    archived_bytes: int = Field(ge=0, description="Of the media in the archive.")
    waiting: int = Field(ge=0, description="Titles that wait for a review.")
    reviews: list[WaitingReview] = Field(description="At most 10 of them, the oldest first.")
    newest: list[TitleBrief] = Field(description="At most 20, the newest first.")
    runs: list[LibraryProgress] = Field(
        description="`organize all` and `adopt` that are under way; at most 5."
    )


class SubscriptionBrief(Frozen):
    """A subscription whose checks fail."""

    id: str
    name: str
    failures: int = Field(description="Checks in a row that failed.")
    enabled: bool = Field(description="`false`: it was given up, or paused.")
    error_code: str | None
    error_message: str | None


class FoundItem(Frozen):
    """An item that a subscription has found; long texts are shortened."""

    subscription_id: str
    name: str = Field(description="The subscription's.")
    title: str
    state: ItemState
    job_id: str | None
    found_at: Timestamp


class SubscriptionSwitch(Frozen):
    """Whether a subscription is checked that has a switch in Home Assistant."""

    name: str
    enabled: bool | None = Field(description="Null if there is no such subscription.")


class SubscriptionsState(Frozen):
    """The subscriptions in numbers, those that fail, and what was found last; at most 16 KiB."""

    count: int = Field(ge=0, description="Number of subscriptions.")
    paused: int = Field(ge=0, description="How many of them are not checked.")
    failing: int = Field(ge=0, description="How many have failed three times in a row or more.")
    items: dict[ItemState, int] = Field(description="How many items have which state.")
    next_check_at: Timestamp | None = Field(description="When the next check is due.")
    last_new: str | None = Field(description="Title of the item that was found last.")
    last_new_at: Timestamp | None = Field(description="When it was found.")
    last_new_in: str | None = Field(description="The name of its subscription.")
    switches: list[SubscriptionSwitch] = Field(
        description="Those in `homeassistant.subscription_switches`, in their order."
    )
    problems: list[SubscriptionBrief] = Field(description="At most 20 of those that fail.")
    newest: list[FoundItem] = Field(description="At most 20 new items, the newest first.")


class SettingDetail(Frozen):
    """A runtime setting: its value, its limits, and the source of the value."""

    value: Any
    type: str = Field(description="JSON Schema type.")
    minimum: float | None
    maximum: float | None
    default: Any
    source: Literal["default", "file", "environment", "runtime"]
    description: str


class Info(Frozen):
    """Facts about the service that rarely change."""

    service: Literal["mediarip-mqtt"]
    version: str
    contract_version: int
    ytdlp: str = Field(description="Version of yt-dlp.")
    ffmpeg: str | None = Field(description="Version of ffmpeg; null if it is missing.")
    js_runtime: str | None = Field(
        description="Name and version of the JavaScript runtime; null if there is none."
    )
    plugins: list[str] = Field(description="yt-dlp plugins that are loaded.")
    python: str
    storage_root: str
    store: str = Field(description="Path of the store.")
    store_recovered: str | None = Field(
        description="How a damaged store was recovered; null if it was not damaged."
    )
    journal_mode: Literal["wal", "truncate", "delete"]
    filesystem: str = Field(description="Type of the volume's filesystem.")
    session_mode: Literal["shared", "isolated", "open"]
    commands: list[str]
    presets: list[str]
    settings: dict[str, SettingDetail]


class Presence(Frozen):
    """Services that share a base topic by mistake find each other by it."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["question", "online", "answer"] = Field(
        description="`question`: who is there? `online`: this service now is, and asks the same; "
        "`answer`: to either."
    )
    instance: str = Field(
        max_length=64, description="Id of the process that says it; a later start sorts behind."
    )
    to: str | None = Field(None, max_length=64, description="Whose question this answers.")
    node_id: str = Field(max_length=64)
    host: str = Field(max_length=255)
    storage_root: str = Field(max_length=4096)


class Ytdlp(Frozen):
    """The state of Home Assistant's update entity."""

    installed_version: str
    latest_version: str
    title: str
    release_url: str
    release_summary: str = Field(description="Result of the last update.")
    in_progress: bool
    update_percentage: int | None
