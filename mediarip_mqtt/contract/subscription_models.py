"""Subscriptions: what is followed, what is wanted of it, and the items that were seen there."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.models import Priority, Timestamp
from mediarip_mqtt.contract.title_patterns import TitlePattern

MIN_INTERVAL: Final = 900  # seconds
MAX_INTERVAL: Final = 30 * 86400
MAX_BACKFILL: Final = 10_000
FAILING: Final = 3  # failures in a row after which it is told


class ItemState(StrEnum):
    """The state of an item of a subscription."""

    BASELINE = "baseline"  # was there before the subscription, and stays
    FILTERED = "filtered"  # not wanted; `reason` says why. Judged anew if the filters change
    WAITING = "waiting"  # wanted later: not there yet, live, or others come first
    QUEUED = "queued"  # its job has not ended
    DONE = "done"  # downloaded
    FAILED = "failed"  # tried again at `next_try_at`; without it, given up
    EXPIRED = "expired"  # removed by retention, or older than what retention keeps
    IGNORED = "ignored"  # a person cancelled or deleted it
    GONE = "gone"  # disappeared before it was downloaded


class SubscriptionKind(StrEnum):
    """What a subscription follows."""

    CHANNEL = "channel"
    PLAYLIST = "playlist"
    FEED = "feed"
    SEARCH = "search"
    LIST = "list"  # any other page with items


Presence = Literal["include", "exclude", "only"]
Interval = Annotated[int, Field(ge=MIN_INTERVAL, le=MAX_INTERVAL)] | Literal["auto"]
Backfill = Annotated[int, Field(ge=0, le=MAX_BACKFILL)] | Literal["all"]


def _as_list(value: object) -> object:
    """Take a single text or number as a list of one."""
    return (value,) if isinstance(value, str | int | float) else value


class WantedDownload(DownloadOptions):
    """How the items are downloaded: options of `download`; those left out have its defaults."""

    # It is sent and taken: one schema serves both.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    # None: the preset's media type.
    media_type: MediaType | None = Field(None, description="`video` or `audio`.")  # type: ignore[assignment]
    priority: Priority = Field(Priority.NORMAL, description="Of new items; older ones are `low`.")
    category: texts.Line | None = Field(None, description="A category of your own.")
    tags: Annotated[tuple[texts.Line, ...], BeforeValidator(_as_list)] = Field(
        (), max_length=20, description="Tags of your own."
    )


class SubscriptionLibrary(Frozen):
    """What the items are, for the library."""

    # It is sent and taken: one schema serves both.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    content_type: ContentType | None = Field(None, description="What they are.")
    show: texts.Line | None = Field(None, description="The show, podcast, or album artist.")
    numbering: Numbering | None = Field(None, description="How its episodes are numbered.")


class SubscriptionOptions(Frozen):
    """What is wanted of a subscription, and how long it is kept."""

    enabled: bool = Field(default=True, description="`false` pauses its checks.")
    interval: Interval = Field(
        "auto",
        description="Seconds between two checks, at least 900; `auto`: by how often new items "
        "come, 30 minutes to 24 hours.",
    )
    backfill: Backfill = Field(
        0,
        description="How many of the items that are there now are wanted: a number, or `all`.",
    )
    sort: Literal["newest", "oldest"] = Field("newest", description="Which item comes first.")
    title_match: TitlePattern | None = Field(
        None,
        description="Only items with such a title: a part of it, a pattern with `*` and `?`, or "
        "a regular expression between slashes.",
    )
    title_exclude: TitlePattern | None = Field(
        None, description="No items with such a title; as `title_match`."
    )
    duration_min: int | None = Field(None, ge=1, le=10**6, description="Seconds, at least.")
    duration_max: int | None = Field(None, ge=1, le=10**6, description="Seconds, at most.")
    date_after: date | None = Field(
        None, description="Only items published on this day or later: `2026-01-31`."
    )
    shorts: Presence = Field("include", description="Short vertical videos of YouTube.")
    live: Presence = Field("include", description="What is or was a live stream.")
    members: Presence = Field("exclude", description="What only members of a channel get.")
    wanted: WantedDownload = Field(
        default_factory=WantedDownload, description="Options of `download` for the items."
    )
    library: SubscriptionLibrary | None = Field(
        None,
        description="What the items are: `content_type`, `show`, `numbering`.",
    )
    keep_last: int | None = Field(
        None, ge=1, le=10_000, description="Keep the newest; no older one is downloaded either."
    )
    keep_days: int | None = Field(
        None, ge=1, le=36_500, description="Days after which a file is removed or archived."
    )
    keep_days_by: Literal["downloaded", "published"] = Field(
        "downloaded", description="From when these days count."
    )
    after_watched_days: int | None = Field(
        None, ge=1, le=36_500, description="Days after it was watched; needs the library."
    )
    on_removed: Literal["keep", "archive"] = Field(
        "keep",
        description="What happens to the file of an item that disappears from the source; "
        "`archive` needs the library.",
    )


class SubscriptionPolicy(Frozen):
    """Which downloaded items of a subscription are kept; null: no limit."""

    keep_last: int | None
    keep_days: int | None
    keep_days_by: Literal["downloaded", "published"]
    after_watched_days: int | None


class SubscriptionHead(Frozen):
    """The first keys of a subscription: pydantic serializes the last base class first."""

    id: str
    session_id: str
    name: str
    url: str
    kind: SubscriptionKind = SubscriptionKind.LIST


class Subscription(SubscriptionOptions, SubscriptionHead):
    """A subscription as the store holds it and ``subscription/<id>/state`` publishes it."""

    extractor: str | None = Field(None, description="yt-dlp's name of the site.")
    channel_id: str | None = None
    declared: str | None = Field(
        None, description="Its name in the configuration file, which alone changes it."
    )
    check_method: Literal["feed", "flat"] | None = Field(
        None, description="How it was checked last: by its feed, or by reading its list."
    )
    last_checked_at: Timestamp | None = None
    next_check_at: Timestamp | None = None
    last_new: str | None = Field(None, description="Title of the newest item that was found.")
    last_new_at: Timestamp | None = Field(None, description="When it was found.")
    failures: int = Field(0, description="Checks in a row that failed.")
    error_code: str | None = None
    error_message: str | None = Field(None, description="For people: why the last check failed.")
    created_at: Timestamp
    counts: dict[ItemState, int] = Field(
        default_factory=dict, description="How many items have which state."
    )

    @property
    def policy(self) -> SubscriptionPolicy:
        """Return what retention keeps of it."""
        fields = SubscriptionPolicy.model_fields
        return SubscriptionPolicy(**{name: getattr(self, name) for name in fields})


class CheckMemory(Frozen):
    """What the next check of a subscription needs to know of earlier ones."""

    feed_url: str | None = None
    feed_again_at: Timestamp | None = None
    etag: str | None = None
    last_modified: str | None = None
    listed_at: Timestamp | None = None
    listed_count: int | None = None
    shrunk: int = 0
    not_found: int = 0
    not_found_since: Timestamp | None = None


class SubscriptionItem(Frozen):
    """An item of a subscription; ``item_key`` is yt-dlp's archive id, else the feed's guid."""

    item_key: str
    rank: int = Field(description="Grows with newness.")
    url: str
    title: str | None = None
    duration: float | None = None
    published_at: Timestamp | None = None
    live_status: str | None = None
    availability: str | None = None
    first_seen_at: Timestamp
    gone_at: Timestamp | None = Field(None, description="When it had disappeared.")
    state: ItemState
    reason: str | None = Field(None, description="Why it has this state.")
    job_id: str | None = None
    attempts: int = 0
    next_try_at: Timestamp | None = None
    done_at: Timestamp | None = None


def option_values(options: SubscriptionOptions) -> dict[str, Any]:
    """Return the options by name, as another model of a subscription takes them."""
    return {name: getattr(options, name) for name in SubscriptionOptions.model_fields}
