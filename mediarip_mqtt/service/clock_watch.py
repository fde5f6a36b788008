"""Notices that the system clock was set, and shifts planned times accordingly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.service.logs import warn_instead
from mediarip_mqtt.store import Store

INTERVAL: Final = 5.0  # seconds between two checks of the clock
CLOCK_JUMP: Final = 3.0  # seconds; less is drift that NTP corrects

logger = logging.getLogger(__name__)


class ClockWatch:
    """Compares the system clock with the monotonic one.

    ``jumped`` are called after a jump with its seconds, positive if the clock was set forward.
    """

    def __init__(
        self,
        store: Store,
        *jumped: Callable[[float], None],
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._jumped = jumped
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    async def run(self) -> None:
        """Check the clock every `INTERVAL` seconds until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.check()

    async def check(self) -> None:
        """Check the clock once; after a jump, shift retries and call ``jumped``."""
        jump = self._wall() - self._monotonic() - self._offset
        if abs(jump) > CLOCK_JUMP:
            logger.warning("the clock was set by %+.0f s", jump)
            self._offset += jump
            await self._shift_retries(jump)
            for jumped in self._jumped:
                jumped(jump)

    async def _shift_retries(self, seconds: float) -> None:
        """Keep the remaining time of each retry as it was before the clock was set."""
        with warn_instead(logger, "store: retries keep the times of the old clock", StoreError):
            await self._store.write(lambda tx: tx.shift_retries(timedelta(seconds=seconds)))
