"""Removes what ended jobs left on the volume: temporary files and unfinished moves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import TERMINAL, JobStatus
from mediarip_mqtt.jobs import failures
from mediarip_mqtt.jobs.steps import Step
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import discard_empty_temp, discard_temp, sweep_temp

BATCH: Final = 500  # jobs that are looked up at once
_ENDED: Final = TERMINAL | {JobStatus.REVIEW}  # a file in review is in its place

logger = logging.getLogger(__name__)


class Leftovers:
    """Cleans up after each changed job that has ended or is gone.

    ``in_use`` returns whether a job's thread may still write; ``cleaned`` is called after each job.
    """

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        store: Store,
        steps: Sequence[Step],
        temp: Path,
        *,
        in_use: Callable[[str], bool],
        cleaned: Callable[[], None],
        ending: asyncio.Event,
    ) -> None:
        self._store = store
        self._steps = steps
        self._temp = temp
        self._in_use = in_use
        self._cleaned = cleaned
        self._ending = ending
        self._jobs: set[str] = set()
        self._changed = asyncio.Event()
        self.cleaning: set[str] = set()  # jobs that must not be claimed at this moment

    def look_at(self, job_ids: Iterable[str]) -> None:
        """Check jobs soon; call it again when a job that was in use has ended."""
        self._jobs.update(job_ids)
        self._changed.set()

    def wake(self) -> None:
        """Retry failed cleanups; at shutdown, let `run` return."""
        self._changed.set()

    async def sweep(self) -> None:
        """Remove the temporary folders of unknown jobs; undo the moves of jobs that have ended."""
        self.look_at(await self._store.read(Tx.planned_jobs))
        keep = await self._store.read(failures.with_partials)
        try:
            await threads.call(sweep_temp, self._temp, keep)
        except OSError as error:
            logger.warning("jobs: old temporary files can't be removed: %s", error)

    async def run(self) -> None:
        """Clean up until the service ends."""
        while not self._ending.is_set():
            await self._changed.wait()
            self._changed.clear()
            changed_jobs, self._jobs = list(self._jobs), set()
            for begin in range(0, len(changed_jobs), BATCH):
                for job_id in await self._ended(changed_jobs[begin : begin + BATCH]):
                    if not self._in_use(job_id):
                        await self._try(job_id)

    async def _ended(self, job_ids: list[str]) -> list[str]:
        """Return which of these jobs have ended or are gone; all of them if that is unknown."""
        idle = [job_id for job_id in job_ids if not self._in_use(job_id)]
        try:
            statuses = await self._store.read(lambda tx: tx.statuses(idle)) if idle else {}
        except StoreError:
            return idle  # tried one by one, and again after the next change
        return [job_id for job_id in idle if statuses.get(job_id, JobStatus.CANCELLED) in _ENDED]

    async def _try(self, job_id: str) -> None:
        self.cleaning.add(job_id)
        try:
            await self._clean_up(job_id)
        except (OSError, StoreError) as error:
            self._jobs.add(job_id)  # tried again after the next change
            logger.warning("job %s: its temporary files can't be removed: %s", job_id, error)
        finally:
            self.cleaning.discard(job_id)
            self._cleaned()  # the job may be in the queue; it could not be claimed meanwhile

    async def _clean_up(self, job_id: str) -> None:
        job = await self._store.read(partial(Tx.job, job_id=job_id))
        if job is not None and job.status not in _ENDED:
            return
        if job is not None and failures.resumable(job):
            await threads.call(discard_empty_temp, self._temp, job_id)
            return
        for step in self._steps:
            await step.discard(job_id)
        await threads.call(discard_temp, self._temp, job_id)
