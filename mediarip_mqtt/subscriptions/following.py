"""The use cases of subscriptions: each works in the caller's transaction, and none blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from mediarip_mqtt.contract import events, texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode, MediaripError
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import (
    FAILING,
    CheckMemory,
    ItemState,
    Subscription,
    SubscriptionItem,
    SubscriptionKind,
)
from mediarip_mqtt.contract.subscription_settings import MAX_OF_SESSION, MAX_SUBSCRIPTIONS
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.contract.urls import hide_logins, host_of, site_of
from mediarip_mqtt.engine.protocol import ListAnswer, ListedItem
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import SiteStop, Tx
from mediarip_mqtt.subscriptions import decisions, schedule
from mediarip_mqtt.subscriptions.filters import TitleMatch, facts_of_page, judge
from mediarip_mqtt.subscriptions.item_queue import ASKED, ItemQueue

TOLD_ITEMS: Final = 20  # in an event
NAME_LIMIT: Final = 200
MANY: Final = 20_000


@dataclass(frozen=True)
class Reading:
    """What a check has read: a feed, a list, or both; ``whole``: nothing of the list is missing.

    ``feed_failed``: the feed could not be read, so that the list was.
    """

    method: Literal["feed", "flat"]
    items: tuple[ListedItem, ...] = ()
    whole: bool = False
    feed_failed: bool = False
    etag: str | None = None
    last_modified: str | None = None
    answer: ListAnswer | None = None


@dataclass(frozen=True)
class Found:
    """What a first reading has found, newest first, and the subscription it made."""

    subscription: Subscription
    items: Sequence[SubscriptionItem]
    queued: int = 0


class Following:
    """Adds, checks, changes and removes subscriptions."""

    def __init__(
        self,
        jobs: Jobs,
        queue: ItemQueue,
        settings: Settings,
        matches: TitleMatch,
        clock: Callable[[], datetime],
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._settings = settings
        self._matches = matches
        self.clock = clock

    # A reading

    def preview(self, subscription: Subscription, reading: Reading) -> Found:
        """Return what a new subscription would do, without doing it."""
        named = _described(subscription, reading)
        items = decisions.first_items(reading.items, named, self._matches, named.created_at)
        return Found(named, items)

    def begin(
        self, tx: Tx, subscription: Subscription, reading: Reading, login: str | None = None
    ) -> Found:
        """Add a subscription whose list was read for the first time, unless it is there by now."""
        found = self.preview(subscription, reading)
        if known := tx.subscription_of_url(subscription.url, subscription.session_id):
            return Found(known, found.items)
        tx.insert_subscription(found.subscription, login=login)
        return self._take_first(tx, found.subscription, reading)

    def checked(self, tx: Tx, subscription_id: str, reading: Reading) -> None:
        """Take in what a check has read: items, jobs and the time of the next check."""
        subscription = tx.subscription(subscription_id)
        if subscription is None:
            return
        if subscription.check_method is None and not tx.newest_rank(subscription_id):
            named = _described(subscription, reading)
            columns = ("name", "kind", "extractor", "channel_id")
            values = {column: getattr(named, column) for column in columns}
            self._take_first(tx, tx.update_subscription(subscription_id, **values), reading)
            return
        if subscription.check_method is None:
            self._keep_older(tx, subscription, reading)
        new = self._take_items(tx, subscription, reading)
        self._note_absent(tx, subscription, reading)
        self._queue.fill(tx, subscription)
        fault("items-queued")
        self._succeeded(tx, subscription, reading)
        if new:
            self._tell_new(tx, subscription, new)

    def check_failed(self, tx: Tx, subscription_id: str, error: MediaripError) -> None:
        """Note that a check failed, and plan the next one later than usual."""
        subscription = tx.subscription(subscription_id)
        if subscription is None:
            return
        now, memory = self.clock(), tx.check_memory(subscription_id)
        if schedule.stops_site(error):
            self._stop_site(tx, subscription, now)
        is_gone = error.code is ErrorCode.NOT_FOUND
        not_found = memory.not_found + 1 if is_gone else 0
        since = (memory.not_found_since or now) if is_gone else None
        failures = subscription.failures + 1
        gives_up = schedule.gives_up(not_found, since, now)
        published = tx.publication_times(subscription_id, schedule.LAST_ITEMS)
        failed = tx.update_subscription(
            subscription_id,
            failures=failures,
            error_code=str(error.code),
            error_message=texts.clean(hide_logins(error.message), 500),
            not_found=not_found,
            not_found_since=since,
            last_checked_at=now,
            next_check_at=self._next_check(subscription, published, now, failures),
            enabled=subscription.enabled and not gives_up,
        )
        if failures == FAILING or gives_up:
            event = events.SubscriptionFailed(
                at=now,
                subscription_id=failed.id,
                name=failed.name,
                url=failed.url,
                error_code=failed.error_code or "",
                error_message=failed.error_message or "",
                enabled=failed.enabled,
            )
            tx.emit(event, failed.session_id)

    # Commands

    def add_unread(
        self, tx: Tx, subscription: Subscription, login: str | None = None
    ) -> Subscription:
        """Add a subscription whose list is read by its first check."""
        self.check_options(subscription)
        tx.insert_subscription(subscription, login=login)
        tx.changes.checks = True
        return subscription

    def change(self, tx: Tx, subscription: Subscription, values: Mapping[str, Any]) -> Subscription:
        """Change options; filters judge again what they have left out."""
        changed = tx.update_subscription(subscription.id, **values)
        self.check_options(changed)
        undecided = tx.items_in(
            subscription.id, (ItemState.FILTERED, ItemState.WAITING), limit=MANY
        )
        for change in decisions.judged_anew(undecided, changed, self._matches, self.clock()):
            tx.update_item(subscription.id, change.item_key, **change.values)
        self._queue.fill(tx, changed)
        if "interval" in values or (changed.enabled and not subscription.enabled):
            published = tx.publication_times(subscription.id, schedule.LAST_ITEMS)
            last = changed.last_checked_at or self.clock()
            planned = self._next_check(changed, published, last, changed.failures)
            tx.update_subscription(subscription.id, next_check_at=planned)
        if changed.enabled and not subscription.enabled:
            tx.update_subscription(subscription.id, not_found=0, not_found_since=None)
        tx.changes.checks = True
        return tx.subscription(subscription.id) or changed

    def check_options(self, subscription: Subscription) -> None:
        """Raise `CommandError` if a subscription's options can't be used."""
        self._queue.check(subscription)

    def check_room(self, tx: Tx, session_id: str) -> None:
        """Raise `CommandError` if a session can't follow anything more."""
        most, count = MAX_SUBSCRIPTIONS, tx.count_subscriptions()
        if count < most and self._jobs.scope(session_id) not in {None, ROOT_SESSION}:
            most, count = MAX_OF_SESSION, tx.count_subscriptions(session_id)
        if count >= most:
            raise CommandError(
                ErrorCode.TOO_MANY_SUBSCRIPTIONS,
                f"There are {most} subscriptions. `unsubscribe` from some.",
            )

    def check_all_now(self, tx: Tx, subscriptions: Sequence[Subscription], *, full: bool) -> None:
        """Have subscriptions checked next; ``full``: their lists, and the whole of them.

        Many spread, as after an outage.
        """
        now, count = self.clock(), len(subscriptions)
        values: dict[str, Any] = {"listed_at": None, "feed_again_at": None} if full else {}
        for each in subscriptions:
            planned = schedule.spread(count, each.id, now) if count > 1 else now
            tx.update_subscription(each.id, next_check_at=planned, **values)
        tx.changes.checks = True

    def remove(self, tx: Tx, subscription: Subscription, *, cancel: bool) -> int:
        """Delete a subscription; return how many of its waiting jobs were cancelled."""
        cancelled = 0
        if cancel:
            for item in tx.items_in(subscription.id, (ItemState.QUEUED,), limit=MANY):
                job = tx.job(item.job_id) if item.job_id else None
                if job is not None and job.subscription_id == subscription.id:
                    self._jobs.cancel(tx, job)
                    cancelled += 1
        tx.delete_subscription(subscription)
        return cancelled

    def get_item(self, tx: Tx, subscription: Subscription, item: SubscriptionItem) -> None:
        """Download an item that was left out, failed, expired or was ignored."""
        self._queue.get(tx, subscription, item)
        tx.touch_subscription(subscription)

    def ignore_item(self, tx: Tx, subscription: Subscription, item: SubscriptionItem) -> None:
        """Never download an item; its job is cancelled."""
        job = tx.job(item.job_id) if item.job_id else None
        if item.state is ItemState.QUEUED and job and job.subscription_id == subscription.id:
            self._jobs.cancel(tx, job)
        tx.update_item(
            subscription.id,
            item.item_key,
            state=ItemState.IGNORED,
            reason="ignored",
            next_try_at=None,
        )
        tx.touch_subscription(subscription)

    # Jobs

    def rejects(self, tx: Tx, job: Job, fields: Mapping[str, Any]) -> bool:
        """Delete a job whose page says that its item is not wanted; return whether it is."""
        items = tx.items_of_job(job.id) if job.subscription_id else []
        if not items:
            return False
        judged = []
        for subscription_id, item in items:
            subscription = tx.subscription(subscription_id)
            if subscription is None or item.state is not ItemState.QUEUED:
                return False
            verdict = judge(facts_of_page(fields, item.url), subscription, self._matches)
            if verdict.wanted or item.reason == ASKED:
                return False
            judged.append((subscription_id, item, verdict))
        for subscription_id, item, verdict in judged:
            tx.update_item(
                subscription_id, item.item_key, state=verdict.state, reason=verdict.reason
            )
        self._jobs.discard(tx, job)
        return True

    # Internal

    def _take_first(self, tx: Tx, subscription: Subscription, reading: Reading) -> Found:
        """Take in the first reading: all that is there is known, and what is wanted is queued."""
        # Found at its creation: what is new is newer.
        items = decisions.first_items(
            reading.items, subscription, self._matches, subscription.created_at
        )
        tx.insert_items(subscription.id, items)
        fault("items-known")
        queued = self._queue.fill(tx, subscription)
        fault("items-queued")
        self._succeeded(tx, subscription, reading)
        return Found(tx.subscription(subscription.id) or subscription, items, queued)

    def _take_items(
        self, tx: Tx, subscription: Subscription, reading: Reading
    ) -> list[SubscriptionItem]:
        """Add new items and changes of known ones; return the new ones that are wanted."""
        now = self.clock()
        known = tx.items_of_keys(subscription.id, [item.key for item in reading.items])
        for change in decisions.changes(reading.items, known, subscription, self._matches, now):
            tx.update_item(subscription.id, change.item_key, **change.values)
        new = decisions.later_items(
            reading.items,
            known,
            subscription,
            self._matches,
            now,
            newest_rank=tx.newest_rank(subscription.id),
        )
        tx.insert_items(subscription.id, new)
        fault("items-known")
        return [item for item in new if item.state is ItemState.WAITING]

    def _keep_older(self, tx: Tx, subscription: Subscription, reading: Reading) -> None:
        """Leave out what is older than the newest items that an import had."""
        newest = tx.items_in(subscription.id, limit=1)
        if newest and newest[0].reason == decisions.IMPORTED_PART:
            known = tx.item_keys(subscription.id)
            older = decisions.older_items(reading.items, known, subscription.created_at)
            tx.insert_items(subscription.id, older)

    def _note_absent(self, tx: Tx, subscription: Subscription, reading: Reading) -> None:
        # A feed and a search only have the newest.
        partial = subscription.kind in {SubscriptionKind.FEED, SubscriptionKind.SEARCH}
        if partial or not reading.whole:
            return
        memory = tx.check_memory(subscription.id)
        count = len(reading.items)
        if decisions.is_plausible(count, memory.listed_count, memory.shrunk):
            tx.note_absence(subscription.id, [item.key for item in reading.items], self.clock())
            tx.update_subscription(subscription.id, listed_count=count, shrunk=0)
        elif count:
            tx.update_subscription(subscription.id, shrunk=memory.shrunk + 1)

    def _succeeded(self, tx: Tx, subscription: Subscription, reading: Reading) -> None:
        """Note that a check succeeded, and plan the next one."""
        now = self.clock()
        if subscription.failures >= FAILING:
            told = {"subscription_id": subscription.id, "name": subscription.name}
            event = events.SubscriptionRecovered(at=now, url=subscription.url, **told)
            tx.emit(event, subscription.session_id)
        tx.forget_site_stop(self.site_of(subscription.url))
        published = tx.publication_times(subscription.id, schedule.LAST_ITEMS)
        values: dict[str, Any] = {
            "last_checked_at": now,
            "next_check_at": self._next_check(subscription, published, now, 0),
            "check_method": reading.method,
            "failures": 0,
            "not_found": 0,
            "not_found_since": None,
            "error_code": None,
            "error_message": None,
        }
        if reading.method == "feed":
            values |= {"etag": reading.etag, "last_modified": reading.last_modified}
        if reading.answer is not None:
            values |= {"listed_at": now, "feed_url": reading.answer.feed_url}
            if tx.check_memory(subscription.id).listed_count is None and reading.whole:
                values["listed_count"] = len(reading.items)
        if reading.feed_failed:
            # A feed's 404 or 5xx never means that something is gone: they fail for weeks.
            values |= {"feed_again_at": now + schedule.FEED_PAUSE, "etag": None}
            values |= {"last_modified": None}
        tx.update_subscription(subscription.id, **values)

    def _tell_new(
        self, tx: Tx, subscription: Subscription, new: Sequence[SubscriptionItem]
    ) -> None:
        now = self.clock()
        current = tx.items_of_keys(subscription.id, [item.item_key for item in new])
        # Some may have expired at once, by `keep_last`.
        wanted = (ItemState.WAITING, ItemState.QUEUED, ItemState.DONE)
        told = [item for item in current.values() if item.state in wanted]
        told.sort(key=lambda item: -item.rank)
        if not told:
            return
        last = texts.clean(told[0].title or told[0].url, NAME_LIMIT)
        tx.update_subscription(subscription.id, last_new=last, last_new_at=now)
        event = events.SubscriptionNew(
            at=now,
            subscription_id=subscription.id,
            name=subscription.name,
            url=subscription.url,
            count=len(told),
            items=tuple(_new_item(item) for item in told[:TOLD_ITEMS]),
        )
        tx.emit(event, subscription.session_id)

    def _stop_site(self, tx: Tx, subscription: Subscription, now: datetime) -> None:
        site = self.site_of(subscription.url)
        before = tx.site_stops().get(site)
        if before is not None and now < before.until:
            return  # by a check that had begun before
        stops = before.stops + 1 if before else 1
        tx.stop_site(SiteStop(site, stops, schedule.site_stop(stops, now)))

    def site_of(self, url: str) -> str:
        """Return the name of a URL's site, whose checks are paced together."""
        host = host_of(url) or ""
        return site_of(host, self._settings.downloads.sites) or host.removeprefix("www.")

    def _next_check(
        self,
        subscription: Subscription,
        published: Sequence[datetime],
        now: datetime,
        failures: int,
    ) -> datetime:
        hours = self._settings.subscriptions.hours
        return schedule.next_check(subscription, published, now, failures=failures, hours=hours)


def _described(subscription: Subscription, reading: Reading) -> Subscription:
    """Return a subscription with what its list says of itself."""
    answer = reading.answer
    if answer is None:
        return subscription
    title = texts.clean(hide_logins(answer.title or ""), NAME_LIMIT)
    return subscription.model_copy(
        update={
            "name": subscription.name or title or texts.clean(subscription.url, NAME_LIMIT),
            "kind": _kind(subscription.url, answer),
            "extractor": answer.extractor,
            "channel_id": answer.channel_id,
        }
    )


def _kind(url: str, answer: ListAnswer) -> SubscriptionKind:
    parts = urlsplit(url)
    if answer.feed_url == url:
        return SubscriptionKind.FEED
    if "search" in (answer.extractor or "").lower():
        return SubscriptionKind.SEARCH
    if "list" in parse_qs(parts.query) or "/playlist" in parts.path:
        return SubscriptionKind.PLAYLIST
    return SubscriptionKind.CHANNEL if answer.channel_id else SubscriptionKind.LIST


def _new_item(item: SubscriptionItem) -> events.NewItem:
    return events.NewItem(
        item_key=item.item_key,
        title=texts.clean(item.title, NAME_LIMIT) if item.title else None,
        url=item.url,
        state=item.state,
        job_id=item.job_id,
    )


def memory_of(tx: Tx, subscription_id: str) -> tuple[CheckMemory, frozenset[str], str | None]:
    """Return what a check needs: its memory, the known keys, and the login of the URL."""
    return (
        tx.check_memory(subscription_id),
        tx.item_keys(subscription_id),
        tx.subscription_login(subscription_id),
    )
