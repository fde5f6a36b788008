"""What has to happen from time to time: the lease's heartbeat, free space, old replies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from mediarip_mqtt import threads
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.store import Store, Tx, backup
from mediarip_mqtt.store.lease import HEARTBEAT, Lease
from mediarip_mqtt.volume.mounts import disk_usage

SPACE_INTERVAL: Final = 15  # seconds
CLOCK_INTERVAL: Final = 5.0
CLOCK_JUMP: Final = 3.0  # seconds
DAY: Final = 86400.0
PRIVACY_INTERVAL: Final = 20
GIVE_BACK_INTERVAL: Final = 10  # minutes
KEEP_REPLIES: Final = timedelta(days=14)  # and sessions without jobs

logger = logging.getLogger(__name__)


class Upkeep:
    """Runs the recurring work on a timer in memory."""

    def __init__(  # noqa: PLR0913 - the parts it looks after
        self,
        store: Store,
        lease: Lease,
        *,
        root: Path,
        min_free: int,
        clock: Callable[[], datetime],
        backups: tuple[float, int],
        lost: Callable[[], bool],
        space_changed: Callable[[], None],
        lost_lease: Callable[[], None],
        clock_set: Callable[[], None],
        retention: Retention,
    ) -> None:
        self._store = store
        self._lease = lease
        self._root = root
        self._min_free = min_free
        self._clock = clock
        self._backups = backups
        self._lost = lost
        self._space_changed = space_changed
        self._lost_lease = lost_lease
        self._clock_set = clock_set
        self._retention = retention
        self._scheduler = AsyncIOScheduler(
            # APScheduler's default grace of 1 s drops runs behind any stall.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600}
        )
        self.disk_free: int | None = None
        self.disk_total: int | None = None
        self.disk_low = False

    async def start(self) -> None:
        """Do everything once, and then again and again."""
        await self._measure()
        self._add(self._beat, "interval", seconds=HEARTBEAT)
        self._add(self._measure, "interval", seconds=SPACE_INTERVAL)
        self._add(self._forget, "interval", hours=1)
        self._add(_give_back, "interval", minutes=GIVE_BACK_INTERVAL)
        interval, _ = self._backups
        if interval:
            jitter = min(60, interval / 10)
            self._add(self._backup, "interval", seconds=interval, jitter=jitter)
            self._add(self._first_backup)
        purge = self._retention.settings
        if purge.enabled:
            self._add(self._purge, CronTrigger.from_crontab(purge.cron))
        if purge.privacy_mode:
            self._add(self._forget_jobs, "interval", seconds=PRIVACY_INTERVAL)
        self._scheduler.start()
        self._clock_watch = asyncio.create_task(self._watch_clock(), name="clock")

    def _add(self, work: Callable[[], Awaitable[None]], *trigger: Any, **named: Any) -> None:
        self._scheduler.add_job(_until_the_end, *trigger, args=[work], name=work.__name__, **named)

    def stop(self) -> None:
        """Do nothing more."""
        self._clock_watch.cancel()
        self._scheduler.shutdown(wait=False)

    async def _watch_clock(self) -> None:
        """Plan anew when the clock was set: what was planned by the old one would come late."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_INTERVAL)
            jump = time.time() - time.monotonic() - offset
            if abs(jump) > CLOCK_JUMP:
                logger.warning("the clock was set by %+.0f s", jump)
                offset += jump
                self._plan_anew(jump)
                await self._shift_retries(jump)
                self._clock_set()

    def _plan_anew(self, jump: float) -> None:
        for job in self._scheduler.get_jobs():
            if isinstance(job.trigger, IntervalTrigger):
                # A new one: the old one does not begin before its own start.
                length, jitter = job.trigger.interval_length, job.trigger.jitter
                job.reschedule(IntervalTrigger(seconds=length, jitter=jitter))
            elif abs(jump) > DAY:
                job.reschedule(job.trigger)
        self._scheduler.wakeup()  # what has a time of the day may have become due

    async def _shift_retries(self, seconds: float) -> None:
        """Let retries come as many seconds from now as before the clock was set."""
        try:
            await self._store.write(lambda tx: tx.shift_retries(timedelta(seconds=seconds)))
        except StoreError as error:
            logger.warning("store: the retries keep the old clock's times: %s", error)

    async def _first_backup(self) -> None:
        """Copy the store where the newest copy is older than the interval."""
        interval, _ = self._backups
        age = await threads.start(partial(backup.age, self._store.path), "store-copies")
        if age is None or age > interval:
            await self._backup()

    async def _backup(self) -> None:
        if self._lost():
            return
        try:
            copy = await self._store.backup(self._backups[1])
            logger.debug("store: copied to %s", copy)
        except (OSError, StoreError) as error:
            logger.warning("store: no copy was made: %s", error)

    async def _purge(self) -> None:
        await self._use_store(self._retention.purge, "purge: put off until the next time")

    async def _forget_jobs(self) -> None:
        await self._use_store(self._retention.forget, "privacy: put off for now")

    async def _use_store(self, work: Callable[[], Awaitable[None]], otherwise: str) -> None:
        if self._lost():
            return
        try:
            await work()
        except StoreError as error:
            logger.warning("%s: %s", otherwise, error)

    async def _beat(self) -> None:
        if self._lost():
            return
        try:
            if not await self._lease.renew(self._clock()):
                logger.error("store: another service took the store over; this one ends")
                self._lost_lease()
        except StoreError as error:
            logger.warning("store: the lease could not be renewed: %s", error)

    async def _measure(self) -> None:
        """Learn how much space there is; pause the queue below the floor."""
        if self._lost():
            return
        try:
            free, total = await threads.start(partial(disk_usage, self._root), "disk-usage")
        except OSError as error:
            logger.warning(
                "storage: the free space of %s is unknown: %s", self._root, error.strerror
            )
            return
        self.disk_free, self.disk_total = free, total
        await threads.start(self._store.reserve.renew, "reserve")
        low = bool(self._min_free) and free < self._min_free
        if low is self.disk_low:
            return
        self.disk_low = low
        logger.warning(
            "storage: %d bytes are free, storage.min_free is %d: the queue %s",
            free,
            self._min_free,
            "pauses" if low else "goes on",
        )
        if low:
            event = events.DiskLow(at=self._clock(), disk_free=free, min_free=self._min_free)
            try:
                await self._store.write(lambda tx: tx.emit(event))
            except StoreError as error:
                logger.warning("storage: the event could not be stored: %s", error)
        self._space_changed()

    async def _forget(self) -> None:
        if self._lost():
            return

        def forget(tx: Tx) -> None:
            tx.forget_requests(self._clock() - KEEP_REPLIES)
            tx.forget_sessions(self._clock() - KEEP_REPLIES)

        try:
            await self._store.write(forget)
        except StoreError as error:
            logger.warning("store: old replies could not be removed: %s", error)


async def _give_back() -> None:
    await threads.start(threads.give_back, "give-back")


async def _until_the_end(work: Callable[[], Awaitable[None]]) -> None:
    # APScheduler would log what the end of the service cancels as a failure, with a traceback.
    with contextlib.suppress(asyncio.CancelledError):
        await work()
