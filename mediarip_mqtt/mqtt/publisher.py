"""Publishes retained topics: what is retained at the broker is a function of the store.

Transactions mark what they changed; workers render and publish what is marked. A mark is removed
before the topic is rendered and put back if the broker did not acknowledge: the newest value
always follows, and a topic that changes ten times before its turn is published once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mediarip_mqtt.contract.errors import LinkError, RefusedError, StoreError
from mediarip_mqtt.contract.models import Progress
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.reconciliation import outdated
from mediarip_mqtt.mqtt.retained_topics import (
    RETAINED,
    InfoTopic,
    JobListTopic,
    JobProgressTopic,
    JobsFailedTopic,
    JobsFinishedTopic,
    JobsNowTopic,
    JobStateTopic,
    RetainedTopic,
    Sources,
    StateTopic,
    ThumbnailTopic,
    TilesTopic,
    YtdlpTopic,
)
from mediarip_mqtt.mqtt.store_retry import STORE_RETRY, until_store_answers
from mediarip_mqtt.store import Changes

WORKERS: Final = 8
HEARTBEAT: Final = 30.0  # seconds
HISTORY_INTERVAL: Final = 1.0  # seconds

STATE: Final = StateTopic()
JOBS: Final = JobListTopic()
JOBS_NOW: Final = JobsNowTopic()
# By their names for whom they are listed; see `CardSources`.
LISTS: Final = {"now": JOBS_NOW, "finished": JobsFinishedTopic(), "failed": JobsFailedTopic()}
INFO: Final = InfoTopic()
THUMBNAIL: Final = ThumbnailTopic()
TILES: Final = TilesTopic()
YTDLP: Final = YtdlpTopic()

logger = logging.getLogger(__name__)


class Publisher:
    """Publishes as fast as the broker acknowledges, within each topic's rate limit."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        # OrderedDict: popping a dict's first key repeatedly is quadratic.
        self._dirty: OrderedDict[RetainedTopic, None] = OrderedDict()
        self._publishing: set[RetainedTopic] = set()  # one worker per topic keeps the order
        self._timers: dict[RetainedTopic, asyncio.TimerHandle] = {}
        self._marked_at: dict[RetainedTopic, float] = {}  # of topics that have an interval
        self._retries: dict[RetainedTopic, asyncio.TimerHandle] = {}  # of refused topics
        self._last: dict[RetainedTopic, str] = {}  # payloads of topics that skip unchanged ones
        self._wake = asyncio.Event()
        self._history_changed = asyncio.Event()
        self.published_at: float | None = None  # by time.monotonic

    # Marks

    def changed(self, changes: Changes) -> None:
        """Mark what a transaction changed."""
        if changes.jobs:
            self._history_changed.set()
        self._sources.lists.changed()
        for kind in RETAINED:
            for topic in kind.changed_by(changes, self._sources):
                if delay := topic.delay(changes, self._sources):
                    self.mark_in(topic, delay)
                elif kind.interval:
                    self.mark_within(topic, kind.interval)
                else:
                    self.mark(topic)

    def mark(self, topic: RetainedTopic) -> None:
        """Publish a topic as soon as possible."""
        self._dirty[topic] = None
        self._wake.set()

    def mark_within(self, topic: RetainedTopic, interval: float) -> None:
        """Publish a topic once ``interval`` seconds have passed since this last marked it."""
        wait = self._marked_at.get(topic, 0.0) + interval - time.monotonic()
        if wait <= 0:
            self._mark_due(topic)
        else:
            self._start_timer(topic, wait, self._mark_due)

    def count_as_marked(self, topic: RetainedTopic) -> None:
        """Let the interval of `mark_within` begin now; `forget` ends that."""
        self._marked_at[topic] = time.monotonic()

    def mark_in(self, topic: RetainedTopic, seconds: float) -> None:
        """Publish a topic in so many seconds, or earlier if that is already planned."""
        if seconds <= 0:
            self._release(topic)
            return
        timer = self._timers.get(topic)
        if timer and timer.when() > asyncio.get_running_loop().time() + seconds:
            self._stop_timer(topic)
        self._start_timer(topic, seconds, self._release)

    def mark_lists(self, names: Iterable[str]) -> None:
        """Publish lists because of a change that can wait, such as a tile."""
        for name in names:
            topic = LISTS[name]
            self.mark_in(topic, topic.pace(self._sources).later())

    def mark_summaries(self, sessions: Iterable[str], interval: float) -> None:
        """Publish `state` and the lists that show jobs of the sessions; see `mark_within`."""
        for topic in (STATE, *JobListTopic.of_sessions(sessions, self._sources)):
            self.mark_within(topic, interval)

    def mark_all(self) -> None:
        """Mark the single topics and every setting; `reconcile` marks topics of jobs."""
        self._last.clear()  # another broker, or one that lost it, needs it again
        for kind in RETAINED:
            for topic in kind.at_connect(self._sources):
                self.mark(topic)

    async def reconcile(self, retained: Mapping[str, str]) -> None:
        """Mark the topics of jobs that differ from what is retained; see `outdated`."""
        if self._sources.topics.thumbnail in retained and not self._sources.service.shows_job():
            self.mark(THUMBNAIL)
        async for topic in outdated(retained, self._sources):
            self.mark(topic)

    def set_live(self, progress: Progress) -> None:
        """Publish this progress of the job from now on instead of the store's."""
        self._sources.live[progress.id] = progress
        if (seconds := self._sources.lists.due(progress)) is not None:
            self.mark_in(JOBS_NOW, seconds)

    def drop_live(self, job_id: str) -> None:
        """Publish the job's progress from the store from now on."""
        self._sources.live.pop(job_id, None)
        self.mark_in(JOBS_NOW, JOBS_NOW.pace(self._sources).soon())

    def forget(self, topic: RetainedTopic) -> None:
        """Drop a mark that waits for its interval."""
        self._marked_at.pop(topic, None)
        self._stop_timer(topic)

    def _mark_due(self, topic: RetainedTopic) -> None:
        self._marked_at[topic] = time.monotonic()
        self._release(topic)

    def _release(self, topic: RetainedTopic) -> None:
        self._stop_timer(topic)
        self.mark(topic)

    def _start_timer(
        self, topic: RetainedTopic, seconds: float, due: Callable[[RetainedTopic], None]
    ) -> None:
        if topic not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[topic] = loop.call_later(seconds, due, topic)

    def _stop_timer(self, topic: RetainedTopic) -> None:
        if timer := self._timers.pop(topic, None):
            timer.cancel()

    # Work

    async def run(self, link: Link) -> None:
        """Publish over one connection; raise a group of `LinkError` if it is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(), name="heartbeat")
            group.create_task(self._follow_history(), name="retained-history")
            for number in range(WORKERS):
                group.create_task(self._publish_dirty(link), name=f"publisher-{number}")

    async def publish(self, link: Link, topic: RetainedTopic) -> None:
        """Publish one topic now; leave it marked if the store can't be read."""
        self._dirty.pop(topic, None)
        try:
            await self._send(link, topic)
        except StoreError as error:
            self.mark(topic)
            logger.debug("mqtt: %s: the store can't be read (%s); trying again", topic, error)
        except RefusedError as error:
            self._retry_later(topic, error)

    async def drain(self, link: Link) -> None:
        """Publish all marked topics, including those that wait for their interval; then return."""
        for waiting in (*self._timers, STATE, JOBS):
            self._release(waiting)
        while self._dirty or self._publishing or self._timers:
            if topic := self._next():
                await self._publish_one(link, topic)
            else:
                await asyncio.sleep(0.01)  # workers are busy, or a rate limit delays a topic

    async def _beat(self) -> None:
        while True:
            self.mark(STATE)
            if self._sources.lists.overdue():
                self.mark(JOBS_NOW)
            await asyncio.sleep(HEARTBEAT)

    async def _follow_history(self) -> None:
        """Mark the topics of finished jobs that are no longer, or again, among the retained."""
        while True:
            await self._history_changed.wait()
            await asyncio.sleep(HISTORY_INTERVAL)
            self._history_changed.clear()
            for job in await until_store_answers(self._sources.history.update, "retained history"):
                self.mark(JobStateTopic(job.id, job.session_id))
                self.mark(JobProgressTopic(job.id, job.session_id))

    async def _publish_dirty(self, link: Link) -> None:
        while True:
            while not (topic := self._next()):
                self._wake.clear()
                await self._wake.wait()
            await self._publish_one(link, topic)

    def _next(self) -> RetainedTopic | None:
        """Remove and return the next mark; None if all marked topics are being published."""
        # `state` first: it can be rendered even while the store can't be read.
        if STATE in self._dirty:
            self._dirty.move_to_end(STATE, last=False)
        topic = next((topic for topic in self._dirty if topic not in self._publishing), None)
        if topic:
            del self._dirty[topic]
        return topic

    async def _publish_one(self, link: Link, topic: RetainedTopic) -> None:
        try:
            await self._send(link, topic)
        except (LinkError, asyncio.CancelledError):
            self._dirty[topic] = None  # the broker may not have it
            raise
        except StoreError as error:
            self.mark(topic)
            logger.debug("mqtt: %s: the store can't be read (%s); trying again", topic, error)
            await asyncio.sleep(STORE_RETRY)
        except RefusedError as error:
            self._retry_later(topic, error)
        except Exception:
            # Skipped, not tried again: one bad row must not stop all other topics.
            logger.exception("mqtt: %s can't be published", topic)

    def _retry_later(self, topic: RetainedTopic, error: RefusedError) -> None:
        """Publish a topic that the broker refused once it may take it."""
        logger.debug("mqtt: %s", error.message)
        if error.retry_in < math.inf and topic not in self._retries:
            loop = asyncio.get_running_loop()
            self._retries[topic] = loop.call_later(error.retry_in, self._retry, topic)

    def _retry(self, topic: RetainedTopic) -> None:
        del self._retries[topic]
        self.mark(topic)

    async def _send(self, link: Link, topic: RetainedTopic) -> None:
        self._publishing.add(topic)
        try:
            rendered = await topic.render(self._sources)
            if rendered is None:
                return
            address, payload = rendered
            if topic.skips_unchanged and self._last.get(topic) == payload:
                return
            if payload and (seconds := topic.wait(self._sources)) > 0:
                self._start_timer(topic, seconds, self._release)
                return
            try:
                await link.publish(address, payload, qos=topic.qos, retain=True)
            finally:
                if payload:
                    # Also after an error: the broker may have it.
                    topic.sent(self._sources)
            if topic.skips_unchanged:
                self._last[topic] = payload
            self.published_at = time.monotonic()
        finally:
            self._publishing.discard(topic)
            if self._dirty:
                self._wake.set()
