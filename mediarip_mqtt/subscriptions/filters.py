"""Which items of a subscription are wanted, by what a list or an item's own page says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from mediarip_mqtt.contract.subscription_models import (
    ItemState,
    SubscriptionItem,
    SubscriptionOptions,
)
from mediarip_mqtt.engine.protocol import ListedItem

# Whether a title matches a pattern: a glob, or a regular expression between slashes.
TitleMatch = Callable[[str, str], bool]

UPCOMING: Final = "upcoming"
LIVE: Final = "live"
QUEUE_AHEAD: Final = "queue_ahead"  # others of the subscription come first
_WAS_LIVE: Final = frozenset({"is_live", "was_live", "post_live"})
_FOR_MEMBERS: Final = frozenset({"subscriber_only", "premium_only"})


@dataclass(frozen=True)
class ItemFacts:
    """What is known of an item; None is unknown, which most lists leave much of."""

    title: str | None = None
    duration: float | None = None
    published_at: datetime | None = None
    live_status: str | None = None
    availability: str | None = None
    short: bool | None = None
    whole: bool = False  # its own page was read: nothing more will be known


@dataclass(frozen=True)
class Judgement:
    """What becomes of an item, and why."""

    state: ItemState
    reason: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is to be downloaded, now or later."""
        return self.state is ItemState.WAITING


WANTED: Final = Judgement(ItemState.WAITING, QUEUE_AHEAD)


def facts_of(item: ListedItem | SubscriptionItem) -> ItemFacts:
    """Return what a list says of an item."""
    return ItemFacts(
        title=item.title,
        duration=item.duration,
        published_at=item.published_at,
        live_status=item.live_status,
        availability=item.availability,
        short=True if is_short(item.url) else None,
    )


def facts_of_page(fields: Mapping[str, Any], url: str) -> ItemFacts:
    """Return what an item's own page says of it; ``fields`` are its data for templates."""
    published = fields.get("timestamp") or fields.get("release_timestamp")
    return ItemFacts(
        title=_text(fields.get("title")),
        duration=_number(fields.get("duration")),
        published_at=_time(published) or _day(fields.get("upload_date")),
        live_status=_text(fields.get("live_status")),
        availability=_text(fields.get("availability")),
        short=is_short(url) or fields.get("media_type") == "short",
        whole=True,
    )


def is_short(url: str) -> bool:
    """Whether a URL is that of a short video."""
    return "/shorts/" in urlsplit(url).path


def judge(facts: ItemFacts, options: SubscriptionOptions, matches: TitleMatch) -> Judgement:
    """Return whether an item is wanted, as far as is known."""
    if reason := _unwanted(facts, options, matches):
        return Judgement(ItemState.FILTERED, reason)
    if not facts.whole:  # a job handles this by itself
        if facts.live_status == "is_upcoming":
            return Judgement(ItemState.WAITING, UPCOMING)
        if facts.live_status == "is_live":
            return Judgement(ItemState.WAITING, LIVE)
    return WANTED


def _unwanted(facts: ItemFacts, options: SubscriptionOptions, matches: TitleMatch) -> str | None:
    """Return the name of the first option that an item does not fit."""
    title, duration = facts.title, facts.duration
    day = facts.published_at.astimezone(UTC).date() if facts.published_at else None
    unfit: dict[str, object] = {}
    if title is not None:
        match, exclude = options.title_match, options.title_exclude
        unfit["title_match"] = match and not matches(match, title)
        unfit["title_exclude"] = exclude and matches(exclude, title)
    if duration is not None:
        unfit["duration_min"] = options.duration_min and duration < options.duration_min
        unfit["duration_max"] = options.duration_max and duration > options.duration_max
    unfit["date_after"] = day and options.date_after and day < options.date_after
    # A stream or premiere that has not begun may become either.
    told = facts.live_status not in {None, "is_upcoming"}
    live = facts.live_status in _WAS_LIVE if told else None
    members = None if facts.availability is None else facts.availability in _FOR_MEMBERS
    for name, value in (("shorts", facts.short), ("live", live), ("members", members)):
        known_not = value is False or (value is None and facts.whole)
        wish = getattr(options, name)
        unfit[name] = (wish == "exclude" and value) or (wish == "only" and known_not)
    return next((name for name, is_unfit in unfit.items() if is_unfit), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _day(value: object) -> datetime | None:
    try:
        return datetime.strptime(str(value), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
