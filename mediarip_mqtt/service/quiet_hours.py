"""Pauses or slows downloads in the quiet hours; running live recordings continue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.service.holds import Holds

INTERVAL: Final = 5.0  # seconds between two checks of the time of day

logger = logging.getLogger(__name__)


class LimitedRunner(Protocol):
    """Downloads that can be slowed and interrupted."""

    def apply_limits(self) -> None:
        """Apply the current rate limit to running downloads."""

    def interrupt(self, *, live: bool = True) -> None:
        """Stop downloads, or all but live recordings, and put them back in the queue."""


class QuietHours:
    """Follows the time of day and the settings `quiet_hours` and `quiet_rate_limit`."""

    def __init__(
        self,
        limits: Limits,
        runner: LimitedRunner,
        holds: Holds,
        clock: Callable[[], datetime],
    ) -> None:
        self._limits = limits
        self._runner = runner
        self._holds = holds
        self._clock = clock
        self._paused = False

    async def run(self) -> None:
        """Apply the limits every `INTERVAL` seconds until cancelled."""
        while True:
            self.apply()
            await asyncio.sleep(INTERVAL)

    def apply(self) -> None:
        """Apply the limits for the current time and settings."""
        self._runner.apply_limits()
        paused = self._limits.rests(self._clock())
        if paused is self._paused:
            return
        self._paused = paused
        logger.info("downloads: the quiet hours %s", "begin" if paused else "end")
        self._holds.set(PauseReason.QUIET_HOURS, active=paused)
        if paused:
            self._runner.interrupt(live=False)
