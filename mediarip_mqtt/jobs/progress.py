"""The progress of running jobs, from their threads to the store and the broker.

All throttling of progress is here: how often it is saved, how much it must change to be published,
and how many messages a job may send. Progress is published only after its commit: otherwise it
could fall after a kill.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import ACTIVE, Progress
from mediarip_mqtt.engine.protocol import Report
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.retained_topics import (
    PROGRESS_DELAY,
    JobProgressTopic,
    JobStateTopic,
)
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume import files

# Percent of the whole job, and seconds.
SAVE_STEP: Final = 0.5
SAVE_INTERVAL: Final = 0.2  # between two commits for all jobs together
SLOW_SAVE_INTERVAL: Final = 1.0  # the same if each commit waits for a disk or NAS
PUBLISH_STEP: Final = 1.0
PUBLISH_AGE: Final = 2.0  # seconds after the last message; then a smaller step is published
STATE_INTERVAL: Final = 2.0  # between two `job/<id>/state`, or summaries, for mere progress
MESSAGES: Final = 5  # per job and window
MESSAGE_WINDOW: Final = 1.25  # the contract's second plus a margin for latency
WATCH_INTERVAL: Final = 5.0  # between two checks for stalled jobs

logger = logging.getLogger(__name__)


class MessageLimit:
    """Allows each job `MESSAGES` progress messages in any `MESSAGE_WINDOW`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Job id to the times of its last messages; ordered by the newest one.
        self._sent_at: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, job_id: str) -> float:
        """Return the seconds until the job's next message may be sent; 0 if it may be sent now."""
        sent_at = self._sent_at.get(job_id)
        if sent_at is None or len(sent_at) < MESSAGES:
            return 0.0
        return max(0.0, sent_at[0] + MESSAGE_WINDOW - self._clock())

    def sent(self, job_id: str) -> None:
        """Count a message that was sent."""
        now = self._clock()
        self._sent_at.setdefault(job_id, deque(maxlen=MESSAGES)).append(now)
        self._sent_at.move_to_end(job_id)
        while next(iter(self._sent_at.values()))[-1] + MESSAGE_WINDOW < now:
            self._sent_at.popitem(last=False)


class ProgressTracker:
    """Saves and publishes the progress of the jobs in ``slots`` (job id to `Slot`)."""

    def __init__(  # noqa: PLR0913 - its dependencies
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
        self._reported = asyncio.Event()

    def reporter(self, slot: Slot) -> Callable[[Report], None]:
        """Return the function that a job's threads call with each report.

        It only overwrites the last report, and wakes the event loop if that one was already taken.
        """
        loop = asyncio.get_running_loop()
        # The transaction that began the attempt has marked it.
        self._publisher.count_as_marked(JobStateTopic(slot.job.id, slot.job.session_id))

        def report(newest: Report) -> None:
            slot.report = newest
            if not slot.reported and not loop.is_closed():
                slot.reported = True
                loop.call_soon_threadsafe(self._reported.set)

        return report

    async def save_continuously(self) -> None:
        """Save reported progress, all jobs in one transaction; then publish it."""
        interval = SAVE_INTERVAL if self._store.has_log else SLOW_SAVE_INTERVAL
        while not self._ending.is_set():
            await self._reported.wait()
            self._reported.clear()
            for slot in self._slots.values():
                slot.take_report(self._clock())
            now = time.monotonic()
            due = [slot for slot in self._slots.values() if _must_be_saved(slot, now)]
            if due:
                await self.save(*due)
            await asyncio.sleep(interval)
            if any(slot.moved_since(slot.saved) for slot in self._slots.values()):
                self._reported.set()  # small steps are saved once they are old enough

    async def save(self, *slots: Slot) -> None:
        """Commit the newest progress of jobs; publish it for those that still run.

        A failure is only logged: the next report is saved again.
        """
        for slot in slots:
            slot.take_report(self._clock())
        newest = [(slot, slot.progress) for slot in slots if slot.progress]
        if not newest:
            return
        rows = [progress for _, progress in newest]
        try:
            saved = await self._store.write(lambda tx: _save(tx, rows), durable=False)
        except StoreError as error:
            logger.debug("runner: progress not saved: %s", error)
            return
        except Exception:
            logger.exception("runner: progress not saved")
            return
        sessions: set[str] = set()
        for slot, progress in newest:
            if slot.job.id not in saved:
                continue
            before, slot.saved = slot.saved, progress
            # The publisher would keep the progress of an ended job forever.
            if not slot.stopped.is_set() and slot.job.id in self._slots:
                self._publish(slot, progress, before)
                sessions.add(slot.job.session_id)
        if sessions:
            self._publisher.mark_summaries(sessions, STATE_INTERVAL)

    def stopped(self, slot: Slot) -> None:
        """Publish the stored progress of a job that no longer runs."""
        job_id, session = slot.job.id, slot.job.session_id
        self._publisher.drop_live(job_id)
        # The transaction that ended the job has marked its state.
        self._publisher.forget(JobStateTopic(job_id, session))
        self._publisher.forget(JobProgressTopic(job_id, session))
        self._publisher.mark(JobProgressTopic(job_id, session))

    def _publish(self, slot: Slot, progress: Progress, before: Progress | None) -> None:
        """Have progress published that is in the store; ``before`` was there until now."""
        job_id, session = slot.job.id, slot.job.session_id
        self._publisher.set_live(progress)
        now = time.monotonic()
        if _must_be_published(slot, progress, now):
            same_phase = slot.published is not None and slot.published.phase == progress.phase
            slot.published, slot.published_at = progress, now
            self._publisher.mark_in(
                JobProgressTopic(job_id, session), 0.0 if same_phase else PROGRESS_DELAY
            )
        # Publish a new phase soon: nothing else may change for minutes.
        same_phase = before is not None and before.phase == progress.phase
        self._publisher.mark_within(
            JobStateTopic(job_id, session), STATE_INTERVAL if same_phase else PROGRESS_DELAY
        )

    async def end_stalled(self) -> None:
        """End attempts that make no progress: no bytes, no new phase, no growing file.

        A live stream that does not grow has ended: its recording is finished and kept.
        """
        limit = self._stall_timeout
        while limit and not self._ending.is_set():
            await asyncio.sleep(min(limit / 4, WATCH_INTERVAL))
            for slot in list(self._slots.values()):
                slot.take_report(self._clock())  # the store may hang, and `save_continuously` too
                idle = time.monotonic() - max(slot.moved_at, slot.control.touched)
                if slot.stopped.is_set() or idle < limit / 2:
                    continue
                try:
                    async with asyncio.timeout(WATCH_INTERVAL):
                        size = await threads.start(
                            partial(files.size, self._temp, slot.job.id), "size"
                        )
                except (OSError, TimeoutError):
                    continue  # the volume does not answer; the site is not to blame
                if size != slot.temp_size:
                    slot.temp_size, slot.moved_at = size, time.monotonic()
                elif idle >= limit:
                    _end_stalled(slot, idle)


def _end_stalled(slot: Slot, idle: float) -> None:
    """Stop an attempt; a stream that doesn't grow has ended, and its recording is finished."""
    if slot.control.live and not slot.finishing:
        logger.info("job %s: nothing of its stream for %.0f s: it has ended", slot.job.id, idle)
        slot.finishing, slot.moved_at = True, time.monotonic()
        slot.control.finish("stalled")
        return
    logger.warning("job %s: no progress for %.0f s", slot.job.id, idle)
    slot.stalled = True
    slot.stop()


def _save(tx: Tx, rows: list[Progress]) -> set[str]:
    """Save progress; return the ids of the jobs whose progress is saved.

    Not saved: a job that a command has just paused or cancelled, though its thread still runs.
    """
    tx.save_progress(rows)
    jobs = [tx.job(progress.id) for progress in rows]
    return {job.id for job in jobs if job is not None and job.status in ACTIVE}


def _must_be_saved(slot: Slot, now: float) -> bool:
    progress, saved = slot.progress, slot.saved
    if progress is None or saved is None:
        return progress is not None
    if progress.phase != saved.phase:
        return True
    if progress.progress_percent - saved.progress_percent >= SAVE_STEP:
        return True
    # Only saved progress is published.
    return slot.moved_since(saved) and now - slot.published_at >= PUBLISH_AGE


def _must_be_published(slot: Slot, progress: Progress, now: float) -> bool:
    published = slot.published
    if published is None or progress.phase != published.phase:
        return True
    if progress.progress_percent - published.progress_percent >= PUBLISH_STEP:
        return True
    return slot.moved_since(published) and now - slot.published_at >= PUBLISH_AGE
