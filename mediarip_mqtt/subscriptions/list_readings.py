"""Reads the feed or list of a subscription in a thread, with a limit of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.subscription_models import CheckMemory, Subscription, SubscriptionKind
from mediarip_mqtt.contract.urls import origin_of
from mediarip_mqtt.engine.protocol import (
    Control,
    FeedAnswer,
    ListAnswer,
    ListedItem,
    ListReader,
    Task,
)
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.jobs.work_threads import WorkThreads
from mediarip_mqtt.subscriptions import schedule
from mediarip_mqtt.subscriptions.following import Reading

T = TypeVar("T")
READ_TIME: Final = 600.0  # seconds
LIST_LIMIT: Final = 10_000  # items
KNOWN_IN_A_ROW: Final = 20  # that end the reading of a channel
_NEWEST_FIRST: Final = frozenset({SubscriptionKind.CHANNEL, SubscriptionKind.SEARCH})


class ListReadings:
    """Chooses between feed and list, and reads."""

    def __init__(
        self,
        reader: ListReader,
        control: Callable[[], Control],
        temp: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._control = control
        self._temp = temp
        self._clock = clock
        self._threads = WorkThreads(lambda _: None)

    async def first(self, subscription: Subscription, login: str | None) -> Reading:
        """Read the whole list; raises `DownloadError`."""
        return _of_list(await self._list(subscription, login, lambda _: False))

    async def next(
        self,
        subscription: Subscription,
        memory: CheckMemory,
        known: frozenset[str],
        login: str | None,
    ) -> Reading:
        """Read what may be new; raises `DownloadError`."""
        if memory.listed_at is None and not known:
            return await self.first(subscription, login)
        is_feed = subscription.kind is SubscriptionKind.FEED
        failed = False
        if memory.feed_url and (is_feed or not schedule.reads_list(memory, self._clock())):
            answer = await self._feed(subscription, memory, memory.feed_url, login)
            if answer.error is not None and (is_feed or schedule.stops_site(answer.error)):
                raise answer.error
            failed = answer.status == "failed"
            # If none of them is known, there may be more than the feed has.
            if is_feed or (not failed and not _all_new(answer, known)):
                return Reading(
                    "feed",
                    answer.items,
                    etag=answer.etag,
                    last_modified=answer.last_modified,
                )
        is_short = subscription.kind is SubscriptionKind.SEARCH and memory.listed_at is not None
        whole = schedule.reads_whole(memory, subscription.id, self._clock()) and not is_short
        whole |= subscription.kind not in _NEWEST_FIRST
        stop = (lambda _: False) if whole else _after_known(known)
        return replace(_of_list(await self._list(subscription, login, stop)), feed_failed=failed)

    async def _feed(
        self, subscription: Subscription, memory: CheckMemory, url: str, login: str | None
    ) -> FeedAnswer:
        same = origin_of(url) == origin_of(subscription.url)
        slot, task = self._slot(subscription, url, login if same else None)
        return await self._run(
            slot,
            lambda: self._reader.read_feed(task, slot.control, memory.etag, memory.last_modified),
        )

    async def _list(
        self, subscription: Subscription, login: str | None, stop: Callable[[ListedItem], bool]
    ) -> ListAnswer:
        slot, task = self._slot(subscription, subscription.url, login)
        return await self._run(slot, lambda: self._reader.read_list(task, slot.control, stop))

    def _slot(self, subscription: Subscription, url: str, login: str | None) -> tuple[Slot, Task]:
        job = Job(
            id=f"check-{subscription.id}",
            session_id=subscription.session_id,
            url=url,
            created_at=self._clock(),
        )
        task = Task(
            job_id=job.id,
            url=url,
            temp_dir=self._temp,
            playlist_limit=LIST_LIMIT,
            session_id=subscription.session_id,
            login=login,
        )
        return Slot(job, self._control(), ahead=True), task

    async def _run(self, slot: Slot, function: Callable[[], T]) -> T:
        timer = asyncio.get_running_loop().call_later(READ_TIME, slot.stop)
        try:
            return await self._threads.run(slot, function)
        except Stopped:
            text = f"The list was not read within {READ_TIME:.0f} s. It is read again later."
            raise DownloadError(ErrorCode.TIMEOUT, text, transient=True) from None
        finally:
            timer.cancel()
            slot.control.stop()  # also if this task was cancelled


def _of_list(answer: ListAnswer) -> Reading:
    return Reading("flat", answer.items, whole=answer.whole, answer=answer)


def _all_new(answer: FeedAnswer, known: frozenset[str]) -> bool:
    return bool(answer.items) and not any(item.key in known for item in answer.items)


def _after_known(known: frozenset[str]) -> Callable[[ListedItem], bool]:
    """Return the `stop` of a list whose newest items come first."""
    in_a_row = 0

    def stop(item: ListedItem) -> bool:
        nonlocal in_a_row
        in_a_row = in_a_row + 1 if item.key in known else 0
        return in_a_row >= KNOWN_IN_A_ROW

    return stop
