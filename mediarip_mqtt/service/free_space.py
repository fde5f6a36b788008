"""Measures the free space of the volume, and pauses the queue below `storage.min_free`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.logs import warn_instead
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.volume.mounts import disk_usage

INTERVAL: Final = 15.0  # seconds between two measurements

logger = logging.getLogger(__name__)


class FreeSpace:
    """Holds the last measurement: ``free`` and ``total`` bytes, None before the first."""

    def __init__(
        self, storage: Storage, holds: Holds, min_free: int, clock: Callable[[], datetime]
    ) -> None:
        self._storage = storage
        self._holds = holds
        self._min_free = min_free
        self._clock = clock
        self._low = False
        self.free: int | None = None
        self.total: int | None = None

    async def measure(self) -> None:
        """Measure once; set or lift the hold, and renew the store's reserve."""
        root = self._storage.root
        try:
            free, total = await threads.start(partial(disk_usage, root), "disk-usage")
        except OSError as error:
            logger.warning("storage: the free space of %s is unknown: %s", root, error.strerror)
            return
        self.free, self.total = free, total
        await threads.start(self._storage.store.reserve.renew, "reserve")
        low = free < self._min_free
        if low is not self._low:
            self._low = low
            await self._changed(free)

    async def _changed(self, free: int) -> None:
        logger.warning(
            "storage: %d bytes are free, storage.min_free is %d: the queue %s",
            free,
            self._min_free,
            "pauses" if self._low else "continues",
        )
        if self._low:
            event = events.DiskLow(at=self._clock(), disk_free=free, min_free=self._min_free)
            with warn_instead(logger, "storage: the event could not be stored", StoreError):
                await self._storage.store.write(lambda tx: tx.emit(event))
        self._holds.set(PauseReason.DISK_LOW, active=self._low)
