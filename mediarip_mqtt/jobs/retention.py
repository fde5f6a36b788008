"""Retention: finished jobs go by age, number and size, with their files where that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import Field

from mediarip_mqtt import threads
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.models import TERMINAL, Job, JobFile, JobStatus
from mediarip_mqtt.contract.settings import PurgeSettings
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import remove_owned

CHUNK: Final = 100  # jobs that go in one transaction, so that others come in between
NAMED: Final = 1000  # ids that a report names: 40 KB
PRIVATE_AFTER: Final = 60.0  # seconds: who waits for the end of a download still sees it
PRIVATE_REPLIES: Final = timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """Which finished jobs go, of some statuses, of one session or of all.

    Those that ended before a moment; those beyond a number of newest ones; the oldest of those
    whose files take more than a number of bytes together. None: not asked for. What is kept never
    goes, and counts neither in number nor in size. A playlist counts as one job.
    """

    statuses: frozenset[JobStatus] = TERMINAL
    session_id: str | None = None
    before: datetime | None = None
    keep_newest: int | None = None
    max_total_size: int | None = None

    def choose(self, tx: Tx) -> list[str]:
        """Return the ids of the jobs that go, the oldest first."""
        going, total = [], 0
        for number, job in enumerate(tx.ended(self.statuses, self.session_id), start=1):
            total += job.size
            old = self.before is not None and job.completed_at <= self.before
            many = self.keep_newest is not None and number > self.keep_newest
            large = self.max_total_size is not None and job.size and total > self.max_total_size
            if old or many or large:
                going.append(job.id)
        return going[::-1]


class PurgeReport(Frozen):
    """What a purge has removed, or would remove."""

    removed: list[str] = Field(description="Their ids, 1000 at most.")
    count: int = Field(description="All of them.")
    files: int = Field(description="Files that went with them.")
    freed: int = Field(description="Bytes of those files.")
    kept: int = Field(description="Finished jobs that are kept: `keep`.")
    failed: int = Field(description="Jobs that stay, as a file of theirs can't be removed.")
    dry_run: bool


@dataclass
class PurgeRun:
    """A purge under way: what has gone so far, and the ``rest`` that `Retention.finish` ends."""

    rule: Rule
    files: bool
    dry_run: bool = False
    rest: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    files_removed: int = 0
    freed: int = 0  # bytes
    failed: int = 0  # jobs that stay because a file of theirs can't be removed

    def report(self, kept: int) -> PurgeReport:
        """Return what to tell of it; ``kept`` is how many finished jobs `keep` protects."""
        return PurgeReport(
            removed=self.removed[:NAMED],
            count=len(self.removed),
            files=self.files_removed,
            freed=self.freed,
            kept=kept,
            failed=self.failed,
            dry_run=self.dry_run,
        )


class Retention:
    """Removes what a rule chooses: by the settings of the section `purge`, and on command."""

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        settings: PurgeSettings,
        *,
        root: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self._store = store
        self._jobs = jobs
        self._root = root
        self._clock = clock

    async def purge(self) -> None:
        """Remove what the settings say; tell it in an event and in the log."""
        rule = Rule(
            before=self._clock() - timedelta(seconds=self.settings.max_age),
            keep_newest=self.settings.max_count or None,
            max_total_size=self.settings.max_total_size or None,
        )
        purge = await self.begin(rule, files=self.settings.files)
        report = await self._store.write(lambda tx: self.finish(tx, purge))
        if report.count:
            logger.info(
                "purge: %d jobs and %d files went, %d bytes were freed",
                report.count,
                report.files,
                report.freed,
            )

    async def forget(self) -> None:
        """In privacy mode: keep nothing of a job that ended, but for its files."""
        moment = self._clock()
        rule = Rule(before=moment - timedelta(seconds=PRIVATE_AFTER))
        purge = await self.begin(rule, files=False)
        await self._store.write(lambda tx: self._delete(tx, purge.rest))
        await self._store.write(lambda tx: tx.forget_errors(moment))
        await self._store.write(lambda tx: tx.forget_requests(moment - PRIVATE_REPLIES))

    async def begin(self, rule: Rule, *, files: bool) -> PurgeRun:
        """Remove the chosen jobs, and their files where wanted, but for the last rows.

        Those go in the transaction that also holds the report, by `finish`. A kill in between
        leaves jobs of which some have no file any more: the same purge again takes them.
        """
        purge = PurgeRun(rule, files)
        ids = await self._store.read(rule.choose)
        planned = await self._store.read(Tx.planned_jobs)
        while True:
            chunk, ids = ids[:CHUNK], ids[CHUNK:]
            if files or planned:
                chunk = [one for one in chunk if await self._remove_files(one, purge)]
            if not ids:
                purge.rest = chunk
                return purge
            purge.removed += await self._store.write(partial(self._delete, job_ids=chunk))

    async def preview(self, rule: Rule, *, files: bool) -> PurgeRun:
        """Return what a purge would remove."""
        ids = await self._store.read(rule.choose)
        purge = PurgeRun(rule, files, dry_run=True, removed=ids)
        if files:
            owned = await self._store.read(lambda tx: tx.owned_files(ids))
            found = [file for file in owned if not file.temp_path]
            purge.files_removed = len(found)
            purge.freed = sum(file.filesize for file in found)
        return purge

    def finish(self, tx: Tx, purge: PurgeRun, session_id: str = ROOT_SESSION) -> PurgeReport:
        """Remove the last rows; post the event `purged` where anything went; return the report."""
        # In a copy: the transaction may be run a second time.
        done = replace(purge, removed=[*purge.removed, *self._delete(tx, purge.rest)])
        report = done.report(tx.count_kept(purge.rule.statuses, purge.rule.session_id))
        if report.count and not purge.dry_run:
            counts = report.model_dump(include={"count", "files", "freed", "kept"})
            tx.emit(events.Purged(at=self._clock(), **counts), session_id)
        return report

    async def _remove_files(self, job_id: str, purge: PurgeRun) -> bool:
        """Remove a job's files before the row that names them: a kill leaves no orphan.

        Where files stay, only what is left of a move that was begun: it is no file of the job yet.
        Return whether the job may go.
        """

        def owned(tx: Tx) -> list[JobFile]:
            found = tx.owned_files([job_id]) if self._purgeable(tx, job_id) else []
            return [one for one in found if purge.files or one.temp_path]

        for file in await self._store.read(owned):
            try:
                gone = await threads.call(remove_owned, self._root, file)
            except OSError as error:
                logger.warning("purge: %s can't be removed: %s", file.filename, error.strerror)
                purge.failed += 1
                return False
            purge.files_removed += gone
            purge.freed += file.filesize * gone
        return True

    def _delete(self, tx: Tx, job_ids: list[str]) -> list[str]:
        """Remove jobs, but for those that were kept or retried since they were chosen."""
        there = [job for one in job_ids if (job := self._purgeable(tx, one))]
        return [self._jobs.delete(tx, job).id for job in there]

    def _purgeable(self, tx: Tx, job_id: str) -> Job | None:
        job = tx.job(job_id)
        return job if job and job.status in TERMINAL and not tx.is_kept(job_id) else None
