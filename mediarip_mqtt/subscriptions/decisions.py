"""What a reading of a list or feed changes: new items, and what it says anew of known ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from mediarip_mqtt.contract.subscription_models import (
    Backfill,
    ItemState,
    SubscriptionItem,
    SubscriptionOptions,
)
from mediarip_mqtt.engine.protocol import ListedItem
from mediarip_mqtt.subscriptions.filters import (
    LIVE,
    UPCOMING,
    Judgement,
    TitleMatch,
    facts_of,
    judge,
)

IMPORTED_PART: Final = "imported_part"  # the reason of items of which an import had the newest
BASELINE: Final = Judgement(ItemState.BASELINE)
PATIENCE: Final = 5  # readings in a row after which a list that has shrunk is believed
# A list may not tell when something begins or ends: then its page is read.
_LOOK_AGAIN: Final = {UPCOMING: timedelta(hours=24), LIVE: timedelta(hours=6)}
_FACTS: Final = ("url", "title", "duration", "published_at", "live_status", "availability")


@dataclass(frozen=True)
class Change:
    """New values of a known item."""

    item_key: str
    values: Mapping[str, Any]


def in_order(listed: Sequence[ListedItem]) -> list[ListedItem]:
    """Return items by publication, the newest first; in the list's order if it has no dates."""
    if all(item.published_at is not None for item in listed):
        return sorted(listed, key=lambda item: str(item.published_at), reverse=True)
    return list(listed)


def first_items(
    listed: Sequence[ListedItem],
    options: SubscriptionOptions,
    matches: TitleMatch,
    now: datetime,
) -> list[SubscriptionItem]:
    """Return the items of the first reading, newest first: some are wanted, others stay.

    Only as many are judged as are needed to find what `backfill` asks for: what is behind them
    stays where it is, also when the filters change.
    """
    left = _number_of(options.backfill, len(listed))
    items = []
    ordered = in_order(listed)
    for place, item in enumerate(ordered):
        judgement = judge(facts_of(item), options, matches) if left > 0 else BASELINE
        left -= judgement.wanted
        items.append(_item(item, judgement, len(ordered) - place, now))
    return items


def later_items(  # noqa: PLR0913 - a reading, and what is known
    listed: Sequence[ListedItem],
    known: Mapping[str, SubscriptionItem],
    options: SubscriptionOptions,
    matches: TitleMatch,
    now: datetime,
    *,
    newest_rank: int,
) -> list[SubscriptionItem]:
    """Return the items of a later reading that are not known yet, newest first."""
    new = in_order([item for item in listed if item.key not in known])
    return [
        _item(item, judge(facts_of(item), options, matches), newest_rank + len(new) - place, now)
        for place, item in enumerate(new)
    ]


def older_items(
    listed: Sequence[ListedItem], known: Collection[str], now: datetime
) -> list[SubscriptionItem]:
    """Return the items behind the last known one of a list whose newest items come first.

    They stay, as an import had only the newest ones.
    """
    places = [place for place, item in enumerate(listed) if item.key in known]
    behind = listed[max(places, default=-1) + 1 :]
    return [_item(item, BASELINE, -place, now) for place, item in enumerate(behind)]


def changes(
    listed: Sequence[ListedItem],
    known: Mapping[str, SubscriptionItem],
    options: SubscriptionOptions,
    matches: TitleMatch,
    now: datetime,
) -> list[Change]:
    """Return what a reading says anew of known items; those not decided yet are judged again."""
    changed = []
    for item in listed:
        before = known.get(item.key)
        if before is None:
            continue
        told = {name: getattr(item, name) for name in _FACTS}
        values = {
            name: value
            for name, value in told.items()
            if value is not None and value != getattr(before, name)
        }
        returned = before.state is ItemState.GONE
        if not values and not returned:
            continue
        after = before.model_copy(update=values)
        changed.append(Change(item.key, values | _judged_again(after, options, matches, now)))
    return changed


def judged_anew(
    items: Sequence[SubscriptionItem],
    options: SubscriptionOptions,
    matches: TitleMatch,
    now: datetime,
) -> list[Change]:
    """Return what changed filters change of items that are not decided yet."""
    found = [(item, _judged_again(item, options, matches, now)) for item in items]
    return [Change(item.item_key, values) for item, values in found if values]


def is_plausible(count: int, before: int | None, shrunk: int) -> bool:
    """Whether a whole list of ``count`` items may tell what has disappeared.

    An empty or halved one is a site's fault more often than a person's doing.
    """
    if count == 0:
        return False
    return before is None or count * 2 > before or shrunk >= PATIENCE


def _judged_again(
    item: SubscriptionItem, options: SubscriptionOptions, matches: TitleMatch, now: datetime
) -> dict[str, Any]:
    undecided = item.state in {ItemState.FILTERED, ItemState.WAITING, ItemState.GONE}
    if not undecided:
        return {}
    judgement = judge(facts_of(item), options, matches)
    keeps = item.state is ItemState.WAITING and item.reason not in {UPCOMING, LIVE}
    if keeps and judgement.wanted and judgement.reason not in {UPCOMING, LIVE}:
        return {}
    if (item.state, item.reason) == (judgement.state, judgement.reason):
        return {}
    return _values(judgement, now)


def _number_of(backfill: Backfill, count: int) -> int:
    return count if backfill == "all" else backfill


def _item(item: ListedItem, judgement: Judgement, rank: int, now: datetime) -> SubscriptionItem:
    return SubscriptionItem(
        item_key=item.key,
        rank=rank,
        first_seen_at=now,
        **_values(judgement, now),
        **{name: getattr(item, name) for name in _FACTS},
    )


def _values(judgement: Judgement, now: datetime) -> dict[str, Any]:
    wait = _LOOK_AGAIN.get(judgement.reason or "") if judgement.wanted else None
    return {
        "state": judgement.state,
        "reason": judgement.reason,
        "next_try_at": now + wait if wait else None,
    }
