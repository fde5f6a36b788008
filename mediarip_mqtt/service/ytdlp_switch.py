"""Restarts the service with a newer yt-dlp, at a quiet moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.storage import Storage

LONGEST_WAIT: Final = 900.0  # seconds for running downloads to end


class YtdlpSwitch:
    """Waits until no download runs and the volume is usable, then ends the service.

    ``drain`` waits until no download runs, at most for the given seconds.
    """

    def __init__(
        self,
        storage: Storage,
        holds: Holds,
        drain: Callable[[float], Awaitable[None]],
        stop: asyncio.Event,
    ) -> None:
        self._storage = storage
        self._holds = holds
        self._drain = drain
        self._stop = stop
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Ask for the restart: a newer yt-dlp is installed."""
        self._requested.set()

    async def run(self) -> bool:
        """Wait for a request, then end the service; return True: the program is to restart."""
        await self._requested.wait()
        self._holds.set(PauseReason.UPDATING, active=True)
        await self._drain(LONGEST_WAIT)
        await self._storage.usable.wait()  # a restart would find no store and create a new one
        self._stop.set()
        return True
