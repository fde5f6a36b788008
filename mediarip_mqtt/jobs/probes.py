"""Reads pages for the command `probe`, independent of the download slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, MediaripError, Stopped
from mediarip_mqtt.contract.models import Job, MediaInfo
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Engine, Extraction, Task
from mediarip_mqtt.jobs.fair_queue import Turns
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.store import Probe, Tx

PROBES: Final = 2  # at once
PROBE_TIME: Final = 120.0  # seconds

logger = logging.getLogger(__name__)


class ExtractPage(Protocol):
    """Runs the engine's `extract` in a thread of a slot."""

    def __call__(self, slot: Slot, function: Callable[[], Extraction]) -> Awaitable[Extraction]:
        """Return the page; raises `Stopped` if the slot was stopped."""


class CommitAnswer(Protocol):
    """Commits a reply, repeated until the store can be written."""

    def __call__(self, function: Callable[[Tx], None]) -> Awaitable[None]:
        """Run ``function`` in a transaction; raises `StoreError` at shutdown only."""


class Answer(Protocol):
    """Writes the reply to a probe: what the page offers, or why it could not be read."""

    def __call__(self, tx: Tx, probe: Probe, result: MediaInfo | MediaripError, /) -> None:
        """Write it in the caller's transaction."""


class Probing:
    """Reads the pages of probes."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
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
        self._running: dict[int, str] = {}  # running probes: id to session

    def start(self, group: asyncio.TaskGroup, waiting: list[Probe]) -> None:
        """Start waiting probes, the oldest first, up to `PROBES` at once."""
        while len(self._running) < PROBES and (probe := self._next(waiting)) is not None:
            self._running[probe.id] = probe.session_id
            self._turns.served(probe.session_id)
            group.create_task(self._probe(probe), name=f"probe-{probe.id}")

    def _next(self, waiting: list[Probe]) -> Probe | None:
        """Return the oldest waiting probe; isolated sessions take turns.

        An isolated session has only one running probe: otherwise its slow pages could occupy all.
        """
        startable = [probe for probe in waiting if probe.id not in self._running]
        if not self._topics.isolated:
            return next(iter(startable), None)
        busy = set(self._running.values())
        return min(
            (probe for probe in startable if probe.session_id not in busy),
            key=lambda probe: (self._turns.last_of(probe.session_id), probe.id),
            default=None,
        )

    async def _probe(self, probe: Probe) -> None:
        try:
            result = await self._read_page(probe)

            def answer(tx: Tx) -> None:
                tx.end_probe(probe.id)
                self._answer(tx, probe, result)

            await self._commit(answer)
        except Stopped:
            return  # stays in the store; answered after the restart
        except Exception:
            logger.exception("probe of %s: its answer could not be written", probe.url)
        finally:
            self._running.pop(probe.id, None)
            self._done()

    async def _read_page(self, probe: Probe) -> MediaInfo | MediaripError:
        job = Job(
            id=f"probe-{probe.id}",
            session_id=probe.session_id,
            url=probe.url,
            created_at=self._clock(),
        )
        slot = Slot(job, self._engine.control(), ahead=True)
        task = replace(self._task(job), login=probe.login)
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
