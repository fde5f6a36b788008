"""Retention of subscriptions without the library: removes old files, and remembers their items.

With the library, its retention acts on titles, by `Subscription.policy`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.models import TERMINAL, JobFile
from mediarip_mqtt.contract.subscription_models import ItemState, Subscription, SubscriptionItem
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import remove_owned

REMOVED: Final = "retention"

logger = logging.getLogger(__name__)


class Expiry:
    """Removes what subscriptions no longer keep; ``enabled``: the library does not do it."""

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        root: Path,
        clock: Callable[[], datetime],
        *,
        enabled: bool,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._root = root
        self._clock = clock
        self._enabled = enabled

    async def work(self) -> None:
        """Remove all that is not kept; raises `StoreError`."""
        if not self._enabled:
            return
        for subscription in await self._store.read(Tx.subscriptions_with_retention):
            beyond = await self._store.read(partial(self._beyond, subscription=subscription))
            for item in beyond:
                await self._expire(subscription, item)

    def _beyond(self, tx: Tx, subscription: Subscription) -> list[SubscriptionItem]:
        policy = subscription.policy
        before = None
        if policy.keep_days is not None:
            before = self._clock() - timedelta(days=policy.keep_days)
        if before is None and policy.keep_last is None:
            return []
        by_publication = policy.keep_days_by == "published"
        return tx.items_beyond(
            subscription.id,
            keep_last=policy.keep_last,
            done_before=None if by_publication else before,
            published_before=before if by_publication else None,
        )

    async def _expire(self, subscription: Subscription, item: SubscriptionItem) -> None:
        """Remove an item's files, then its job, and note that."""
        files = await self._store.read(partial(self._files, subscription.id, item))
        if files is None:
            return
        for file in files:
            try:
                await threads.call(remove_owned, self._root, file)
            except OSError as error:
                logger.warning(
                    "subscription %s: %s can't be removed: %s",
                    subscription.name,
                    file.filename,
                    error.strerror,
                )
                return
        await self._store.write(partial(self._forget, subscription.id, item))

    @staticmethod
    def _files(subscription_id: str, item: SubscriptionItem, tx: Tx) -> list[JobFile] | None:
        """Return the files to remove; None if the item stays: it is kept, or of another job."""
        job = tx.job(item.job_id) if item.job_id else None
        if job is None:
            return []  # its history was purged
        theirs = job.subscription_id != subscription_id or job.status not in TERMINAL
        if theirs or tx.is_kept(job.id):
            return None
        return tx.owned_files([job.id], titles=False)

    def _forget(self, subscription_id: str, item: SubscriptionItem, tx: Tx) -> None:
        job = tx.job(item.job_id) if item.job_id else None
        if job is not None and job.status in TERMINAL:
            self._jobs.delete(tx, job)
        tx.update_item(subscription_id, item.item_key, state=ItemState.EXPIRED, reason=REMOVED)
        if subscription := tx.subscription(subscription_id):
            tx.touch_subscription(subscription)
