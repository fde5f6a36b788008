"""The reasons why no download starts; parts of the service set and lift them."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from mediarip_mqtt.commands.queue_commands import is_pause
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.store import Changes, Store

STORE_RETRY: Final = 2.0  # seconds
PRECEDENCE: Final = (  # which reason is shown if there are several
    PauseReason.STORAGE_LOST,
    PauseReason.USER,
    PauseReason.QUIET_HOURS,
    PauseReason.DISK_LOW,
    PauseReason.UPDATING,
)

logger = logging.getLogger(__name__)


class HeldRunner(Protocol):
    """Starts no new downloads while `hold` is set."""

    hold: PauseReason | None

    def wake(self) -> None:
        """Check the queue for due jobs now."""


class StatePublisher(Protocol):
    """Publishes `state` when the queue changed."""

    def changed(self, changes: Changes) -> None:
        """Mark what a transaction changed."""


class Holds:
    """Applies the reason with the highest precedence to the runner and the publisher."""

    def __init__(self, store: Store, runner: HeldRunner, publisher: StatePublisher) -> None:
        self._store = store
        self._runner = runner
        self._publisher = publisher
        self._active: set[PauseReason] = set()
        self._stored_changed = asyncio.Event()

    @property
    def reason(self) -> PauseReason | None:
        """The reason with the highest precedence; None if downloads may start."""
        return next((reason for reason in PRECEDENCE if reason in self._active), None)

    def set(self, reason: PauseReason, *, active: bool) -> None:
        """Set or lift a hold; the runner and the publisher are notified."""
        if active is (reason in self._active):
            return
        self._active ^= {reason}
        self._runner.hold = self.reason
        self._runner.wake()
        self._publisher.changed(Changes(queue=True))

    def changed(self, changes: Changes) -> None:
        """Have `run` read the user's pause again if a transaction may have changed it."""
        if any(map(is_pause, changes.settings)):
            self._stored_changed.set()

    async def restore(self) -> None:
        """Apply the user's pause from the store; raise `StoreError`."""
        config = await self._store.read(lambda tx: tx.config())
        self.set(PauseReason.USER, active=any(map(is_pause, config)))

    async def run(self) -> None:
        """Apply the user's pause after each transaction that changed it."""
        while True:
            await self._stored_changed.wait()
            self._stored_changed.clear()
            try:
                await self.restore()
            except StoreError as error:
                logger.debug("queue: the store can't be read (%s); trying again", error)
                self._stored_changed.set()
                await asyncio.sleep(STORE_RETRY)
