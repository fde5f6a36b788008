"""When a subscription is checked next. Pure functions: the time is a parameter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from mediarip_mqtt.contract.errors import ErrorCode, MediaripError
from mediarip_mqtt.contract.subscription_models import MIN_INTERVAL, CheckMemory, Subscription

SHORTEST: Final = timedelta(seconds=MIN_INTERVAL)
SHORTEST_AUTO: Final = timedelta(minutes=30)
LONGEST_AUTO: Final = timedelta(hours=24)
LONGEST_BACKOFF: Final = timedelta(hours=24)
LIST_INTERVAL: Final = timedelta(hours=24)  # between two readings of the list, beside its feed
FEED_PAUSE: Final = timedelta(hours=24)  # after a feed failed
SPREAD: Final = timedelta(minutes=10)  # after an outage
SPREAD_STEP: Final = timedelta(seconds=20)
JITTER: Final = 0.2
LAST_ITEMS: Final = 10
SITE_HOURS: Final = (1, 2, 4, 8, 16, 24)
NOT_FOUND_COUNT: Final = 10
NOT_FOUND_TIME: Final = timedelta(days=7)
_BOT_CHECK: Final = re.compile(r"\b(?:ro)?bot\b|captcha", re.IGNORECASE)


def fraction(*parts: str) -> float:
    """Return a number from 0 to 1 that depends on the texts only."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def usual_interval(subscription: Subscription, published: Sequence[datetime]) -> timedelta:
    """Return the time between two checks; ``published`` is of the newest items, newest first.

    `auto` is a quarter of the median gap between them.
    """
    if subscription.interval != "auto":
        return max(SHORTEST, timedelta(seconds=subscription.interval))
    newest = published[:LAST_ITEMS]
    gaps = [(newer - older).total_seconds() for newer, older in pairwise(newest)]
    if not gaps:
        return LONGEST_AUTO / 4
    return min(LONGEST_AUTO, max(SHORTEST_AUTO, timedelta(seconds=median(gaps) / 4)))


def next_check(
    subscription: Subscription,
    published: Sequence[datetime],
    now: datetime,
    *,
    failures: int = 0,
    hours: str = "",
) -> datetime:
    """Return when to check next; each failure in a row doubles the interval, up to a day."""
    interval = usual_interval(subscription, published)
    if failures:
        doubled = interval * 2 ** min(failures, 10)
        interval = max(interval, min(doubled, LONGEST_BACKOFF))
    shift = 2 * fraction(subscription.id, now.date().isoformat()) - 1
    planned = now + max(SHORTEST, interval * (1 + JITTER * shift))
    return within_hours(planned, hours, fraction(subscription.id))


def within_hours(moment: datetime, hours: str, share: float) -> datetime:
    """Return the moment, or if it is outside the daily hours a later one inside.

    ``share`` is 0 to 1: checks that wait for the hours spread over the first half of them.
    """
    if not hours:
        return moment
    begin, end = (time.fromisoformat(text) for text in hours.split("-"))
    local = moment.astimezone()
    clock = local.time()
    if begin <= clock < end if begin <= end else clock >= begin or clock < end:
        return moment
    opening = datetime.combine(local.date(), begin).astimezone()
    if opening <= local:
        opening = datetime.combine(local.date() + timedelta(days=1), begin).astimezone()
    minutes = (end.hour - begin.hour) * 60 + end.minute - begin.minute
    length = timedelta(minutes=minutes % (24 * 60))
    return (opening + length / 2 * share).astimezone(UTC)


def spread(count: int, subscription_id: str, now: datetime) -> datetime:
    """Return when one of ``count`` checks begins that an outage has made due together."""
    span = min(SPREAD, SPREAD_STEP * count)
    return now + span * fraction(subscription_id, now.isoformat())


def reads_list(memory: CheckMemory, now: datetime) -> bool:
    """Whether the list is read, and not only the feed, which has 15 entries."""
    if memory.feed_url is None or memory.listed_at is None:
        return True
    if memory.feed_again_at is not None and memory.feed_again_at > now:
        return True
    return not timedelta(0) <= now - memory.listed_at < LIST_INTERVAL


def reads_whole(memory: CheckMemory, subscription_id: str, now: datetime) -> bool:
    """Whether a list whose newest items come first is read to its end, as it is once a week.

    What a site had left out for a while would never be found otherwise.
    """
    if memory.listed_at is None:
        return True
    day = int(7 * fraction(subscription_id))
    return now.toordinal() % 7 == day and memory.listed_at.date() != now.date()


def stops_site(error: MediaripError) -> bool:
    """Whether an error is about all of a site's checks: too many requests, or a bot check."""
    if error.code is ErrorCode.RATE_LIMITED:
        return True
    asks = error.code in {ErrorCode.LOGIN_REQUIRED, ErrorCode.FORBIDDEN_BY_SITE}
    return asks and _BOT_CHECK.search(error.message) is not None


def site_stop(stops: int, now: datetime) -> datetime:
    """Return until when a site's checks stop; ``stops`` counts those in a row, from 1."""
    hours = SITE_HOURS[min(stops, len(SITE_HOURS)) - 1]
    return now + timedelta(hours=hours)


def gives_up(not_found: int, since: datetime | None, now: datetime) -> bool:
    """Whether a source that is not found is no longer checked."""
    return not_found >= NOT_FOUND_COUNT and since is not None and now - since >= NOT_FOUND_TIME
