"""Imports subscriptions from elsewhere, with the items that are known there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import new_id
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import (
    ItemState,
    Subscription,
    SubscriptionItem,
    SubscriptionKind,
    option_values,
)
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.contract.urls import Target, check_url, hide_logins, read_target
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions import decisions, schedule
from mediarip_mqtt.subscriptions.following import Following
from mediarip_mqtt.subscriptions.subscription_records import KnownItem, SubscriptionRecord

PATIENCE: Final = timedelta(hours=6)  # for the next record of a subscription
_IMPORTED: Final = {False: "imported", True: decisions.IMPORTED_PART}  # reasons
MANY: Final = 1000  # checks that an import may make due together
# States that give way to `done`: the item has no job.
_OPEN: Final = frozenset({ItemState.BASELINE, ItemState.FILTERED, ItemState.WAITING})


class RecordResult(Frozen):
    """What became of a record."""

    url: str
    result: Literal["new", "known", "refused"]
    subscription_id: str | None = Field(None, description="Null with `dry_run`, and if refused.")
    items: int = Field(0, description="Items that are new to the store, or done now.")
    code: ErrorCode | None = Field(None, description="Why it was refused.")
    message: str | None = None


@dataclass(frozen=True)
class SubscriptionImport:
    """An import into one session."""

    following: Following
    settings: Settings
    session_id: str
    dry_run: bool = False

    def take(self, tx: Tx, records: Sequence[SubscriptionRecord]) -> list[RecordResult]:
        """Add what the store does not have; what is known keeps its options."""
        results = []
        for record in records:
            try:
                results.append(self._take(tx, record))
            except CommandError as error:
                url = hide_logins(record.url)
                results.append(
                    RecordResult(url=url, result="refused", code=error.code, message=error.message)
                )
        return results

    def _take(self, tx: Tx, record: SubscriptionRecord) -> RecordResult:
        target = read_target(record.url, self.settings.security)
        known = tx.subscription_of_url(target.url, self.session_id)
        subscription = known or self._new(record, target)
        if known is None:
            self.following.check_options(subscription)
            self.following.check_room(tx, self.session_id)
        stored = tx.items_of_keys(subscription.id, [item.item_key for item in record.items])
        count = sum(
            item.item_key not in stored or _changes(stored[item.item_key], item)
            for item in record.items
        )
        self._check_room(subscription, sum(item.item_key not in stored for item in record.items))
        if not self.dry_run:
            self._write(tx, record, subscription, target, stored, is_new=known is None)
        return RecordResult(
            url=target.url,
            result="new" if known is None else "known",
            subscription_id=None if self.dry_run and known is None else subscription.id,
            items=count,
        )

    def _check_room(self, subscription: Subscription, added: int) -> None:
        """Raise `CommandError` if an isolated session would fill the store with items."""
        if self.settings.session.mode != "isolated" or self.session_id == ROOT_SESSION:
            return
        limit = self.settings.session.session_stored_limit
        if added and sum(subscription.counts.values()) + added > limit:
            raise CommandError(
                ErrorCode.QUEUE_FULL,
                f"The subscription would have more than {limit} items, which is the limit "
                "session_stored_limit.",
            )

    def _write(  # noqa: PLR0913 - what `_take` has found out
        self,
        tx: Tx,
        record: SubscriptionRecord,
        subscription: Subscription,
        target: Target,
        stored: Mapping[str, SubscriptionItem],
        *,
        is_new: bool,
    ) -> None:
        now = self.following.clock()
        if is_new:
            tx.insert_subscription(subscription, login=target.login)
        # What is imported into a subscription that was checked is older than what it has found.
        imports = subscription.last_checked_at is None
        tx.insert_items(
            subscription.id,
            [
                self._item(
                    item,
                    subscription,
                    record.first_rank + place if imports else 0,
                    _IMPORTED[record.partial],
                )
                for place, item in enumerate(record.items)
                if item.item_key not in stored
            ],
        )
        for item in record.items:
            if item.item_key in stored and _changes(stored[item.item_key], item):
                tx.update_item(subscription.id, item.item_key, **_done(item, subscription))
        if imports and record.complete:
            planned = schedule.spread(MANY, subscription.id, now)
            tx.update_subscription(subscription.id, next_check_at=planned)
        tx.changes.checks = True

    def _new(self, record: SubscriptionRecord, target: Target) -> Subscription:
        now = self.following.clock()
        return Subscription(
            id=new_id(),
            session_id=self.session_id,
            name=record.name or texts.clean(target.url, 200),
            url=target.url,
            kind=_kind(target.url) if record.items else SubscriptionKind.LIST,
            created_at=now,
            # Not before all of its items are there: the others would be new.
            next_check_at=now + PATIENCE,
            **option_values(record),
        )

    def _item(
        self, item: KnownItem, subscription: Subscription, rank: int, reason: str
    ) -> SubscriptionItem:
        done = (item.done_at or subscription.created_at) if item.state == "done" else None
        return SubscriptionItem(
            item_key=item.item_key,
            rank=rank,
            url=self._url(item) or subscription.url,
            title=item.title,
            published_at=item.published_at,
            first_seen_at=subscription.created_at,
            state=ItemState(item.state),
            reason=reason,
            done_at=done,
        )

    def _url(self, item: KnownItem) -> str | None:
        """Return an item's URL, as `download` would take it; None if it would be refused."""
        if item.url is None:
            return None
        try:
            return check_url(item.url, self.settings.security)
        except CommandError:
            return None


def _changes(stored: SubscriptionItem, item: KnownItem) -> bool:
    return item.state == "done" and stored.state in _OPEN


def _done(item: KnownItem, subscription: Subscription) -> dict[str, Any]:
    return {
        "state": ItemState.DONE,
        "reason": _IMPORTED[False],
        "next_try_at": None,
        "done_at": item.done_at or subscription.created_at,
    }


def _kind(url: str) -> SubscriptionKind:
    """Return what a YouTube URL leads to; others are told by their list."""
    if "list=" in url or "/playlist" in url:
        return SubscriptionKind.PLAYLIST
    return SubscriptionKind.CHANNEL
