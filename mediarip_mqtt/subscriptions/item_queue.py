"""Makes jobs of items: few of each subscription at once, in order, and failed ones again later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.content import Classification
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobStatus, Priority
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import (
    ItemState,
    Subscription,
    SubscriptionItem,
    SubscriptionKind,
)
from mediarip_mqtt.contract.urls import origin_of
from mediarip_mqtt.engine.list_items import listed
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions.filters import QUEUE_AHEAD
from mediarip_mqtt.volume import names

TRIED_AT_ONCE: Final = 100
ASKED: Final = "asked"  # by a person: no filter counts
REUSED: Final = {JobStatus.COMPLETED: ItemState.DONE, JobStatus.REVIEW: ItemState.DONE}


class ItemQueue:
    """Puts items into the queue of jobs; every method works in the caller's transaction."""

    def __init__(
        self,
        jobs: Jobs,
        settings: Settings,
        preferences: Preferences,
        clock: Callable[[], datetime],
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._preferences = preferences
        self._clock = clock

    def check(self, subscription: Subscription) -> None:
        """Raise `CommandError` if a subscription's options would fail each job."""
        options = self._options(subscription)
        if options.output_template:
            names.check_template(options.output_template)
        presets.check(options, self._settings.downloads)

    def fill(self, tx: Tx, subscription: Subscription) -> int:
        """Queue the next items of a subscription, as many as may wait; return how many."""
        self.give_up_old(tx, subscription)
        if not subscription.enabled:
            return 0
        room = self._room(tx, subscription.id)
        waiting = tx.items_waiting_for(
            subscription.id, QUEUE_AHEAD, room, oldest_first=subscription.sort == "oldest"
        )
        for number, item in enumerate(waiting):
            if not self._add(tx, subscription, item):
                return number
        return len(waiting)

    def fill_all(self, tx: Tx) -> None:
        """Queue what is due: items that are tried again, then those that waited for others."""
        # The next check of a subscription whose options can't be used any more tells why.
        for subscription_id, item in tx.items_to_try(self._clock(), TRIED_AT_ONCE):
            if subscription := tx.subscription(subscription_id):
                with suppress(CommandError), tx.savepoint():
                    self._try_again(tx, subscription, item)
        for subscription_id in tx.subscriptions_with_room(self._settings.subscriptions.queue_ahead):
            if subscription := tx.subscription(subscription_id):
                with suppress(CommandError), tx.savepoint():
                    self.fill(tx, subscription)

    def work_waits(self, tx: Tx) -> bool:
        """Whether `fill_all` would do something."""
        ahead = self._settings.subscriptions.queue_ahead
        if tx.items_to_try(self._clock(), 1):
            return True
        return any(
            tx.items_waiting_for(subscription_id, QUEUE_AHEAD, 1, oldest_first=False)
            for subscription_id in tx.subscriptions_with_room(ahead)
        )

    def get(self, tx: Tx, subscription: Subscription, item: SubscriptionItem) -> None:
        """Queue an item that a person wants, whatever its state is."""
        if item.state not in {ItemState.QUEUED, ItemState.DONE}:
            self._add(tx, subscription, item, asked=True)

    def give_up_old(self, tx: Tx, subscription: Subscription) -> None:
        """Expire waiting items that retention would remove at once."""
        if subscription.keep_last is not None:
            tx.expire_older(subscription.id, subscription.keep_last)
        if subscription.keep_days is not None and subscription.keep_days_by == "published":
            limit = self._clock() - timedelta(days=subscription.keep_days)
            tx.expire_before(subscription.id, limit)

    def _room(self, tx: Tx, subscription_id: str) -> int:
        queued = tx.count_items(subscription_id, ItemState.QUEUED)
        return max(0, self._settings.subscriptions.queue_ahead - queued)

    def _try_again(self, tx: Tx, subscription: Subscription, item: SubscriptionItem) -> None:
        if item.state is ItemState.WAITING:  # upcoming or live when it was listed
            tx.update_item(subscription.id, item.item_key, reason=QUEUE_AHEAD, next_try_at=None)
            return
        if item.state is not ItemState.FAILED:
            tx.update_item(subscription.id, item.item_key, next_try_at=None)
            return
        if not self._room(tx, subscription.id):
            return
        job = tx.job(item.job_id) if item.job_id else None
        if job is not None and job.status is JobStatus.FAILED:
            self._jobs.retry(tx, job)  # its item follows it
        else:
            self._add(tx, subscription, item)

    def _add(
        self, tx: Tx, subscription: Subscription, item: SubscriptionItem, *, asked: bool = False
    ) -> bool:
        """Add an item's job; return False if the queue is full."""
        login = tx.subscription_login(subscription.id)
        if origin_of(item.url) != origin_of(subscription.url):
            login = None
        try:
            job = self._jobs.add(
                tx,
                item.url,
                self._options(subscription),
                session_id=subscription.session_id,
                priority=self._priority(subscription, item),
                category=subscription.wanted.category,
                tags=subscription.wanted.tags,
                reuse=True,
                login=login,
                subscription_id=subscription.id,
            )
        except CommandError as error:
            if error.code is not ErrorCode.QUEUE_FULL or asked:
                raise
            return False
        job = self._told_by_list(tx, job, subscription, item)
        tx.update_item(
            subscription.id,
            item.item_key,
            state=REUSED.get(job.status, ItemState.QUEUED),
            reason=ASKED if asked else None,
            job_id=job.id,
            next_try_at=None,
            done_at=job.completed_at,
        )
        return True

    def _told_by_list(
        self, tx: Tx, job: Job, subscription: Subscription, item: SubscriptionItem
    ) -> Job:
        """Keep what the list says of the item, and show it until its page is read."""
        if job.subscription_id == subscription.id and tx.entry(job.id) is None:
            of_feed = subscription.kind is SubscriptionKind.FEED
            entry = listed(item, subscription.name, of_feed=of_feed)
            tx.save_entry(job.id, entry.model_dump_json())
        told = {"title": item.title, "duration": item.duration}
        values = {name: value for name, value in told.items() if value is not None}
        return tx.update(job.id, **values) if values and job.title is None else job

    @staticmethod
    def _priority(subscription: Subscription, item: SubscriptionItem) -> Priority:
        was_there = item.first_seen_at <= subscription.created_at
        return Priority.LOW if was_there else subscription.wanted.priority

    def _options(self, subscription: Subscription) -> DownloadOptions:
        preferences = self._preferences
        options = presets.with_defaults(
            subscription.wanted,
            self._settings.downloads,
            preferences.default_preset,
            preferences.default_quality,
        )
        folder = names.check_folder(options.folder) if options.folder else None
        told = subscription.library
        library = Classification(**told.model_dump()) if told is not None else options.library
        return options.model_copy(update={"folder": folder, "library": library})
