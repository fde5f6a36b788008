"""Retention: jobs that ended long enough ago go, with their files where that is wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import events, library, wire
from mediarip_mqtt.jobs import MANY, Jobs, new_id
from mediarip_mqtt.models import TERMINAL, Job, JobStatus
from mediarip_mqtt.settings import PurgeSettings
from mediarip_mqtt.store import Store, Tx

CHUNK: Final = 200  # jobs that go in one transaction, so that commands come in between
PRIVATE_AFTER: Final = 60.0  # seconds: who waits for the end of a download still sees it
PRIVATE_REPLIES: Final = timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """Which jobs go: those of the statuses that ended before a moment, of one session or of all."""

    before: datetime
    statuses: frozenset[JobStatus] = TERMINAL
    session_id: str | None = None

    def jobs(self, tx: Tx) -> list[Job]:
        """Return them, the oldest first; a playlist's items go with the playlist alone."""
        return tx.ended(self.before, self.statuses, self.session_id)


def file_names(tx: Tx, jobs: Iterable[Job]) -> list[str]:
    """Return the names of all files that the service wrote for jobs and their items."""
    everything = [one for job in jobs for one in (job, *tx.jobs(parent_id=job.id, limit=MANY))]
    return [file.filename for one in everything for file in tx.files(one.id, planned=False)]


class Retention:
    """Applies the settings of the section `purge` by itself."""

    def __init__(  # noqa: PLR0913 - the parts it works on
        self,
        store: Store,
        jobs: Jobs,
        topics: wire.Topics,
        settings: PurgeSettings,
        *,
        root: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self._store = store
        self._jobs = jobs
        self._topics = topics
        self._root = root
        self._clock = clock

    async def purge(self) -> None:
        """Remove what is older than ``max_age``; say so in an event and in the log."""
        before = self._clock() - timedelta(seconds=self.settings.max_age)
        removed, files = await self._apply(Rule(before), files=self.settings.files)
        if not removed:
            return
        logger.info("purge: %d jobs and %d files were removed", removed, files)
        event = events.Purged(event_id=new_id(), at=self._clock(), count=removed, files=files)
        await self._store.write(
            lambda tx: tx.post(self._topics.event, wire.dumps(event.payload()), event.at)
        )

    async def forget(self) -> None:
        """In privacy mode: keep nothing of a job that ended, but for its files."""
        moment = self._clock()
        await self._apply(Rule(moment - timedelta(seconds=PRIVATE_AFTER)), files=False)
        await self._store.write(lambda tx: tx.forget_errors(moment))
        await self._store.write(lambda tx: tx.forget_requests(moment - PRIVATE_REPLIES))

    async def _apply(self, rule: Rule, *, files: bool) -> tuple[int, int]:
        """Remove jobs; return how many, and how many files."""
        jobs = await self._store.read(rule.jobs)
        count = gone = 0
        for start in range(0, len(jobs), CHUNK):
            chunk = jobs[start : start + CHUNK]
            if files:
                # Before the rows that name them: a kill in between leaves no orphan.
                kept, removed = await self._remove_files(chunk)
                gone += removed
                chunk = [job for job in chunk if job.id not in kept]
            count += await self._store.write(partial(self._delete, jobs=chunk))
        return count, gone

    async def _remove_files(self, jobs: list[Job]) -> tuple[set[str], int]:
        """Remove the files of jobs; return the jobs that keep some, and how many went."""
        kept: set[str] = set()
        count = 0
        for job in jobs:
            names = await self._store.read(partial(file_names, jobs=[job]))
            for name in names:
                try:
                    count += await asyncio.to_thread(library.remove, self._root, name)
                except OSError as error:
                    logger.warning("purge: %s can't be removed: %s", name, error.strerror)
                    kept.add(job.id)
        return kept, count

    def _delete(self, tx: Tx, jobs: list[Job]) -> int:
        there = [tx.job(job.id) for job in jobs]
        for job in (gone := [job for job in there if job and job.status in TERMINAL]):
            self._jobs.delete(tx, job)
        return len(gone)
