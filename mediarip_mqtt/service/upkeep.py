"""Recurring work: the lease, free space, backups, retention, the library, old replies, memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.settings import StorageSettings
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.library import caretaker
from mediarip_mqtt.library.caretaker import Caretaker
from mediarip_mqtt.service import free_space
from mediarip_mqtt.service.free_space import FreeSpace
from mediarip_mqtt.service.logs import warn_instead
from mediarip_mqtt.service.recurring import DAY, CronWork, Work, call, repeat
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.store import Tx, backup
from mediarip_mqtt.store.lease import HEARTBEAT

FORGET_INTERVAL: Final = 3600.0  # seconds
PRIVACY_INTERVAL: Final = 20.0  # seconds
MEMORY_INTERVAL: Final = 600.0  # seconds
KEEP_REPLIES: Final = timedelta(days=14)  # also for sessions without jobs

logger = logging.getLogger(__name__)


class Upkeep:
    """Runs the recurring work; while the volume is lost, work that needs it is skipped.

    ``library`` is None where that is off. ``lost_lease`` is called when another service took the
    store over.
    """

    def __init__(  # noqa: PLR0913 - the parts it looks after
        self,
        storage: Storage,
        settings: StorageSettings,
        retention: Retention,
        space: FreeSpace,
        *,
        library: Caretaker | None = None,
        lost_lease: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._store = storage.store
        self._settings = settings
        self._retention = retention
        self._space = space
        self._library = library
        self._lost_lease = lost_lease
        self._clock = clock
        self._purging = CronWork(
            "purge", self._unless_lost(self.purge), retention.settings.cron, clock
        )

    async def run(self) -> None:
        """Start one task for each piece of work; run until cancelled."""
        purge, backups = self._retention.settings, self._settings.backup_interval
        async with asyncio.TaskGroup() as group:

            def every(seconds: float, name: str, work: Work, *, jitter: float = 0.0) -> None:
                repeated = repeat(name, work, seconds, jitter=jitter)
                group.create_task(repeated, name=f"upkeep: {name}")

            every(HEARTBEAT, "lease", self._unless_lost(self.renew_lease))
            every(free_space.INTERVAL, "free space", self._unless_lost(self._space.measure))
            every(FORGET_INTERVAL, "old replies", self._unless_lost(self.forget_replies))
            every(MEMORY_INTERVAL, "memory", give_memory_back)
            if purge.privacy_mode:
                every(PRIVACY_INTERVAL, "privacy", self._unless_lost(self.forget_jobs))
            if backups:
                make = self._unless_lost(self.make_backup)
                every(backups, "backup", make, jitter=min(60.0, backups / 10))
                group.create_task(
                    call("first backup", self._unless_lost(self.first_backup)),
                    name="upkeep: first backup",
                )
            if self._library is not None:
                look = self._unless_lost(self._library.look_after)
                group.create_task(_daily("library", look), name="upkeep: library")
            if purge.enabled:
                group.create_task(self._purging.run(), name="upkeep: purge")

    def clock_was_set(self, jump: float) -> None:
        """Have the purge check its due time again; ``jump`` is in seconds."""
        self._purging.clock_was_set(jump)

    def _unless_lost(self, work: Work) -> Work:
        async def guarded() -> None:
            if not self._storage.lost:
                await work()

        return guarded

    async def renew_lease(self) -> None:
        """Write the heartbeat; end this service if another one has taken over the store."""
        with warn_instead(logger, "store: the lease could not be renewed", StoreError):
            if not await self._storage.lease.renew(self._clock()):
                logger.error("store: another service has taken over the store; this one ends")
                self._lost_lease()

    async def first_backup(self) -> None:
        """Make a backup if the newest one is older than the interval."""
        age = await threads.start(partial(backup.age, self._store.path), "store-copies")
        if age is None or not 0 <= age <= self._settings.backup_interval:  # below 0: a wrong clock
            await self.make_backup()

    async def make_backup(self) -> None:
        """Copy the store, and remove the oldest copies above `storage.backup_keep`."""
        with warn_instead(logger, "store: no copy was made", OSError, StoreError):
            copy = await self._store.backup(self._settings.backup_keep)
            logger.debug("store: copied to %s", copy)

    async def purge(self) -> None:
        """Remove finished jobs as the settings `purge` say."""
        with warn_instead(logger, "purge: postponed until the next time", StoreError):
            await self._retention.purge()

    async def forget_jobs(self) -> None:
        """Remove finished jobs, in privacy mode."""
        with warn_instead(logger, "privacy: postponed", StoreError):
            await self._retention.forget()

    async def forget_replies(self) -> None:
        """Remove old replies, and old sessions that have no jobs."""
        before = self._clock() - KEEP_REPLIES

        def forget(tx: Tx) -> None:
            tx.forget_requests(before)
            tx.forget_sessions(before)

        with warn_instead(logger, "store: old replies could not be removed", StoreError):
            await self._store.write(forget)


async def _daily(name: str, work: Work) -> None:
    """Call ``work`` a while after the start, and then once a day."""
    await asyncio.sleep(caretaker.FIRST)
    await call(name, work)
    await repeat(name, work, DAY)


async def give_memory_back() -> None:
    """Return unused memory of the heaps to the system."""
    await threads.start(threads.give_back, "give-back")
