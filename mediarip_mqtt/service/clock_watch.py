"""Notices that the system clock was set, and corrects the times in the store accordingly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ValidationError

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.service.logs import warn_instead
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.store.lease import boot_id

INTERVAL: Final = 5.0  # seconds between two checks of the clock
CLOCK_JUMP: Final = 3.0  # seconds; less is drift that NTP corrects
CLOCK_KEY: Final = "clock"  # in the table `config`
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


class ClockPeriod(BaseModel):
    """A period in which the clock was not set; kept in the store, as it may be while we are down.

    ``offset`` is the system clock minus the time since the machine's start. ``since`` is the first
    time that may have been stamped since that start, by the present clock.
    """

    boot_id: str
    offset: float
    since: datetime


def since_boot() -> float:
    """Return the seconds since the machine's start, on Linux including its sleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class ClockWatch:
    """Compares the system clock with the monotonic one.

    A machine without a battery for its clock starts with an old date until NTP sets it. When the
    clock is set, what this machine has stamped in the store since its start moves with it.
    ``jumped`` are then called with the seconds, positive if the clock was set forward.
    """

    def __init__(
        self,
        store: Store,
        *jumped: Callable[[float], None],
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = since_boot,
        boot: Callable[[], str | None] = boot_id,
    ) -> None:
        self._store = store
        self._jumped = jumped
        self._wall = wall
        self._monotonic = monotonic
        self._boot = boot
        self._offset = wall() - monotonic()
        self._period: ClockPeriod | None = None

    async def begin(self) -> None:
        """Correct times if the clock was set since the service last ran; raise `StoreError`.

        Call it before anything stamps times.
        """
        period = ClockPeriod(boot_id=self._boot() or "", offset=self._offset, since=self._now())
        stored = _parse((await self._store.read(Tx.config)).get(CLOCK_KEY))
        if stored is not None and stored.boot_id == period.boot_id != "":
            period = stored
        self._period = period
        await self._correct(always=True)

    async def run(self) -> None:
        """Check the clock every `INTERVAL` seconds until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.check()

    async def check(self) -> None:
        """Check the clock once; after a jump, correct times and call ``jumped``."""
        jump = self._wall() - self._monotonic() - self._offset
        to_call: tuple[Callable[[float], None], ...] = ()
        if abs(jump) > CLOCK_JUMP:
            logger.warning("the clock was set by %+.0f s", jump)
            self._offset += jump
            to_call = self._jumped
        # Before `jumped`. If the store can't be written, the next check tries again.
        with warn_instead(logger, "store: times keep the old clock for now", StoreError):
            await self._correct()
        for jumped in to_call:
            jumped(jump)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)

    async def _correct(self, *, always: bool = False) -> None:
        """Move the times stamped in the period by what the clock was set since."""
        if self._period is None:
            return
        jump = self._offset - self._period.offset
        if abs(jump) <= CLOCK_JUMP:
            jump = 0.0
            if not always:
                return
        difference, now = timedelta(seconds=jump), self._now()
        since = self._period.since
        period = ClockPeriod(
            boot_id=self._period.boot_id,
            offset=self._period.offset + jump,
            since=max(FIRST, since + difference),
        )

        def correct(tx: Tx) -> int:
            if jump:
                tx.shift_times(since, now - difference, difference)
                tx.shift_checks(since, now - difference, difference)
                tx.shift_retries(difference)
            tx.set_config(CLOCK_KEY, period.model_dump_json(), now)
            return tx.correct_ends(now)

        corrected = await self._store.write(correct)
        self._period = period
        if jump:
            logger.info("store: times of this machine's run were moved by %+.0f s", jump)
        if corrected:
            logger.warning(
                "store: %d jobs ended while the clock was behind; their age counts from now",
                corrected,
            )


def _parse(text: str | None) -> ClockPeriod | None:
    try:
        return ClockPeriod.model_validate_json(text or "")
    except ValidationError:
        return None
