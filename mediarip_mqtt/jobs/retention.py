"""Retention: removes finished jobs by age, number and size, optionally with their files."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import Field

from mediarip_mqtt import threads
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import TERMINAL, Job, JobFile, JobStatus
from mediarip_mqtt.contract.settings import PurgeSettings
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import remove_owned

CHUNK: Final = 100  # jobs per transaction, so that other transactions get in between
NAMED: Final = 1000  # ids in a report: 40 KB
PRIVATE_AFTER: Final = 60.0  # seconds; clients that wait for a download's end still see it
PRIVATE_REPLIES: Final = timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """Which finished jobs to remove.

    A job is removed if it ended before ``before``, if it is not one of the ``keep_newest`` newest,
    or if its files and those of newer jobs exceed ``max_total_size`` bytes; None disables a limit.
    Jobs protected by `keep` are never removed and not counted. A playlist counts as one job.
    """

    statuses: frozenset[JobStatus] = TERMINAL
    session_id: str | None = None
    before: datetime | None = None
    keep_newest: int | None = None
    max_total_size: int | None = None

    def choose(self, tx: Tx) -> list[str]:
        """Return the ids of the jobs to remove, oldest first."""
        chosen, total = [], 0
        for number, job in enumerate(tx.ended(self.statuses, self.session_id), start=1):
            total += job.size
            old = self.before is not None and job.completed_at <= self.before
            many = self.keep_newest is not None and number > self.keep_newest
            large = self.max_total_size is not None and job.size and total > self.max_total_size
            if old or many or large:
                chosen.append(job.id)
        return chosen[::-1]


class PurgeReport(Frozen):
    """The result of a purge, or of its preview."""

    removed: list[str] = Field(description="Ids of the jobs, at most 1000.")
    count: int = Field(description="Number of all these jobs.")
    files: int = Field(description="Number of removed files.")
    freed: int = Field(description="Bytes of those files.")
    kept: int = Field(description="Finished jobs protected by `keep`.")
    failed: int = Field(description="Jobs that stay because one of their files can't be removed.")
    dry_run: bool


@dataclass
class PurgeRun:
    """A running purge: what was removed so far, and the ``rest`` for `Retention.finish`."""

    rule: Rule
    files: bool
    dry_run: bool = False
    rest: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    files_removed: int = 0
    freed: int = 0  # bytes
    failed: int = 0  # jobs that stay because a file of theirs can't be removed

    def report(self, kept: int) -> PurgeReport:
        """Return the report; ``kept`` is the number of finished jobs protected by `keep`."""
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
    """Removes the jobs that a rule chooses: by the settings in `purge`, or on command.

    ``check_clock`` corrects the jobs' times if the clock was set.
    """

    def __init__(  # noqa: PLR0913 - what it needs, and when to look at the clock
        self,
        store: Store,
        jobs: Jobs,
        settings: PurgeSettings,
        *,
        root: Path,
        clock: Callable[[], datetime],
        check_clock: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.settings = settings
        self._store = store
        self._jobs = jobs
        self._root = root
        self._clock = clock
        self._check_clock = check_clock

    async def purge(self) -> None:
        """Apply the settings; report it in an event and in the log."""
        rule = Rule(
            before=self._clock() - timedelta(seconds=self.settings.max_age),
            keep_newest=self.settings.max_count or None,
            max_total_size=self.settings.max_total_size or None,
        )
        purge = await self.begin(rule, files=self.settings.files)
        report = await self._store.write(lambda tx: self.finish(tx, purge))
        if report.count:
            logger.info(
                "purge: removed %d jobs and %d files, %d bytes freed",
                report.count,
                report.files,
                report.freed,
            )

    async def forget(self) -> None:
        """In privacy mode: remove all data of ended jobs except their files."""
        moment = self._clock()
        rule = Rule(before=moment - timedelta(seconds=PRIVATE_AFTER))
        purge = await self.begin(rule, files=False)
        await self._store.write(lambda tx: self._delete(tx, purge.rest))
        await self._store.write(lambda tx: tx.forget_errors(moment))
        await self._store.write(lambda tx: tx.forget_requests(moment - PRIVATE_REPLIES))

    async def begin(self, rule: Rule, *, files: bool) -> PurgeRun:
        """Remove the chosen jobs, with ``files`` also their files, except the last chunk's rows.

        `finish` removes those in the transaction that also has the report. A kill in between can
        leave jobs without their files: the same purge, repeated, removes them.
        """
        purge = PurgeRun(rule, files)
        ids = await self._choose(rule)
        planned = await self._store.read(Tx.planned_jobs)
        while True:
            chunk, ids = ids[:CHUNK], ids[CHUNK:]
            if files or planned:
                chunk = [job_id for job_id in chunk if await self._remove_files(job_id, purge)]
            if not ids:
                purge.rest = chunk
                return purge
            purge.removed += await self._store.write(partial(self._delete, job_ids=chunk))

    async def _choose(self, rule: Rule) -> list[str]:
        """Return the ids of the jobs to remove; first, times of a clock just set are corrected."""
        if self._check_clock is not None:
            await self._check_clock()
        return await self._store.read(rule.choose)

    async def preview(self, rule: Rule, *, files: bool) -> PurgeRun:
        """Return the purge that `begin` would make, without removing anything."""
        ids = await self._choose(rule)
        purge = PurgeRun(rule, files, dry_run=True, removed=ids)
        if files:
            owned = await self._store.read(lambda tx: tx.owned_files(ids, titles=False))
            placed = [file for file in owned if not file.temp_path]
            purge.files_removed = len(placed)
            purge.freed = sum(file.filesize for file in placed)
        return purge

    def finish(self, tx: Tx, purge: PurgeRun, session_id: str = ROOT_SESSION) -> PurgeReport:
        """Remove the last rows; emit `purged` if anything was removed; return the report."""
        # In a copy: the transaction may be run a second time.
        done = replace(purge, removed=[*purge.removed, *self._delete(tx, purge.rest)])
        report = done.report(tx.count_kept(purge.rule.statuses, purge.rule.session_id))
        if report.count and not purge.dry_run:
            counts = report.model_dump(include={"count", "files", "freed", "kept"})
            tx.emit(events.Purged(at=self._clock(), **counts), session_id)
        return report

    async def _remove_files(self, job_id: str, purge: PurgeRun) -> bool:
        """Remove a job's files before the row that names them: a kill leaves no orphan.

        If files stay, remove only the remains of an unfinished move. Files of titles always stay.
        Return False if a file can't be removed: then the job stays.
        """

        def owned(tx: Tx) -> list[JobFile]:
            if not self._purgeable(tx, job_id):
                return []
            files = tx.owned_files([job_id], titles=False)
            return [file for file in files if purge.files or file.temp_path]

        for file in await self._store.read(owned):
            try:
                removed = await threads.call(remove_owned, self._root, file)
            except OSError as error:
                logger.warning("purge: %s can't be removed: %s", file.filename, error.strerror)
                purge.failed += 1
                return False
            purge.files_removed += removed
            purge.freed += file.filesize * removed
        return True

    def _delete(self, tx: Tx, job_ids: list[str]) -> list[str]:
        """Remove jobs, except those that were kept or retried since they were chosen."""
        purgeable = [job for job_id in job_ids if (job := self._purgeable(tx, job_id))]
        return [self._jobs.delete(tx, job).id for job in purgeable]

    def _purgeable(self, tx: Tx, job_id: str) -> Job | None:
        job = tx.job(job_id)
        return job if job and job.status in TERMINAL and not tx.is_kept(job_id) else None
