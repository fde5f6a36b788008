"""Notices that the volume is lost, pauses the queue until it is back, and resumes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError, StoreProblem
from mediarip_mqtt.contract.models import PauseReason, now
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.kept_settings import KeptSettings
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume.marker import HANGING, STORE_MOVED, TIME_LIMIT

INTERVAL: Final = 3.0  # seconds between two checks of the volume

logger = logging.getLogger(__name__)


class VolumeWatch:
    """Checks the volume and the store every `INTERVAL` seconds.

    A store whose file was replaced, or whose newest operation failed because the volume was gone or
    the file damaged, is lost and opened again at the next check, as after the return of a volume.

    ``send_event`` sends an event without the store. ``put_back`` returns running jobs to the
    queue. ``compare_retained`` compares what the broker retains with the store, which may be an
    older copy. ``state_changed`` is called when `Storage.trouble` changed.
    """

    def __init__(  # noqa: PLR0913 - the parts that a lost volume affects
        self,
        storage: Storage,
        holds: Holds,
        settings: KeptSettings,
        *,
        interrupt: Callable[[], None],
        put_back: Callable[[Tx], Any],
        send_event: Callable[[events.Event], None],
        compare_retained: Callable[[], None],
        state_changed: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._holds = holds
        self._settings = settings
        self._interrupt = interrupt
        self._put_back = put_back
        self._send_event = send_event
        self._compare_retained = compare_retained
        self._state_changed = state_changed
        self._trouble: str | None = None
        self._not_opened = ""  # why; logged once
        self._unsaved: list[events.Event] = []  # stored once the volume is back

    async def run(self) -> None:
        """Check the volume until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL)

    async def check(self) -> None:
        """Check the volume and the store once; react if one was lost or is back."""
        problem = await self._storage.marker.problem()
        lost_for = self._storage.problem
        if lost_for is None:
            if problem is None:
                problem = await self._failure()
            if problem is not None:
                await self._lose(problem)
        elif problem in {None, STORE_MOVED}:
            await self._try_regain(lost_for)
        if self._storage.trouble != self._trouble:
            self._trouble = self._storage.trouble
            self._state_changed()

    async def _failure(self) -> str | None:
        """Return the error of the store's newest operation if the store must be opened again."""
        failure = self._storage.store.failure
        if failure is not None and failure.kind is StoreProblem.LOST:
            failure = await self._write_error()  # perhaps only that one operation failed
        if failure is None or failure.kind not in {StoreProblem.LOST, StoreProblem.DAMAGED}:
            return None
        return failure.message

    async def _write_error(self) -> StoreError | None:
        """Return the error of a small write; None if it succeeds."""
        try:
            async with asyncio.timeout(TIME_LIMIT):
                await self._storage.lease.renew(now())
        except TimeoutError:
            return StoreError(HANGING, kind=StoreProblem.LOST)
        except StoreError as error:
            return error
        return None

    async def _try_regain(self, lost_for: str) -> None:
        try:
            await self._regain()
        except (OSError, StoreError) as error:
            if str(error) != self._not_opened:
                self._not_opened = str(error)
                logger.warning(
                    "storage: the volume is there, but its store can't be opened yet: %s", error
                )
            self._storage.lose(lost_for)  # it may be lost again, and hang

    async def _lose(self, problem: str) -> None:
        logger.error(
            "storage: the volume %s is lost (%s): the queue is paused. Check that it is mounted "
            "and writable.",
            self._storage.root,
            problem,
        )
        self._storage.lose(problem)
        event = events.StorageLost(reason=problem)
        self._unsaved.append(event)
        self._holds.set(PauseReason.STORAGE_LOST, active=True)
        self._interrupt()
        self._send_event(event)

    async def _regain(self) -> None:
        await self._storage.reopen()
        unsaved = [*self._unsaved, events.StorageRestored()]

        def put_back(tx: Tx) -> None:
            self._put_back(tx)
            for event in unsaved:
                tx.emit(event)

        await self._storage.store.write(put_back)
        # The store may be an older copy: read all state from it again.
        await self._holds.restore()
        await self._settings.restore()
        self._unsaved.clear()
        self._not_opened = ""
        self._storage.recovered()
        logger.info("storage: the volume is back; the queue continues")
        self._holds.set(PauseReason.STORAGE_LOST, active=False)
        self._compare_retained()
