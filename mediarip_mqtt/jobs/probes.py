"""Answers `probe`: reads a page for the one who asks, beside the downloads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, MediaripError, Stopped
from mediarip_mqtt.contract.models import Job, MediaInfo
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Engine, Extraction, Task
from mediarip_mqtt.jobs.fair_queue import Turns
from mediarip_mqtt.jobs.slot import Slot
from mediarip_mqtt.store import Probe, Store, Tx

PROBES: Final = 2  # at once
PROBE_TIME: Final = 120.0

logger = logging.getLogger(__name__)


class ExtractPage(Protocol):
    """Runs the engine's `extract` in a thread that is watched."""

    def __call__(self, slot: Slot, function: Callable[[], Extraction]) -> Awaitable[Extraction]:
        """Run; raises `Stopped` where the slot was stopped."""


class CommitAnswer(Protocol):
    """Writes, and tries again until the store takes it."""

    def __call__(self, function: Callable[[Tx], None]) -> Awaitable[None]:
        """Write."""


class Answer(Protocol):
    """Writes the reply to a probe: what the page offers, or why it could not be read."""

    def __call__(self, tx: Tx, probe: Probe, found: MediaInfo | MediaripError, /) -> None:
        """Write."""


class Probing:
    """Reads the pages of the probes that wait in the store."""

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        store: Store,
        engine: Engine,
        topics: Topics,
        *,
        extract: ExtractPage,
        commit: CommitAnswer,
        answer: Answer,
        task: Callable[[Job], Task],
        done: Callable[[], None],
        ending: asyncio.Event,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._engine = engine
        self._topics = topics
        self._extract = extract
        self._commit = commit
        self._answer = answer
        self._task = task
        self._done = done
        self._ending = ending
        self._clock = clock
        self._turns = Turns(fair=topics.isolated)
        self._running: dict[int, str] = {}  # the probes under way, and whose they are

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Begin what waits, as many at once as may run."""
        waiting = await self._store.read(lambda tx: tx.probes())
        while len(self._running) < PROBES and (probe := self._next(waiting)) is not None:
            self._running[probe.id] = probe.session_id
            self._turns.served(probe.session_id)
            group.create_task(self._probe(probe), name=f"probe-{probe.id}")

    def _next(self, waiting: list[Probe]) -> Probe | None:
        """Return the oldest that waits; of isolated sessions that of the one whose turn it is.

        Of one isolated session only one is under way: pages that never answer would hold all.
        """
        left = [one for one in waiting if one.id not in self._running]
        if not self._topics.isolated:
            return next(iter(left), None)
        busy = set(self._running.values())
        return min(
            (one for one in left if one.session_id not in busy),
            key=lambda one: (self._turns.last_of(one.session_id), one.id),
            default=None,
        )

    async def _probe(self, probe: Probe) -> None:
        try:
            found = await self._look(probe)

            def answer(tx: Tx) -> None:
                tx.end_probe(probe.id)
                self._answer(tx, probe, found)

            await self._commit(answer)
        except Stopped:
            return  # it stays in the store and is answered after the restart
        except Exception:
            logger.exception("probe of %s: its answer could not be written", probe.url)
        finally:
            self._running.pop(probe.id, None)
            self._done()

    async def _look(self, probe: Probe) -> MediaInfo | MediaripError:
        job = Job(
            id=f"probe-{probe.id}",
            session_id=probe.session_id,
            url=probe.url,
            created_at=self._clock(),
        )
        slot = Slot(job, self._engine.control(), ahead=True)
        task = self._task(job)
        timer = asyncio.get_running_loop().call_later(PROBE_TIME, slot.stop)
        watcher = asyncio.ensure_future(self._stop_with_service(slot))
        try:
            page = await self._extract(slot, lambda: self._engine.extract(task, slot.control))
        except Stopped:
            if self._ending.is_set():
                raise
            return DownloadError(
                ErrorCode.TIMEOUT, f"The page was not read within {PROBE_TIME:.0f} s."
            )
        except MediaripError as error:
            return error
        except Exception:
            logger.exception("probe of %s failed", probe.url)
            return DownloadError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
        finally:
            timer.cancel()
            watcher.cancel()
        return page.info

    async def _stop_with_service(self, slot: Slot) -> None:
        await self._ending.wait()
        slot.stop()
