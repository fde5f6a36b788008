"""Runs the jobs: claims them from the queue, owns the slots, and commits how attempts end.

The store holds the truth. A command changes a job's row; the runner sees the change and stops the
thread of a job that is no longer active. Threads never touch the store: they overwrite the report
in their slot, and return.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import (
    DownloadError,
    ErrorCode,
    Stopped,
    StoreError,
    StoreProblem,
)
from mediarip_mqtt.contract.models import ACTIVE, Job, JobStatus, PauseReason
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Engine, Task
from mediarip_mqtt.jobs import failures, steps
from mediarip_mqtt.jobs.filing import LibraryParts
from mediarip_mqtt.jobs.leftovers import Leftovers
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.page_judge import PageJudge
from mediarip_mqtt.jobs.probes import Answer, Probing
from mediarip_mqtt.jobs.progress import ProgressTracker
from mediarip_mqtt.jobs.queue_view import look_at_queue
from mediarip_mqtt.jobs.read_ahead import ReadAhead
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.jobs.steps import Tools, Work, in_order
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.jobs.work_threads import WorkThreads
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.volume import files
from mediarip_mqtt.volume.files import discard_temp, job_temp
from mediarip_mqtt.volume.storage_errors import disk_full

T = TypeVar("T")
LOOKAHEAD: Final = 2  # pages that are read while all slots download
AHEAD_AFTER: Final = 0.5  # seconds that they have done so: small files would be slowed down
LONGEST_WAIT: Final = 60.0  # seconds between two checks of the queue
SHORTEST_WAIT: Final = 0.05
STORE_RETRY: Final = 2.0  # seconds
FULL_PATIENCE: Final = 3.0  # seconds that a job waits for space to write its state

logger = logging.getLogger(__name__)


class Runner:
    """Claims jobs from the queue and runs their attempts."""

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        store: Store,
        jobs: Jobs,
        engine: Engine,
        publisher: Publisher,
        preferences: Preferences,
        topics: Topics,
        *,
        root: Path,
        temp: Path,
        downloads: DownloadSettings,
        limits: Limits,
        answer_probe: Answer,
        library: LibraryParts | None = None,
        judge: PageJudge | None = None,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._engine = engine
        self._publisher = publisher
        self._preferences = preferences
        self._temp = temp
        self._stall_timeout = downloads.stall_timeout
        self._limits = limits
        self._clock = clock
        self._slots: dict[str, Slot] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._ending = asyncio.Event()
        self._ahead = ReadAhead()
        self._threads = WorkThreads(self._thread_changed)
        self._steps = in_order(
            Tools(
                store=store,
                jobs=jobs,
                engine=engine,
                downloads=downloads,
                ahead=self._ahead,
                root=root,
                commit=self._commit,
                in_thread=self._threads.run,
                library=library,
                judge=judge,
            )
        )
        self._leftovers = Leftovers(
            store,
            self._steps,
            temp,
            in_use=lambda job_id: job_id in self._slots or job_id in self._threads.lost,
            cleaned=self._wake.set,
            ending=self._ending,
        )
        self._progress = ProgressTracker(
            store,
            publisher,
            self._slots,
            temp=temp,
            stall_timeout=self._stall_timeout,
            ending=self._ending,
            clock=clock,
        )
        self._probing = Probing(
            engine,
            topics,
            extract=self._threads.run,
            commit=self._commit,
            answer=answer_probe,
            task=lambda job: self._task(job, temp),
            done=self._wake.set,
            ending=self._ending,
            clock=clock,
        )
        self._ahead_in = 0.0  # seconds until the next page may be read ahead; 0: no need to wait
        self.hold: PauseReason | None = None
        self.looked_at = time.monotonic()  # when the queue was last checked

    @property
    def _stopping(self) -> bool:
        return self._ending.is_set()

    @property
    def lost_threads(self) -> int:
        """How many threads did not end when they were stopped."""
        return len(self._threads.lost)

    def changed(self, changes: Changes) -> None:
        """Check the queue and the leftovers after a transaction."""
        self._leftovers.look_at(changes.jobs)
        if changes.jobs or changes.queue or changes.probes or changes.settings:
            self._wake.set()

    def wake(self) -> None:
        """Check the queue again soon."""
        self._wake.set()

    async def recover(self) -> None:
        """Put interrupted jobs back into the queue, and remove the files of unknown ones."""
        interrupted = await self._store.write(self._jobs.put_all_back)
        if interrupted:
            logger.info("runner: put %d interrupted jobs back into the queue", len(interrupted))
        await self._leftovers.sweep()

    async def run(self) -> None:
        """Run jobs until `shutdown`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._progress.save_continuously(), name="progress")
            group.create_task(self._progress.end_stalled(), name="stalled")
            group.create_task(self._leftovers.run(), name="leftovers")
            group.create_task(self._schedule(group), name="schedule")

    def apply_limits(self) -> None:
        """Apply the current rate limits to running downloads."""
        now = self._clock()
        for slot in self._slots.values():
            slot.control.limit(self._limits.rate(slot.job, now))

    def interrupt(self, *, live: bool = True) -> None:
        """Stop downloads and put them back into the queue; ``live``: also live recordings."""
        for slot in self._slots.values():
            if live or not slot.live:
                slot.interrupted = True
                slot.stop()

    async def drain(self, seconds: float) -> None:
        """Wait up to ``seconds`` until nothing runs; set `hold` first, so that nothing starts."""
        if not await self._until_idle(seconds):
            logger.info("runner: %d downloads go on after the switch", len(self._slots))

    async def shutdown(self, grace: float) -> None:
        """Stop all work and put unfinished jobs back, within ``grace`` seconds."""
        self._ending.set()
        self._wake.set()
        self._leftovers.wake()
        for slot in list(self._slots.values()):
            slot.stop()
        if not await self._until_idle(grace):
            logger.warning("runner: %d threads did not stop in time", len(self._slots))
        try:
            await self._store.write(self._jobs.put_all_back)
        except StoreError as error:
            logger.warning("runner: the next start puts the jobs back: %s", error)

    async def _until_idle(self, seconds: float) -> bool:
        """Wait until nothing runs; return False after a time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._slots:
                    self._idle.clear()
                    await self._idle.wait()
        return not self._slots

    # The queue

    async def _schedule(self, group: asyncio.TaskGroup) -> None:
        while not self._stopping:
            self.looked_at = time.monotonic()
            self._wake.clear()
            self._ahead_in = 0.0
            moment = self._clock()  # before the claims: jobs may become due meanwhile
            due: datetime | None = None
            try:
                running = [key for key, slot in self._slots.items() if not slot.stopped.is_set()]
                queue = await self._store.read(partial(look_at_queue, running=running, now=moment))
                due = queue.due
                self._stop_inactive(queue.statuses)
                self._probing.start(group, queue.probes)
                if self.hold is None:
                    await self._start_jobs(group)
            except StoreError as error:
                log = logger.debug if self.hold is PauseReason.STORAGE_LOST else logger.warning
                log("runner: the store can't be used (%s); trying again", error)
                await asyncio.sleep(STORE_RETRY)
            except Exception:
                # One job's bad row must not stop all the others.
                logger.exception("runner: the queue could not be read")
                await asyncio.sleep(STORE_RETRY)
            await self._wait(due)

    async def _wait(self, due: datetime | None) -> None:
        """Wait for a change, for a job that becomes due, or for the end of a site's pause."""
        seconds = self._ahead_in or LONGEST_WAIT
        if (pause := self._limits.next_start()) is not None:
            seconds = min(max(pause, SHORTEST_WAIT), seconds)
        if due is not None:
            seconds = min(max((due - self._clock()).total_seconds(), SHORTEST_WAIT), seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _stop_inactive(self, statuses: Mapping[str, JobStatus | None]) -> None:
        """Stop the threads of jobs that are no longer active: paused, cancelled or deleted."""
        for job_id, status in statuses.items():
            slot = self._slots.get(job_id)
            if slot is not None and status not in ACTIVE:
                slot.stop()

    async def _start_jobs(self, group: asyncio.TaskGroup) -> None:
        while not self._stopping and self._has_slot():
            if not await self._start(group, ahead=False):
                return
        while not self._stopping and self._busy(ahead=True) < LOOKAHEAD:
            # All slots are taken: read the next jobs' pages meanwhile.
            self._ahead_in = self._until_ahead()
            if self._ahead_in or not await self._start(group, ahead=True):
                return

    def _busy(self, *, ahead: bool) -> int:
        return sum(slot.ahead is ahead for slot in self._slots.values())

    def _until_ahead(self) -> float:
        """Return the seconds until the slot that was taken last is old enough."""
        newest = max((s.taken_at for s in self._slots.values() if not s.ahead), default=0.0)
        return max(0.0, newest + AHEAD_AFTER - time.monotonic())

    def _has_slot(self) -> bool:
        most: int = self._preferences.max_concurrent
        return self._busy(ahead=False) < most

    def _take_slot(self, slot: Slot) -> bool:
        """Let a job's download begin, unless its page was read ahead and it is not its turn.

        While other pages are kept, the queue's order decides who gets a free slot.
        """
        if slot.ahead and (not self._has_slot() or self._ahead.is_filled):
            return False
        slot.ahead, slot.taken_at = False, time.monotonic()
        return True

    async def _start(self, group: asyncio.TaskGroup, *, ahead: bool) -> bool:
        depth = LOOKAHEAD if ahead else 1
        busy = self._limits.busy_sites(slot.job for slot in self._slots.values())
        # For reading ahead, an expired page counts as read: otherwise the pages of waiting jobs
        # would be read again every ten minutes.
        has_page = self._ahead.has if ahead else self._ahead.has_fresh

        def claim(tx: Tx) -> Job | None:
            # Evaluated in the transaction: a cleanup that has ended by then saw the old status.
            excluded = [*self._slots, *self._threads.lost, *self._leftovers.cleaning]
            return self._jobs.claim(tx, excluded, extracted=has_page, depth=depth, busy_sites=busy)

        job = await self._store.write(claim, durable=False)  # the next start puts it back anyway
        if job is None or self._stopping:
            return False  # `put_all_back` runs after the claim
        if self.hold is not None:  # set during the claim
            await self._store.write(lambda tx: self._jobs.put_back(tx, job.id))
            return False
        slot = Slot(job, self._engine.control(), ahead=ahead)
        slot.control.limit(self._limits.rate(job, self._clock()))
        self._limits.started(job)
        self._slots[job.id] = slot
        group.create_task(self._run(slot), name=f"job-{job.id}")
        return True

    # One attempt

    async def _run(self, slot: Slot) -> None:
        job_id = slot.job.id
        try:
            await self._attempt(slot)
        except StoreError as error:
            # Only at shutdown: the next start puts the job back.
            logger.warning("job %s: its end could not be written: %s", job_id, error)
        except Exception:
            # One job's data must not stop all the others.
            logger.exception("job %s: its end could not be written", job_id)
        finally:
            self._slots.pop(job_id, None)
            self._progress.stopped(slot)
            self._leftovers.look_at([job_id])
            self._wake.set()
            self._idle.set()

    async def _attempt(self, slot: Slot) -> None:
        """Run the steps and commit how the attempt ended; an error never leaves its job."""
        job_id = slot.job.id
        try:
            await self._run_steps(slot)
        except Stopped:
            if slot.stalled and not self._stopping:
                await self._fail(slot, failures.stalled(self._stall_timeout))
                return
            await self._progress.save(slot)
            if self._stopping or slot.interrupted or not slot.stopped.is_set():
                await self._put_back(job_id)
        except DownloadError as error:
            await self._fail(slot, error)
        except OSError as error:
            folders = (self._temp, self._store.path.parent)
            await self._fail(slot, await threads.call(failures.of_files, error, folders))
        except StoreError as error:
            full = error.kind is StoreProblem.FULL and not self._stopping
            if full and await threads.call(files.size, self._temp, job_id) > 0:  # it fills it
                await self._end(slot, disk_full())
                return
            logger.warning("job %s: the store can't be used: %s", job_id, error)
            await self._put_back(job_id)
        except Exception:
            logger.exception("job %s: failed", job_id)
            failure = DownloadError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            await self._end(slot, failure)

    async def _run_steps(self, slot: Slot) -> None:
        """Run the steps from the first one that earlier attempts have not done."""
        job_id = slot.job.id
        folder = await threads.call(job_temp, self._temp, job_id)
        login, goes_on = await self._store.read(
            lambda tx: (tx.login(job_id), tx.has_results(job_id))
        )
        work = Work(
            slot=slot,
            task=replace(self._task(slot.job, folder), login=login),
            report=self._progress.reporter(slot),
            take_slot=partial(self._take_slot, slot),
        )
        first = await self._first_step(work) if goes_on else 0
        for step in self._steps[first:]:
            if not await step.run(work):
                return

    async def _first_step(self, work: Work) -> int:
        """Return the index of the last step that can begin; discard the results of later steps."""
        for index in range(len(self._steps) - 1, 0, -1):
            if await self._steps[index].can_begin(work):
                return index
            await self._steps[index].discard(work.job.id)
        return 0

    async def _fail(self, slot: Slot, error: DownloadError) -> None:
        """Complete the job with what it has recorded of a live stream, else end the attempt."""
        try:
            if failures.is_final(slot.job, error) and not self._stopping:
                if slot.stalled:
                    slot.go_on(self._engine.control())
                if await self._keep_recording(slot, error):
                    await self._run_steps(slot)
                    return
        except Stopped:
            if self._stopping or slot.interrupted or not slot.stopped.is_set():
                await self._put_back(slot.job.id)
            return
        except (DownloadError, OSError, StoreError) as problem:
            logger.warning("job %s: its recording could not be kept: %s", slot.job.id, problem)
        await self._end(slot, error)

    async def _keep_recording(self, slot: Slot, error: DownloadError) -> bool:
        """Commit what was recorded as the result of the steps; return whether there is any."""
        folder = await threads.call(job_temp, self._temp, slot.job.id)
        task, control = self._task(slot.job, folder), slot.control
        recorded = await self._threads.run(slot, lambda: self._engine.recorded(task, control))
        if recorded is None:
            return False
        logger.info("job %s: its recording is kept: %s", slot.job.id, error.message)
        results = steps.results_of(recorded, error)

        def save(tx: Tx) -> bool:
            return all(
                self._jobs.save_checkpoint(tx, slot.job.id, step, data)
                for step, data in results.items()
            )

        if not await self._commit(save):
            raise Stopped
        return True

    async def _end(self, slot: Slot, error: DownloadError) -> None:
        """Commit a failed attempt."""
        job_id = slot.job.id
        if slot.stopped.is_set() and self._stopping:
            await self._put_back(job_id)
            return
        if error.code is ErrorCode.DISK_FULL:
            # First: the store needs space to write the outcome.
            await threads.call(discard_temp, self._temp, job_id)
        await self._progress.save(slot)
        try:
            job = await self._commit(lambda tx: self._jobs.fail(tx, job_id, error))
        except StoreError as problem:
            if problem.kind is not StoreProblem.FULL or self._stopping:
                raise
            await threads.call(discard_temp, self._temp, job_id)
            job = await self._commit(
                lambda tx: self._jobs.fail(tx, job_id, disk_full()), patience=math.inf
            )
        if job is not None:
            logger.info("job %s: %s: %s", job.id, job.status, job.error_message)
        # The next job may fill the volume before the space is measured again.
        await threads.start(self._store.reserve.renew, "reserve")

    async def _put_back(self, job_id: str) -> None:
        await self._commit(lambda tx: self._jobs.put_back(tx, job_id), patience=math.inf)

    async def _commit(
        self,
        function: Callable[[Tx], T],
        *,
        patience: float = FULL_PATIENCE,
        durable: bool = True,
    ) -> T:
        """Write, repeated until it succeeds: an outcome must not be lost.

        For ``durable`` see `Store.write`. Raises `StoreError` only at shutdown, or if the volume is
        full for ``patience`` seconds: the job's own files may be what fills it.
        """
        log = logger.warning  # once
        since = time.monotonic()
        while True:
            try:
                return await self._store.write(function, durable=durable)
            except StoreError as error:
                waited = time.monotonic() - since
                if self._stopping or (error.kind is StoreProblem.FULL and waited >= patience):
                    raise
                log("runner: the store can't be written (%s); trying again", error)
                log = logger.debug
                await asyncio.sleep(STORE_RETRY)

    def _task(self, job: Job, folder: Path) -> Task:
        return Task(
            job_id=job.id,
            url=job.url,
            temp_dir=folder,
            options=job.options,
            playlist_limit=self._preferences.playlist_limit,
            session_id=job.session_id,
        )

    def _thread_changed(self, job_id: str) -> None:
        self._publisher.changed(Changes(queue=True))  # `state` shows the number of lost threads
        self._leftovers.look_at([job_id])
        self._wake.set()  # a job whose thread was lost may be claimed once that has ended
