"""The retained topics, one class for each kind.

A class defines which transactions change its topic, how its payload is made from the store, and how
often it is published. Instances are hashable: they are the publisher's marks. To add a topic, write
its class and add it to `RETAINED`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Protocol

from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Job, Progress
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.topic_payloads import Info, State, Ytdlp
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics, dumps
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.card_lists import CardLists, MessagePace
from mediarip_mqtt.mqtt.library_summary import library_json, render_library
from mediarip_mqtt.mqtt.retained_history import RetainedHistory
from mediarip_mqtt.mqtt.subscription_summary import render_subscriptions
from mediarip_mqtt.mqtt.summaries import StateSummary, render_jobs
from mediarip_mqtt.store import Changes, Store, Tx

SUMMARY_INTERVAL: Final = 0.5  # seconds
PROGRESS_DELAY: Final = 0.3  # seconds; most changes of a small job come within that


class ProgressLimit(Protocol):
    """How often the progress of one job may be published."""

    def wait(self, job_id: str) -> float:
        """Return the seconds until the job's next message may be sent; 0 if it may be sent now."""

    def sent(self, job_id: str) -> None:
        """Count a message that was sent."""


@dataclass(frozen=True)
class ServicePayloads:
    """Payloads that the service itself provides, read at each publication."""

    info: Callable[[], Info]
    ytdlp: Callable[[], Ytdlp]
    picture: Callable[[], str | None]  # base64
    shows_job: Callable[[], bool]  # whether there is, or will be, a picture
    on_state: Callable[[State], None]  # called with each `state` that is published
    tiles: Callable[[], str | None]  # base64
    on_tiles: Callable[[], None]  # called when they were sent


@dataclass(frozen=True)
class Sources:
    """The sources of all payloads.

    ``live`` is the saved progress of running jobs by job id, so that the store need not be read.
    """

    topics: Topics
    store: Store
    preferences: Preferences
    service: ServicePayloads
    state: StateSummary
    lists: CardLists
    live: dict[str, Progress]
    progress_limit: ProgressLimit
    history: RetainedHistory
    library: bool = False  # whether it is enabled
    subscription_switches: tuple[str, ...] = ()


class RetainedTopic(ABC):
    """A topic, or one of a family; its payload is a function of the store."""

    qos: ClassVar[int] = 1
    interval: ClassVar[float] = 0.0  # minimum seconds between two publications for transactions
    # Whether a payload that equals the one before is left out, within one connection.
    skips_unchanged: ClassVar[bool] = False

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        """Return the topics that a transaction changed."""
        return ()

    @classmethod
    def at_connect(cls, sources: Sources) -> Iterable[RetainedTopic]:
        """Return the topics that are published at each connect, even if unchanged."""
        return ()

    def delay(self, changes: Changes, sources: Sources) -> float:
        """Return the seconds after a transaction until the topic is published.

        Other changes until then are part of the same message. ``interval`` applies to a topic
        without a delay.
        """
        return 0.0

    @abstractmethod
    async def render(self, sources: Sources) -> tuple[str, str] | None:
        """Return address and payload; None if there is nothing to publish.

        An empty payload clears the topic. Raises `StoreError`.
        """

    def wait(self, sources: Sources) -> float:
        """Return the seconds until a payload may be sent; an empty one never waits."""
        return 0.0

    def sent(self, sources: Sources) -> None:  # noqa: B027 - most topics have no limit
        """Count a payload that was sent."""


class SingleTopic(RetainedTopic):
    """A topic that exists once, published at each connect."""

    @classmethod
    def at_connect(cls, sources: Sources) -> Iterable[RetainedTopic]:
        return (cls(),)


@dataclass(frozen=True)
class StateTopic(SingleTopic):
    """`state`."""

    interval = SUMMARY_INTERVAL

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return (cls(),) if _counts_changed(changes) else ()

    async def render(self, sources: Sources) -> tuple[str, str]:
        state = await sources.state.read()
        sources.service.on_state(state)
        return sources.topics.state, _json(state)


@dataclass(frozen=True)
class JobListTopic(SingleTopic):
    """`jobs`; each isolated session has its own, published when its jobs change."""

    interval = SUMMARY_INTERVAL
    session: str = ROOT_SESSION

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        if not _counts_changed(changes):
            return ()
        return cls.of_sessions({*changes.jobs.values(), *changes.cleared}, sources)

    @classmethod
    def of_sessions(cls, sessions: Iterable[str], sources: Sources) -> set[JobListTopic]:
        """Return the lists that show jobs of the sessions."""
        if not sources.topics.isolated:
            return {cls()}
        return {cls(), *(cls(session) for session in sessions)}

    async def render(self, sources: Sources) -> tuple[str, str]:
        session = self.session if sources.topics.isolated else None
        payload = await sources.store.read(partial(render_jobs, session_id=session))
        return sources.topics.of(self.session).jobs, payload


class CardListTopic(SingleTopic):
    """A list of jobs for a dashboard; see `CardLists`."""

    skips_unchanged = True

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return (cls(),) if _counts_changed(changes) else ()

    def delay(self, changes: Changes, sources: Sources) -> float:
        return self.pace(sources).soon()

    def sent(self, sources: Sources) -> None:
        self.pace(sources).sent()

    @abstractmethod
    def pace(self, sources: Sources) -> MessagePace:
        """Return how soon its next message may follow."""


@dataclass(frozen=True)
class JobsNowTopic(CardListTopic):
    """`jobs/now`."""

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.jobs_now, await sources.lists.now()

    def delay(self, changes: Changes, sources: Sources) -> float:
        return sources.lists.wait(changes)

    def pace(self, sources: Sources) -> MessagePace:
        return sources.lists.now_pace


@dataclass(frozen=True)
class JobsFinishedTopic(CardListTopic):
    """`jobs/finished`."""

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.jobs_finished, await sources.lists.finished()

    def pace(self, sources: Sources) -> MessagePace:
        return sources.lists.finished_pace


@dataclass(frozen=True)
class JobsFailedTopic(CardListTopic):
    """`jobs/failed`."""

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.jobs_failed, await sources.lists.failed()

    def pace(self, sources: Sources) -> MessagePace:
        return sources.lists.failed_pace


@dataclass(frozen=True)
class TilesTopic(SingleTopic):
    """`tiles`."""

    @classmethod
    def at_connect(cls, sources: Sources) -> Iterable[RetainedTopic]:
        # Without a picture yet, no list names a tile: the retained one does no harm.
        return (cls(),) if sources.service.tiles() else ()

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.tiles, sources.service.tiles() or ""

    def sent(self, sources: Sources) -> None:
        sources.service.on_tiles()


@dataclass(frozen=True)
class LibraryTopic(SingleTopic):
    """`library`, only if that is enabled; of the root session if sessions are isolated."""

    interval = SUMMARY_INTERVAL

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return (cls(),) if (changes.titles or changes.runs) and sources.library else ()

    async def render(self, sources: Sources) -> tuple[str, str] | None:
        session = ROOT_SESSION if sources.topics.isolated else None
        summary = await sources.store.read(partial(render_library, session_id=session))
        if not sources.library:
            # What an enabled library has left is cleared.
            return (sources.topics.library, "") if summary.counts else None
        return sources.topics.library, library_json(summary)


@dataclass(frozen=True)
class SubscriptionListTopic(SingleTopic):
    """`subscriptions`; each isolated session has its own."""

    interval = SUMMARY_INTERVAL
    session: str = ROOT_SESSION

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        if not changes.subscriptions:
            return ()
        if not sources.topics.isolated:
            return (cls(),)
        return {cls(session) for session in changes.subscriptions.values()}

    async def render(self, sources: Sources) -> tuple[str, str]:
        session = self.session if sources.topics.isolated else None
        switches = sources.subscription_switches if self.session == ROOT_SESSION else ()
        summary = await sources.store.read(
            partial(render_subscriptions, session_id=session, switches=switches)
        )
        empty = not summary.count and self.session != ROOT_SESSION
        address = sources.topics.of(self.session).subscriptions
        return address, "" if empty else _json(summary)


@dataclass(frozen=True)
class SubscriptionStateTopic(RetainedTopic):
    """`subscription/<id>/state`; empty once it is gone."""

    interval = SUMMARY_INTERVAL
    subscription_id: str
    session: str

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return [cls(key, session) for key, session in changes.subscriptions.items()]

    async def render(self, sources: Sources) -> tuple[str, str]:
        key = self.subscription_id
        subscription = await sources.store.read(partial(Tx.subscription, subscription_id=key))
        return sources.topics.of(self.session).subscription_state(key), _json(subscription)


@dataclass(frozen=True)
class InfoTopic(SingleTopic):
    """`info`."""

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.info, _json(sources.service.info())


@dataclass(frozen=True)
class YtdlpTopic(SingleTopic):
    """`ytdlp`."""

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.ytdlp, _json(sources.service.ytdlp())


@dataclass(frozen=True)
class ThumbnailTopic(SingleTopic):
    """`thumbnail`."""

    @classmethod
    def at_connect(cls, sources: Sources) -> Iterable[RetainedTopic]:
        # Without a picture yet, the retained one stays until the job to show is known.
        return (cls(),) if sources.service.picture() else ()

    async def render(self, sources: Sources) -> tuple[str, str]:
        return sources.topics.thumbnail, sources.service.picture() or ""


@dataclass(frozen=True)
class SettingValueTopic(RetainedTopic):
    """`setting/<key>`."""

    key: str

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return [cls(key.removeprefix(PREFIX)) for key in changes.settings if key.startswith(PREFIX)]

    @classmethod
    def at_connect(cls, sources: Sources) -> Iterable[RetainedTopic]:
        return [cls(key) for key in sources.preferences.values()]

    async def render(self, sources: Sources) -> tuple[str, str]:
        # From the store: the preferences get a new value shortly after its commit.
        stored = await sources.store.read(lambda tx: tx.config().get(PREFIX + self.key))
        value = json.loads(stored) if stored else sources.preferences.values()[self.key]
        payload = value if isinstance(value, str) else dumps(value)
        return sources.topics.setting(self.key), payload


@dataclass(frozen=True)
class JobStateTopic(RetainedTopic):
    """`job/<id>/state`; empty once the job is gone."""

    job_id: str
    session: str

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return [cls(job_id, session) for job_id, session in changes.jobs.items()]

    async def render(self, sources: Sources) -> tuple[str, str]:
        job = await sources.store.read(partial(Tx.job, job_id=self.job_id))
        fault("before-job-state")
        retained = job if job and sources.history.covers(job) else None
        return sources.topics.of(self.session).job_state(self.job_id), _json(retained)


@dataclass(frozen=True)
class JobProgressTopic(RetainedTopic):
    """`job/<id>/progress`; empty once the job is gone. `jobs` marks that of running jobs."""

    qos = 0
    job_id: str
    session: str

    @classmethod
    def changed_by(cls, changes: Changes, sources: Sources) -> Iterable[RetainedTopic]:
        return [
            cls(job_id, session)
            for job_id, session in changes.jobs.items()
            if job_id not in sources.live
        ]

    def delay(self, changes: Changes, sources: Sources) -> float:
        return PROGRESS_DELAY

    async def render(self, sources: Sources) -> tuple[str, str] | None:
        address = sources.topics.of(self.session).job_progress(self.job_id)
        progress = sources.live.get(self.job_id)
        if progress is None:
            job, progress, never_ran = await sources.store.read(self._read)
            if progress is None and never_ran:
                return None  # nothing was published that has to be cleared
            if job and not sources.history.covers(job):
                progress = None
        return address, _json(progress)

    def _read(self, tx: Tx) -> tuple[Job | None, Progress | None, bool]:
        return tx.job(self.job_id), tx.progress(self.job_id), tx.never_ran(self.job_id)

    def wait(self, sources: Sources) -> float:
        return sources.progress_limit.wait(self.job_id)

    def sent(self, sources: Sources) -> None:
        sources.progress_limit.sent(self.job_id)


@dataclass(frozen=True)
class ClearedTopic(RetainedTopic):
    """A retained topic of a job that is gone."""

    address: str

    async def render(self, sources: Sources) -> tuple[str, str]:
        return self.address, ""


@dataclass(frozen=True)
class ClearedProgressTopic(ClearedTopic):
    """A retained progress topic of a job that is gone."""

    qos = JobProgressTopic.qos


RETAINED: Final[tuple[type[RetainedTopic], ...]] = (
    InfoTopic,
    YtdlpTopic,
    ThumbnailTopic,
    TilesTopic,
    SettingValueTopic,
    JobStateTopic,
    JobProgressTopic,
    StateTopic,
    JobListTopic,
    JobsNowTopic,
    JobsFinishedTopic,
    JobsFailedTopic,
    LibraryTopic,
    SubscriptionListTopic,
    SubscriptionStateTopic,
)


def job_payloads(tx: Tx, ids: Collection[str]) -> list[tuple[str, str, str, str]]:
    """Return (id, session, state, progress) of the jobs that exist, the payloads as JSON."""
    return [
        (job.id, job.session_id, _json(job), _json(tx.progress(job.id))) for job in tx.of_ids(ids)
    ]


def _counts_changed(changes: Changes) -> bool:
    return bool(changes.jobs or changes.queue or changes.settings)


def _json(model: Frozen | None) -> str:
    return "" if model is None else model.model_dump_json()
