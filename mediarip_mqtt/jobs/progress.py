"""How far the jobs at work are: taken from their threads, kept, published, and watched for stalls.

Work per report is constant, and a job's progress is written together with all others', at most five
times a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.engine.protocol import Report
from mediarip_mqtt.jobs.slot import Slot
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.store import Store
from mediarip_mqtt.volume import files

FLUSH_INTERVAL: Final = 0.2  # seconds; progress may be published five times a second
SLOW_FLUSH_INTERVAL: Final = 1.0  # where each commit waits for the disk, or for a NAS
WATCH_INTERVAL: Final = 5.0  # seconds between two looks for stalled jobs

logger = logging.getLogger(__name__)


class Advance:
    """Keeps the progress of the runner's slots (job id to `Slot`)."""

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        store: Store,
        publisher: Publisher,
        slots: Mapping[str, Slot],
        *,
        temp: Path,
        stall_timeout: float,
        ending: asyncio.Event,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._slots = slots
        self._temp = temp
        self._stall_timeout = stall_timeout
        self._ending = ending
        self._clock = clock
        self._moved = asyncio.Event()

    def reporter(self, slot: Slot) -> Callable[[Report], None]:
        """Return what the thread of a job calls with each report; it costs the thread little."""
        loop = asyncio.get_running_loop()

        def report(one: Report) -> None:
            slot.report = one
            if not slot.notified and not loop.is_closed():
                slot.notified = True
                loop.call_soon_threadsafe(self._progress, slot)

        return report

    def _progress(self, slot: Slot) -> None:
        slot.notified = False
        report = slot.report
        if report is None or slot.job.id not in self._slots or slot.stopped.is_set():
            return
        slot.take(report, self._clock())
        self._moved.set()

    async def flush(self) -> None:
        """Write progress to the store, all jobs' in one transaction, some times a second.

        It is published behind the commit: a kill in between would else make it fall.
        """
        interval = FLUSH_INTERVAL if self._store.has_log else SLOW_FLUSH_INTERVAL
        while not self._ending.is_set():
            await self._moved.wait()
            self._moved.clear()
            moved = [slot for slot in self._slots.values() if slot.unsaved]
            if moved:
                await self.save(*moved)
            await asyncio.sleep(interval)
            if any(slot.unsaved for slot in self._slots.values()):
                self._moved.set()

    async def save(self, *slots: Slot) -> None:
        """Write the progress of jobs, and let it be published then."""
        progress = [slot.progress for slot in slots if slot.progress]
        if not progress:
            return
        try:
            await self._store.write(lambda tx: tx.save_progress(progress), durable=False)
        except StoreError as error:
            logger.debug("runner: progress not saved: %s", error)
            return
        except Exception:
            logger.exception("runner: progress not saved")
            return
        saved = {one.id: one for one in progress}
        running: dict[str, str] = {}
        for slot in slots:
            if one := saved.get(slot.job.id):
                slot.saved(one)
                if not slot.stopped.is_set() and slot.job.id in self._slots:
                    running[slot.job.id] = slot.job.session_id
                    self._publisher.progressed(one, slot.job.session_id)
        self._publisher.saved(running)  # of one that has ended it would keep a note for ever

    async def end_stalled(self) -> None:
        """End attempts that make no progress: no bytes, no new phase, no growing file."""
        limit = self._stall_timeout
        while limit and not self._ending.is_set():
            await asyncio.sleep(min(limit / 4, WATCH_INTERVAL))
            for slot in list(self._slots.values()):
                idle = time.monotonic() - max(slot.moved_at, slot.control.touched)
                if slot.stopped.is_set() or idle < limit / 2:
                    continue
                try:
                    async with asyncio.timeout(WATCH_INTERVAL):
                        size = await threads.start(
                            partial(files.size, self._temp, slot.job.id), "size"
                        )
                except (OSError, TimeoutError):
                    continue  # the volume's trouble, not the site's
                if size != slot.size:
                    slot.size, slot.moved_at = size, time.monotonic()
                elif idle >= limit:
                    logger.warning("job %s: no progress for %.0f s", slot.job.id, idle)
                    slot.stalled = True
                    slot.stop()
