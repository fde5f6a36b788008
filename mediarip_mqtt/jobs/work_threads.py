"""The threads of running jobs; one that ignores a stop is abandoned, and its slot freed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import Stopped
from mediarip_mqtt.jobs.running_job import Slot

T = TypeVar("T")
LOST_AFTER: Final = 2.0  # seconds after its stop that a thread counts as lost

logger = logging.getLogger(__name__)


class WorkThreads:
    """Runs blocking calls; ``changed`` is called when a thread is lost and when a lost one ends."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self.lost: set[str] = set()  # jobs whose thread did not stop; not to be run until it ends

    async def run(self, slot: Slot, function: Callable[[], T]) -> T:
        """Run a blocking call in a new thread; raise `Stopped` if it ignores a stop of the slot."""
        future = threads.start(function, f"work-{slot.job.id[-12:]}")
        stopped = asyncio.ensure_future(slot.stopped.wait())
        try:
            both: set[asyncio.Future[Any]] = {future, stopped}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                await asyncio.wait({future}, timeout=LOST_AFTER)
        finally:
            stopped.cancel()
        if future.done():
            return future.result()
        self._give_up(slot.job.id, future)
        raise Stopped

    def _give_up(self, job_id: str, future: asyncio.Future[T]) -> None:
        self.lost.add(job_id)
        self._changed(job_id)
        logger.error(
            "job %s: its thread did not stop within %.0f s; its slot was replaced",
            job_id,
            LOST_AFTER,
        )

        def ended(done: asyncio.Future[T]) -> None:
            done.exception()
            self.lost.discard(job_id)
            self._changed(job_id)
            logger.info("job %s: its lost thread has ended", job_id)

        future.add_done_callback(ended)
