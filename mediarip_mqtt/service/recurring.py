"""Calls recurring work: after fixed intervals, or at the times of a cron expression."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from apscheduler.triggers.cron import CronTrigger

from mediarip_mqtt.contract.local_time import local_zone

Work = Callable[[], Awaitable[None]]
DAY: Final = 86400.0  # seconds
LATEST_START: Final = timedelta(hours=1)  # work that is overdue for longer is skipped

logger = logging.getLogger(__name__)


async def repeat(name: str, work: Work, seconds: float, *, jitter: float = 0.0) -> None:
    """Call ``work`` every ``seconds`` until cancelled, regardless of the system clock."""
    while True:
        await asyncio.sleep(seconds + random.uniform(-jitter, jitter))  # noqa: S311 - no secret
        await call(name, work)


async def call(name: str, work: Work) -> None:
    """Call ``work``; log its exception, which must not end the service."""
    try:
        await work()
    except Exception:
        logger.exception("upkeep: %s failed", name)


class CronWork:
    """Calls ``work`` at the times of a cron expression, in local time."""

    def __init__(self, name: str, work: Work, cron: str, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._work = work
        self._trigger = CronTrigger.from_crontab(cron, local_zone())
        self._clock = clock
        self._due: datetime | None = None
        self._clock_set = asyncio.Event()

    def clock_was_set(self, jump: float) -> None:
        """Check the due time again after the clock was set by ``jump`` seconds.

        The due time only changes after a large jump: otherwise setting the clock back a little
        would run the work twice.
        """
        if abs(jump) > DAY:
            self._plan()
        self._clock_set.set()

    async def run(self) -> None:
        """Wait and call, until cancelled."""
        self._plan()
        while True:
            await self._wait()
            now = self._clock()
            if self._due is None or now < self._due:
                continue
            if now - self._due <= LATEST_START:
                await call(self._name, self._work)
            self._plan()

    def _plan(self) -> None:
        after = self._clock() + timedelta(microseconds=1)
        self._due = self._trigger.get_next_fire_time(None, after)

    async def _wait(self) -> None:
        """Wait until the work is due or the clock was set."""
        self._clock_set.clear()
        seconds = None if self._due is None else (self._due - self._clock()).total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._clock_set.wait()
        except TimeoutError:
            pass
