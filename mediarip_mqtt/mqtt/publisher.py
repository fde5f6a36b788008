"""The projection: what is retained at the broker is a function of the store.

Transactions leave marks on what they changed; workers read the rows behind the marks and publish
them. A mark is taken off before the row is read and put back where the broker did not acknowledge,
so the newest state always follows. Replies and events are a queue instead: the rows of the outbox.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from mediarip_mqtt.contract.errors import LinkError, StoreError
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.models import Job, JobStatus, Progress, utc_iso
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.topic_payloads import Info, State, Ytdlp
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics, dumps
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.activity import Activity
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.retained_scan import digest
from mediarip_mqtt.mqtt.summaries import ServiceState, last_job, render_jobs, status_of
from mediarip_mqtt.store import Changes, Outgoing, Store, Tx

T = TypeVar("T")
WORKERS: Final = 8
OUTBOX_BATCH: Final = 200
STORE_RETRY: Final = 2.0  # seconds
PROGRESS_INTERVAL: Final = 0.2  # seconds; at most five messages a second for a job
PROGRESS_STEP: Final = 1.0  # percent
PROGRESS_AGE: Final = 2.0  # seconds
SUMMARY_INTERVAL: Final = 0.5  # seconds between two of `state` or `jobs`
STATE_INTERVAL: Final = 2.0  # seconds between two states of a job that only progressed
HEARTBEAT: Final = 30.0  # seconds
SCAN_PAGE: Final = 200
TRIES: Final = 5  # on as many connections, after which a message that ended all is left out

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """Something that is published: a job, its progress, a setting, or one of the single topics.

    ``session`` is whose job or list it is; of kind `clear` is a topic that is to be empty.
    """

    kind: str
    name: str = ""
    session: str = ROOT_SESSION


STATE: Final = Key("state")
JOBS: Final = Key("jobs")
INFO: Final = Key("info")
THUMBNAIL: Final = Key("thumbnail")
YTDLP: Final = Key("ytdlp")


@dataclass
class _Shown:
    """What of a job's progress was published last."""

    at: float = 0.0
    percent: float = -100.0
    received: int = -1
    phase: str = ""
    state_phase: str = ""


class Publisher:
    """Publishes what changed: as fast as the broker takes it, no faster than the contract says."""

    def __init__(  # noqa: PLR0913 - the sources of what is published
        self,
        topics: Topics,
        store: Store,
        preferences: Preferences,
        *,
        state: Callable[[], ServiceState],
        info: Callable[[], Info],
        told: Callable[[dict[str, Any]], None],
        picture: Callable[[], str | None],
        ytdlp: Callable[[], dict[str, Any]],
        clock: Callable[[], datetime],
    ) -> None:
        self._topics = topics
        self._store = store
        self._preferences = preferences
        self._state = state
        self._info = info
        self._told = told
        self._picture = picture
        self._ytdlp = ytdlp
        self._clock = clock
        # The first of a plain dictionary is found behind all that were removed: the square of many.
        self._dirty: OrderedDict[Key, None] = OrderedDict()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._last: dict[Key, float] = {}  # of the summaries: some for each session
        self._live: dict[str, Progress] = {}
        self._shown: dict[str, _Shown] = {}
        self._activity = Activity()
        self._found: tuple[list[Job], dict[str, Any]] | None = None  # what `state` told last
        self.published_at: float | None = None  # by time.monotonic
        self._publishing = 0
        self._sending = asyncio.Lock()
        self._unsent: dict[int, int] = {}  # outbox rows to how often sending them was tried
        self._sent: set[int] = set()  # rows that the store does not know to be sent
        self._wake = asyncio.Event()
        self._outbox_wake = asyncio.Event()

    # Marks

    def changed(self, changes: Changes) -> None:
        """Mark what a transaction changed."""
        for job_id, session in changes.jobs.items():
            self.mark(Key("job", job_id, session))
            if job_id not in self._live:
                self.mark(Key("progress", job_id, session))
        for key in changes.settings:
            if key.startswith(PREFIX):
                self.mark(Key("setting", key.removeprefix(PREFIX)))
        if changes.jobs or changes.queue or changes.settings:
            self._mark_summaries({*changes.jobs.values(), *changes.cleared})
        if changes.outbox:
            self._outbox_wake.set()

    def mark(self, key: Key) -> None:
        """Mark one key."""
        self._dirty[key] = None
        self._wake.set()

    def progressed(self, progress: Progress, session: str) -> None:
        """Take the newest progress of a running job; publish it when the contract says so."""
        self._live[progress.id] = progress
        shown = self._shown.setdefault(progress.id, _Shown())
        age = time.monotonic() - shown.at
        if age < PROGRESS_INTERVAL:
            return
        moved = progress.progress_percent - shown.percent >= PROGRESS_STEP
        received = progress.downloaded_bytes != shown.received
        if moved or progress.phase != shown.phase or (age >= PROGRESS_AGE and received):
            shown.at, shown.percent = time.monotonic(), progress.progress_percent
            shown.received, shown.phase = progress.downloaded_bytes, progress.phase
            self.mark(Key("progress", progress.id, session))

    def saved(self, jobs: dict[str, str]) -> None:
        """Mark jobs (id to session) whose progress the store took over.

        A job's state follows its progress slowly, but its phase at once.
        """
        for job_id, session in jobs.items():
            key = Key("job", job_id, session)
            shown = self._shown.setdefault(job_id, _Shown())
            if self._live[job_id].phase != shown.state_phase:  # the last change for minutes, maybe
                shown.state_phase = self._live[job_id].phase
                self._mark_now(key)
            else:
                self._mark_later(key, STATE_INTERVAL)
        for key in (STATE, *self._lists(set(jobs.values()))):
            self._mark_later(key, STATE_INTERVAL)

    def stopped(self, job_id: str, session: str) -> None:
        """Forget a job's live progress: from now on the store's is published."""
        self._live.pop(job_id, None)
        self._shown.pop(job_id, None)
        key = Key("job", job_id, session)
        self._last.pop(key, None)
        if timer := self._later.pop(key, None):
            timer.cancel()  # its end is told by the transaction that ended it
        self.mark(Key("progress", job_id, session))

    def _mark_summaries(self, sessions: set[str]) -> None:
        for key in (STATE, *self._lists(sessions)):
            self._mark_later(key, SUMMARY_INTERVAL)

    def _lists(self, sessions: set[str]) -> set[Key]:
        """Return the lists of jobs in which those of some sessions stand."""
        if not self._topics.isolated:
            return {JOBS}
        return {JOBS, *(Key("jobs", session=one) for one in sessions)}

    def _mark_later(self, key: Key, interval: float) -> None:
        """Mark a key at once, or as soon as it was not published for an interval."""
        wait = self._last.get(key, 0.0) + interval - time.monotonic()
        if wait <= 0:
            self._last[key] = time.monotonic()
            self.mark(key)
        elif key not in self._later:
            self._later[key] = asyncio.get_running_loop().call_later(wait, self._mark_now, key)

    def _mark_now(self, key: Key) -> None:
        if timer := self._later.pop(key, None):
            timer.cancel()
        self._last[key] = time.monotonic()
        self.mark(key)

    # Work

    async def run(self, link: Link) -> None:
        """Publish over one connection until it is lost (`LinkError`)."""
        lost: BaseExceptionGroup[LinkError] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drain_outbox(link), name="outbox")
                group.create_task(self._beat(), name="heartbeat")
                for number in range(WORKERS):
                    group.create_task(self._publish_dirty(link), name=f"publisher-{number}")
        except* LinkError as errors:
            lost = errors  # Python 3.11.2 would wrap what is raised here in a group again
        if lost is not None:
            raise lost.exceptions[0]

    async def publish(self, link: Link, key: Key) -> None:
        """Publish one key now, or leave it marked where the store can't be read."""
        self._dirty.pop(key, None)
        try:
            topic, payload = await self._render(key)
        except StoreError as error:
            self.mark(key)
            logger.debug("publisher: the store can't be read (%s); trying again", error)
            return
        await link.publish(topic, payload, retain=True)
        self.published_at = time.monotonic()

    async def drain(self, link: Link) -> None:
        """Publish what is marked, now or later, and in the outbox; then return."""
        for timer in self._later.values():
            timer.cancel()
        self._later.clear()
        self.mark(STATE)
        self.mark(JOBS)
        while self._dirty or self._publishing:
            if self._dirty:
                await self._publish_one(link)
            else:
                await asyncio.sleep(0.01)  # the workers have the last ones in hand
        await self._send_outbox(link)

    async def _publish_dirty(self, link: Link) -> None:
        while True:
            while not self._dirty:
                self._wake.clear()
                await self._wake.wait()
            await self._publish_one(link)

    async def _publish_one(self, link: Link) -> None:
        # `state` first: where the store can't be read it is the one that still can be told.
        if STATE in self._dirty:
            self._dirty.move_to_end(STATE, last=False)
        key, _ = self._dirty.popitem(last=False)
        self._publishing += 1
        try:
            topic, payload = await self._render(key)
            if (
                key.kind == "progress"
                and not payload
                and await self._store.read(lambda tx: tx.never_ran(key.name))
            ):
                return  # nothing is retained there that would have to be cleared
            qos = 0 if topic.endswith("/progress") else 1
            await link.publish(topic, payload, qos=qos, retain=True)
            self.published_at = time.monotonic()
        except (LinkError, asyncio.CancelledError):
            self._dirty[key] = None  # the broker did not take it
            raise
        except StoreError as error:
            self._dirty[key] = None
            logger.debug("publisher: the store can't be read (%s); trying again", error)
            await asyncio.sleep(STORE_RETRY)
        except Exception:
            # Left out, not tried again: one bad row must not silence all the others.
            logger.exception("publisher: %s %s can't be published", key.kind, key.name)
        finally:
            self._publishing -= 1

    async def _beat(self) -> None:
        while True:
            self.mark(STATE)
            await asyncio.sleep(HEARTBEAT)

    async def _drain_outbox(self, link: Link) -> None:
        while True:
            self._outbox_wake.clear()
            try:
                await self._send_outbox(link)
            except StoreError as error:
                logger.debug("publisher: the outbox can't be read (%s); trying again", error)
                await asyncio.sleep(STORE_RETRY)
                continue
            await self._outbox_wake.wait()

    async def _send_outbox(self, link: Link) -> None:
        async with self._sending:  # one at a time: a row is sent once
            try:
                await self._send_rows(link)
            except asyncio.CancelledError:
                self._sent.clear()  # what the store took, it takes to its end
                raise

    async def _send_rows(self, link: Link) -> None:
        proven = False  # whether this connection has had an acknowledgement
        while rows := await self._store.read(
            # One by one where one of them may be what ends the connections.
            partial(Tx.outbox, limit=1 if self._unsent else OUTBOX_BATCH)
        ):
            if self._unsent and not proven:
                await self.publish(link, STATE)  # else a row is blamed for a broken connection
            for row in rows:
                self._count_try(row)
            todo = [row for row in rows if row.id not in self._sent]
            # paho sends in the order of the calls; the acknowledgements are awaited together.
            results = await asyncio.gather(
                *(self._send(link, row) for row in todo), return_exceptions=True
            )
            proven = True
            if done := frozenset(self._sent):
                await self._store.write(partial(Tx.sent, ids=done))
                self._sent -= done
            for one in results:
                if one is not None:
                    raise one
        self._unsent.clear()

    def _count_try(self, row: Outgoing) -> None:
        """Count the tries to send a row; count it as sent where it ended the connections.

        The first, together with others on a connection of which nothing is known, is none.
        """
        if row.id in self._sent:
            return
        tries = self._unsent.get(row.id, -1) + 1
        self._unsent[row.id] = tries
        if tries > TRIES:
            self._sent.add(row.id)
            logger.error(
                "mqtt: a message for %s was left out: the broker closed %d connections on which it "
                "was sent",
                row.topic[:100],
                TRIES,
            )

    async def _send(self, link: Link, row: Outgoing) -> None:
        fault("before-send")
        await link.publish(row.topic, row.payload, correlation=row.correlation)
        self._sent.add(row.id)
        self._unsent.pop(row.id, None)

    # Rendering

    async def _render(self, key: Key) -> tuple[str, str]:  # noqa: PLR0911 - one for each kind
        topics = self._topics.of(key.session)
        match key.kind:
            case "clear":
                return key.name, ""
            case "job":
                job = await self._store.read(lambda tx: tx.job(key.name))
                fault("before-job-state")
                return topics.job_state(key.name), _json(job)
            case "progress":
                progress = self._live.get(key.name) or await self._store.read(
                    lambda tx: tx.progress(key.name)
                )
                return topics.job_progress(key.name), _json(progress)
            case "setting":
                # What is committed: the preferences follow a moment later.
                kept = await self._store.read(lambda tx: tx.config().get(PREFIX + key.name))
                value = json.loads(kept) if kept else self._preferences.values()[key.name]
                payload = value if isinstance(value, str) else dumps(value)
                return self._topics.setting(key.name), payload
            case "state":
                return self._topics.state, _json(State.model_validate(await self._render_state()))
            case "ytdlp":
                return self._topics.ytdlp, _json(Ytdlp.model_validate(self._ytdlp()))
            case "thumbnail":
                return self._topics.thumbnail, self._picture() or ""
            case "jobs":
                whose = key.session if self._topics.isolated else None
                return topics.jobs, await self._store.read(partial(render_jobs, session_id=whose))
            case _:
                return self._topics.info, _json(self._info())

    async def _render_state(self) -> dict[str, Any]:
        # Titles of a session's jobs are its own: `state` tells of the root's.
        whose = ROOT_SESSION if self._topics.isolated else None
        midnight = self._clock().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)

        def read(tx: Tx) -> tuple[list[Job], dict[str, Any]]:
            return [job for job in tx.running() if job.items is None], {
                "counts": tx.counts(),
                "completed_today": tx.completed_since(midnight),
                "last_completed": last_job(tx.finished(JobStatus.COMPLETED, 1, whose)),
                "last_failed": last_job(tx.finished(JobStatus.FAILED, 1, whose)),
            }

        try:
            self._found = await self._store.read(read)
        except StoreError as error:
            if self._found is None:
                raise
            logger.debug("publisher: `state` tells what was known last: %s", error)
        running, found = self._found
        speed = sum(one.speed or 0.0 for one in self._live.values())
        service = self._state()
        shown = {
            "status": status_of(len(running), service),
            "active": len(running),
            **found,
            "current": self._activity.current(
                [
                    (job, self._live.get(job.id))
                    for job in running
                    if whose in {None, job.session_id}
                ]
            ),
            "speed": round(speed),
            "paused": service.pause_reason is not None,
            **asdict(service),
            "heartbeat": utc_iso(self._clock()),
        }
        self._told(shown)
        return shown

    # Reconciliation

    def mark_all(self) -> None:
        """Mark the single topics and every setting; jobs follow from `reconcile`."""
        self._sent.clear()  # the store may be an older copy, whose numbers come again
        for key in (INFO, STATE, JOBS, YTDLP):
            self.mark(key)
        if self._picture():
            self.mark(THUMBNAIL)
        for name in self._preferences.values():
            self.mark(Key("setting", name))
        self._outbox_wake.set()

    async def reconcile(self, retained: dict[str, str]) -> None:
        """Compare what the broker retains (topic to digest) with the store; mark what differs."""
        right: set[str] = set()
        after = ""
        while page := await self._store.read(partial(_page, after=after)):
            after = page[-1][0].id
            for job, progress in page:
                session = job.session_id
                topics = self._topics.of(session)
                state, steps = topics.job_state(job.id), topics.job_progress(job.id)
                right |= {state, steps}
                if topics is not self._topics and topics.jobs not in right:
                    right.add(topics.jobs)
                    self.mark(Key("jobs", session=session))
                if retained.get(state) != digest(_json(job)):
                    self.mark(Key("job", job.id, session))
                known = retained.get(steps, digest(""))
                if job.id not in self._live and known != digest(_json(progress)):
                    self.mark(Key("progress", job.id, session))
            await asyncio.sleep(0)
        orphans = set(retained) - right
        for topic in orphans:
            self.mark(Key("clear", topic))
        if orphans:
            logger.info("mqtt: clearing %d retained topics of jobs that are gone", len(orphans))


def _page(tx: Tx, after: str) -> list[tuple[Job, Progress | None]]:
    return [(job, tx.progress(job.id)) for job in tx.page(after, SCAN_PAGE)]


def _json(model: Frozen | None) -> str:
    return "" if model is None else model.model_dump_json()
