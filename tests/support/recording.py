"""Stand-ins for the runner and the publisher that remember what the service asked of them."""

from __future__ import annotations

import asyncio

from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.store import Changes


class RecordingRunner:
    """Has the runner's interface towards the service; runs nothing."""

    def __init__(self) -> None:
        self.hold: PauseReason | None = None
        self.woken = asyncio.Event()
        self.wakes = 0
        self.limits_applied = 0
        self.interrupts: list[bool] = []  # of each: whether it concerned live recordings, too
        self.idle = asyncio.Event()  # for `drain`
        self.draining = asyncio.Event()

    def wake(self) -> None:
        self.wakes += 1
        self.woken.set()

    def apply_limits(self) -> None:
        self.limits_applied += 1

    def interrupt(self, *, live: bool = True) -> None:
        self.interrupts.append(live)

    async def drain(self, seconds: float) -> None:
        self.draining.set()
        async with asyncio.timeout(seconds):
            await self.idle.wait()


class RecordingPublisher:
    """Counts how often the queue's state was to be published."""

    def __init__(self) -> None:
        self.queue_changes = 0

    def changed(self, changes: Changes) -> None:
        self.queue_changes += changes.queue
