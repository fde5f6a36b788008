"""Runs the jobs: takes them from the queue, owns the slots, writes down how they end.

The store is the truth. A command changes a job's row; the runner sees the change and stops the
thread of a job that is no longer active. A thread never touches the store: it overwrites its slot's
report and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped, StoreError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import ACTIVE, TERMINAL, Job, JobStatus, PauseReason
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Engine, Extraction, Task
from mediarip_mqtt.jobs import failures
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.probes import Answer, Probing
from mediarip_mqtt.jobs.progress import ProgressTracker
from mediarip_mqtt.jobs.slot import Slot
from mediarip_mqtt.jobs.steps.place import Placing
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.volume.files import discard_temp, job_temp, sweep_temp

T = TypeVar("T")
LOOKAHEAD: Final = 2  # extractions that run while all slots download
READY_LIMIT: Final = 4  # pages kept for a slot
LOST_AFTER: Final = 2.0  # seconds after its stop that a thread counts as lost
STORE_RETRY: Final = 2.0

logger = logging.getLogger(__name__)


class Runner:
    """Owns everything that runs."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it joins
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
        stall_timeout: float,
        limits: Limits,
        answer_probe: Answer,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._engine = engine
        self._publisher = publisher
        self._preferences = preferences
        self._root = root
        self._temp = temp
        self._stall_timeout = stall_timeout
        self._clock = clock
        self._limits = limits
        self._slots: dict[str, Slot] = {}
        self._ready: dict[str, Extraction] = {}
        self._lost: set[str] = set()
        self._leftovers: set[str] = set()
        self._cleaning: set[str] = set()  # whose temporary files go at this moment
        self._wake = asyncio.Event()
        self._clean = asyncio.Event()
        self._placing = Placing(store, jobs, root, self._commit)
        self._idle = asyncio.Event()
        self._ending = asyncio.Event()
        self._progress = ProgressTracker(
            store,
            publisher,
            self._slots,
            temp=temp,
            stall_timeout=stall_timeout,
            ending=self._ending,
            clock=clock,
        )
        self._probing = Probing(
            store,
            engine,
            topics,
            extract=self._in_thread,
            commit=self._commit,
            answer=answer_probe,
            task=lambda job: self._task(job, temp),
            done=self._wake.set,
            ending=self._ending,
            clock=clock,
        )
        self.hold: PauseReason | None = None
        self.looked_at = time.monotonic()  # when the queue was last looked at

    @property
    def _stopping(self) -> bool:
        return self._ending.is_set()

    @property
    def lost_threads(self) -> int:
        """How many threads did not end when they were stopped."""
        return len(self._lost)

    def changed(self, changes: Changes) -> None:
        """See what a transaction changed."""
        self._leftovers |= changes.jobs.keys()
        if changes.jobs or changes.queue or changes.probes or changes.settings:
            self._clean.set()
            self._wake.set()

    def wake(self) -> None:
        """Look at the queue again."""
        self._wake.set()

    async def recover(self) -> None:
        """Put back what ran when the service ended, and remove what belongs to no job."""
        put = await self._store.write(self._jobs.recover)
        if put:
            logger.info("runner: %d jobs go on that ran when the service ended", len(put))
        self._leftovers |= await self._store.read(Tx.planned_jobs)  # of some that ended
        self._clean.set()
        keep = await self._store.read(failures.with_partials)
        try:
            await threads.call(sweep_temp, self._temp, keep)
        except OSError as error:
            logger.warning("runner: old temporary files can't be removed: %s", error)

    async def run(self) -> None:
        """Run jobs until `shutdown`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._progress.save_continuously(), name="progress")
            group.create_task(self._progress.end_stalled(), name="stalled")
            group.create_task(self._remove_leftovers(), name="leftovers")
            group.create_task(self._schedule(group), name="schedule")

    def apply_limits(self) -> None:
        """Let running downloads go as fast as they may now."""
        now = self._clock()
        for slot in self._slots.values():
            slot.control.limit(self._limits.rate(slot.job, now))

    def interrupt(self, *, live: bool = True) -> None:
        """Stop downloads for now, also of live streams or not; they go back to the queue."""
        for slot in self._slots.values():
            if live or not slot.live:
                slot.interrupted = True
                slot.stop()

    async def drain(self, seconds: float) -> None:
        """Wait until nothing runs, at most so long; `hold` keeps new work away."""
        if not await self._until_idle(seconds):
            logger.info("runner: %d downloads go on after the switch", len(self._slots))

    async def shutdown(self, grace: float) -> None:
        """Stop all work and put unfinished jobs back, within ``grace`` seconds."""
        self._ending.set()
        self._wake.set()
        self._clean.set()
        for slot in list(self._slots.values()):
            slot.stop()
        if not await self._until_idle(grace):
            logger.warning("runner: %d threads did not stop in time", len(self._slots))
        try:
            await self._store.write(self._jobs.put_all_back)
        except StoreError as error:
            logger.warning("runner: the next start puts the jobs back: %s", error)

    async def _until_idle(self, seconds: float) -> bool:
        """Wait until nothing runs, at most so long; return whether it is so."""
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
            moment = self._clock()  # before the claims: what becomes due meanwhile is not missed
            try:
                await self._stop_inactive()
                await self._probing.start(group)
                if self.hold is None:
                    await self._start_jobs(group)
                due = await self._store.read(partial(Tx.next_time, now=moment))
            except StoreError as error:
                log = logger.debug if self.hold is PauseReason.STORAGE_LOST else logger.warning
                log("runner: the store can't be used (%s); trying again", error)
                due = None
                await asyncio.sleep(STORE_RETRY)
            except Exception:
                # One job's row must not end all the others.
                logger.exception("runner: the queue could not be looked at")
                due = None
                await asyncio.sleep(STORE_RETRY)
            await self._wait(due)

    async def _wait(self, due: datetime | None) -> None:
        seconds = 60.0
        if (pause := self._limits.next_start()) is not None:
            seconds = min(max(pause, 0.05), seconds)
        if due is not None:
            seconds = min(max((due - self._clock()).total_seconds(), 0.05), seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _stop_inactive(self) -> None:
        """Stop the threads of jobs that a command has taken out of work."""
        for job_id, slot in list(self._slots.items()):
            if not slot.stopped.is_set():
                job = await self._store.read(partial(Tx.job, job_id=job_id))
                if job is None or job.status not in ACTIVE:
                    slot.stop()

    async def _start_jobs(self, group: asyncio.TaskGroup) -> None:
        while not self._stopping and self._busy(ahead=False) < self._preferences.max_concurrent:
            if not await self._start(group, ahead=False):
                return
        while not self._stopping and self._busy(ahead=True) < LOOKAHEAD:
            # All slots are taken: read the pages of the next ones meanwhile.
            if not await self._start(group, ahead=True):
                return

    def _busy(self, *, ahead: bool) -> int:
        return sum(slot.ahead is ahead for slot in self._slots.values())

    async def _start(self, group: asyncio.TaskGroup, *, ahead: bool) -> bool:
        depth = LOOKAHEAD if ahead else 1
        busy = self._limits.busy_sites(slot.job for slot in self._slots.values())

        def claim(tx: Tx) -> Job | None:
            # Read here: what is cleaned up since a moment ago was looked at before this.
            excluded = [*self._slots, *self._lost, *self._cleaning]
            known = self._ready.__contains__
            return self._jobs.claim(tx, excluded, extracted=known, depth=depth, busy_sites=busy)

        job = await self._store.write(claim)
        if job is None or self._stopping:
            return False  # `put_all_back`, which waits behind the claim, puts it back
        if self.hold is not None:  # since a moment ago
            await self._store.write(lambda tx: self._jobs.put_back(tx, job.id))
            return False
        slot = Slot(job, self._engine.control(), ahead=ahead)
        slot.control.limit(self._limits.rate(job, self._clock()))
        self._limits.started(job)
        self._slots[job.id] = slot
        group.create_task(self._run(slot), name=f"job-{job.id}")
        return True

    # One job

    async def _run(self, slot: Slot) -> None:
        job_id = slot.job.id
        try:
            await self._guarded(slot)
        except StoreError as error:
            # Only at the end of the service: the next start puts the job back.
            logger.warning("job %s: its end could not be written: %s", job_id, error)
        except Exception:
            # One job's data must not end all the others.
            logger.exception("job %s: its end could not be written", job_id)
        finally:
            self._slots.pop(job_id, None)
            self._progress.stopped(slot)
            self._leftovers.add(job_id)
            self._clean.set()
            self._wake.set()
            self._idle.set()

    async def _guarded(self, slot: Slot) -> None:
        """Run an attempt and commit how it ended; no failure of one job touches another."""
        job_id = slot.job.id
        try:
            await self._attempt(slot)
        except Stopped:
            if slot.stalled and not self._stopping:
                await self._end(slot, failures.stalled(self._stall_timeout))
                return
            await self._progress.save(slot)
            if self._stopping or slot.interrupted or not slot.stopped.is_set():
                await self._commit(lambda tx: self._jobs.put_back(tx, job_id))
        except DownloadError as error:
            await self._end(slot, error)
        except OSError as error:
            await self._end(slot, failures.storage_failure(error))
        except StoreError as error:
            logger.warning("job %s: the store can't be used: %s", job_id, error)
            await self._commit(lambda tx: self._jobs.put_back(tx, job_id))
        except Exception:
            logger.exception("job %s: failed", job_id)
            failure = DownloadError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            await self._end(slot, failure)

    async def _end(self, slot: Slot, error: DownloadError) -> None:
        if slot.stopped.is_set() and self._stopping:
            await self._commit(lambda tx: self._jobs.put_back(tx, slot.job.id))
            return
        if error.code is ErrorCode.DISK_FULL:
            # First of all: the store needs some space to write down what happened.
            await threads.call(discard_temp, self._temp, slot.job.id)
        await self._progress.save(slot)
        job = await self._commit(lambda tx: self._jobs.fail(tx, slot.job.id, error))
        if job is not None:
            logger.info("job %s: %s: %s", job.id, job.status, error.message)

    async def _attempt(self, slot: Slot) -> None:
        job = slot.job
        extraction = self._ready.pop(job.id, None)  # used once, whatever comes of it
        planned = await self._store.read(lambda tx: tx.files(job.id, planned=True))
        if planned:  # killed between the commit of the names and the end of the move
            if await threads.call(failures.still_there, self._root, planned):
                await self._placing.place(job.id, planned, named=True)
                return
            await self._placing.give_up(job.id)
        temp = await threads.call(job_temp, self._temp, job.id)
        task = self._task(job, temp)
        if extraction is None:
            extraction = await self._in_thread(
                slot, lambda: self._engine.extract(task, slot.control)
            )
            if await self._take_extraction(slot, extraction):
                return
        else:
            slot.live = extraction.info.live_status == "is_live"
            await self._commit(
                lambda tx: self._jobs.extracted(tx, job.id, extraction.info, JobStatus.DOWNLOADING)
            )
        report = self._progress.reporter(slot)
        files = await self._in_thread(
            slot, lambda: self._engine.download(task, extraction, slot.control, report)
        )
        await self._placing.place(job.id, files)

    async def _take_extraction(self, slot: Slot, extraction: Extraction) -> bool:
        """Commit what the page says; return whether this run of the job ends with it."""
        job_id, info = slot.job.id, extraction.info
        slot.live = info.live_status == "is_live"
        if info.is_playlist:
            await self._commit(lambda tx: self._jobs.expand(tx, job_id, info))
            return True
        if slot.ahead and self._busy(ahead=False) >= self._preferences.max_concurrent:
            self._ready[job_id] = extraction
            while len(self._ready) > READY_LIMIT:
                self._ready.pop(next(iter(self._ready)))  # read anew when its turn comes
            await self._commit(lambda tx: self._jobs.extracted(tx, job_id, info, JobStatus.QUEUED))
            return True
        slot.ahead = False
        job = await self._commit(
            lambda tx: self._jobs.extracted(tx, job_id, info, JobStatus.DOWNLOADING)
        )
        if job is None:
            raise Stopped
        return False

    def _task(self, job: Job, temp: Path) -> Task:
        return Task(
            job_id=job.id,
            url=job.url,
            temp_dir=temp,
            options=DownloadOptions(**job.model_dump(include=set(DownloadOptions.model_fields))),
            playlist_limit=self._preferences.playlist_limit,
            session_id=job.session_id,
        )

    # Threads

    async def _in_thread(self, slot: Slot, function: Callable[[], T]) -> T:
        """Run a blocking call in a thread of its own; leave it behind where it does not stop."""
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
        self._give_up(slot, future)
        raise Stopped

    def _give_up(self, slot: Slot, future: asyncio.Future[T]) -> None:
        job_id = slot.job.id
        self._lost.add(job_id)
        self._publisher.changed(Changes(queue=True))  # `state` counts them
        logger.error(
            "job %s: its thread did not stop within %.0f s; its slot was replaced",
            job_id,
            LOST_AFTER,
        )

        def ended(done: asyncio.Future[T]) -> None:
            done.exception()
            self._lost.discard(job_id)
            self._publisher.changed(Changes(queue=True))
            self._leftovers.add(job_id)
            self._clean.set()
            logger.info("job %s: its lost thread has ended", job_id)

        future.add_done_callback(ended)

    # The rest

    async def _commit(self, function: Callable[[Tx], T]) -> T:
        """Write, and try again until the store takes it: an outcome must not be forgotten."""
        log = logger.warning  # once
        while True:
            try:
                return await self._store.write(function)
            except StoreError as error:
                if self._stopping:
                    raise
                log("runner: the store can't be written (%s); trying again", error)
                log = logger.debug
                await asyncio.sleep(STORE_RETRY)

    async def _remove_leftovers(self) -> None:
        """Remove the temporary folders of jobs that ended or are gone."""
        while not self._stopping:
            await self._clean.wait()
            self._clean.clear()
            todo, self._leftovers = self._leftovers, set()
            for job_id in todo:
                if job_id in self._slots or job_id in self._lost:
                    continue  # its end brings it here again
                self._cleaning.add(job_id)
                try:
                    await self._clean_up(job_id)
                except (OSError, StoreError) as error:
                    self._leftovers.add(job_id)  # tried again with the next change
                    logger.warning(
                        "job %s: its temporary files can't be removed: %s", job_id, error
                    )
                finally:
                    self._cleaning.discard(job_id)
                    self._wake.set()  # it may be in the queue, passed over until now

    async def _clean_up(self, job_id: str) -> None:
        job = await self._store.read(partial(Tx.job, job_id=job_id))
        if job is not None and job.status not in TERMINAL:
            return
        if job is not None and failures.resumable(job):
            await threads.call(failures.discard_empty, self._temp, job_id)
            return
        self._ready.pop(job_id, None)
        await self._placing.give_up(job_id)
        await threads.call(discard_temp, self._temp, job_id)
