"""The payloads of `jobs/now`, `jobs/finished` and `jobs/failed`, for attributes in Home Assistant.

Home Assistant's recorder stores all attributes again whenever one of them changes. So the lists are
short, the more so the more often they change, and `jobs/now` follows the progress of a job only if
its readers can't calculate it: see `job_entry.Guess`. A download at a steady speed takes three
messages of `jobs/now` and one of `jobs/finished`; about 30 KB in the recorder's database.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import ACTIVE, WAITING, Job, JobStatus, PauseReason, Progress
from mediarip_mqtt.contract.topic_payloads import JobEntry, JobsFailed, JobsFinished, JobsNow
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics
from mediarip_mqtt.mqtt.job_entry import Guess, entry, running_entry, short_title
from mediarip_mqtt.mqtt.summaries import ServiceStatus
from mediarip_mqtt.store import Changes, Store, Tx

LIMIT: Final = 15_000  # bytes; Home Assistant records at most 16,384 with its own attributes
FINISHED_LIMIT: Final = 9_000  # bytes; changes with each download
WAITING_BYTES: Final = 1_400  # of waiting jobs in `jobs/now`: about ten
MOST: Final = 120  # jobs that are read for a list
MOST_WAITING: Final = 20  # the same for the waiting ones: more don't fit into `WAITING_BYTES`
NEWEST: Final = 5  # finished jobs in `jobs/now`
SOON: Final = 0.5  # seconds after a change: others follow it closely
PROGRESS_INTERVAL: Final = 5.0  # seconds between two messages for mere progress
SETTLED: Final = 3.0  # seconds after which the speed of a download is known well enough
BURST: Final = 4  # messages in `BURST_TIME` after which changes wait
BURST_TIME: Final = 10.0  # seconds


@dataclass(frozen=True)
class CardFacts:
    """The part of `jobs/now` that neither the store nor `ServiceStatus` has."""

    version: str
    presets: list[str]
    media: str | None = None
    pause_until: datetime | None = None


class MessagePace:
    """How soon the next message of a topic may follow; times are by ``clock``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent_at: deque[float] = deque(maxlen=BURST)

    def sent(self) -> None:
        """Count a message."""
        self._sent_at.append(self._clock())

    def soon(self) -> float:
        """Return the seconds until a change is published."""
        if len(self._sent_at) < BURST:
            return SOON
        return max(SOON, self._sent_at[0] + BURST_TIME - self._clock())

    def later(self) -> float:
        """Return the seconds until something is published that can wait, such as progress."""
        if not self._sent_at:
            return SOON
        return max(self.soon(), self._sent_at[-1] + PROGRESS_INTERVAL - self._clock())


@dataclass
class _Current:
    """The part of `jobs/now` that is read from the store."""

    running: list[Job]
    waiting: list[JobEntry]
    finished: list[JobEntry]
    unfinished: int
    thumbnails: dict[str, str | None]  # URL by job id


@dataclass(frozen=True)
class ListedJob:
    """A job in a list, as the picture of thumbnails needs it."""

    id: str
    thumbnail: str | None
    tile: int | None


@dataclass(frozen=True)
class CardSources:
    """What the lists are made from.

    ``live`` is the progress of running jobs. ``tile`` returns a job's place in the picture of
    thumbnails; ``listed`` is called with the jobs of each list before it is published.
    """

    status: Callable[[], ServiceStatus]
    facts: Callable[[], CardFacts]
    live: Mapping[str, Progress]
    tile: Callable[[str], int | None]
    listed: Callable[[str, Sequence[ListedJob]], None]
    clock: Callable[[], datetime]


@dataclass
class CardLists:
    """Makes the payloads."""

    topics: Topics
    store: Store
    sources: CardSources
    now_pace: MessagePace = field(default_factory=MessagePace)
    finished_pace: MessagePace = field(default_factory=MessagePace)
    failed_pace: MessagePace = field(default_factory=MessagePace)
    _current: _Current | None = None
    _outdated: bool = True
    _guesses: dict[str, Guess] = field(default_factory=dict)

    @property
    def _session(self) -> str | None:
        # The lists belong to the root session; see `StateSummary`.
        return ROOT_SESSION if self.topics.isolated else None

    def changed(self) -> None:
        """Have the jobs of `jobs/now` read again: a transaction may have changed them."""
        self._outdated = True

    def wait(self, changes: Changes) -> float:
        """Return the seconds until `jobs/now` follows a transaction.

        The steps of a running job can wait; its end is published once its thread has stopped.
        """
        only_running = changes.jobs.keys() <= self._guesses.keys()
        if changes.jobs and only_running and not (changes.cleared or changes.settings):
            return max(self.now_pace.soon(), PROGRESS_INTERVAL)
        return self.now_pace.soon()

    def due(self, progress: Progress) -> float | None:
        """Return the seconds until `jobs/now` must follow a job's progress; None if it need not.

        A job that is not in the list, or not yet, is followed by its next change.
        """
        guess = self._guesses.get(progress.id)
        if guess is None or guess.fits(progress, progress.updated_at):
            return None
        return max(self.now_pace.later(), SETTLED if guess.eta is None else 0.0)

    def overdue(self) -> bool:
        """Whether a reader's guess has become wrong by the absence of progress."""
        now = self.sources.clock()
        return any(
            not guess.fits(progress, now)
            for job_id, guess in self._guesses.items()
            if (progress := self.sources.live.get(job_id))
        )

    async def now(self) -> str:
        """Return the payload of `jobs/now`; raise `StoreError` if the store could never be read."""
        current = await self._read_current()
        status, facts = self.sources.status(), self.sources.facts()
        lost = status.pause_reason is PauseReason.STORAGE_LOST
        head: dict[str, Any] = {
            "pause_reason": status.pause_reason,
            "storage": "lost" if lost else "ok",
            "version": facts.version,
            "presets": facts.presets,
            "media": facts.media,
        }
        optional = {
            "pause_until": facts.pause_until,
            "disk_free": _rounded(status.disk_free),
            "disk_total": _rounded(status.disk_total),
        }
        head |= {key: value for key, value in optional.items() if value is not None}
        now = self.sources.clock()
        running = [
            running_entry(job, self.sources.live.get(job.id), self.sources.tile(job.id), now)
            for job in current.running
        ]
        fixed = JobsNow.model_validate({**head, "jobs": [], "more": current.unfinished})
        room = LIMIT - _size(fixed)
        running = fitting(running, room)
        room -= sum(map(_size, running))
        waiting = fitting(self._with_tiles(current.waiting), min(room, WAITING_BYTES))
        room -= sum(map(_size, waiting))
        finished = fitting(self._with_tiles(current.finished), room)
        entries = [*running, *waiting, *finished]
        self._guesses = {one.id: Guess.of(one) for one in running}
        self._say_listed("now", entries, current.thumbnails)
        more = max(0, current.unfinished - len(running) - len(waiting))
        return _json(fixed.model_copy(update={"jobs": entries, "more": more}))

    async def finished(self) -> str:
        """Return the payload of `jobs/finished`; raises `StoreError`."""
        last, jobs = await self._read_ended(JobStatus.COMPLETED)
        head = JobsFinished(
            finished=[],
            at=last.completed_at if last else None,
            job_id=last.id if last else None,
            title=short_title(last) if last else None,
            filename=last.filename if last else None,
            thumbnail=last.thumbnail if last else None,
        )
        entries = fitting(self._with_tiles(map(entry, jobs)), FINISHED_LIMIT - _size(head))
        self._say_listed("finished", entries, {job.id: job.thumbnail for job in jobs})
        return _json(head.model_copy(update={"finished": entries}))

    async def failed(self) -> str:
        """Return the payload of `jobs/failed`; raises `StoreError`."""
        last, jobs = await self._read_ended(JobStatus.FAILED)
        head = JobsFailed(
            failed=[],
            at=last.completed_at if last else None,
            job_id=last.id if last else None,
            title=short_title(last) if last else None,
            error_code=last.error_code if last else None,
            error=(last.error_message or "")[:250] if last else None,
        )
        entries = fitting(self._with_tiles(map(entry, jobs)), LIMIT - _size(head))
        self._say_listed("failed", entries, {job.id: job.thumbnail for job in jobs})
        return _json(head.model_copy(update={"failed": entries}))

    async def _read_current(self) -> _Current:
        if self._current is not None and not self._outdated:
            return self._current
        self._outdated = False  # first: what changes during the read is read again
        try:
            self._current = await self.store.read(self._current_of)
        except StoreError:
            self._outdated = True
            if self._current is None:
                raise
            # The last known jobs, with `storage: lost`: this is where a user sees it.
        return self._current

    def _current_of(self, tx: Tx) -> _Current:
        running = tx.running(self._session)[:MOST]
        waiting = tx.queue(MOST_WAITING, self._session)
        finished = tx.finished(None, NEWEST, self._session)
        counts = tx.counts(self._session)
        return _Current(
            running,
            [entry(job) for job in waiting],
            [entry(job) for job in finished],
            sum(counts[status] for status in ACTIVE | WAITING),
            {job.id: job.thumbnail for job in (*running, *waiting, *finished)},
        )

    async def _read_ended(self, status: JobStatus) -> tuple[Job | None, list[Job]]:
        return await self.store.read(partial(self._ended_of, status=status))

    def _ended_of(self, tx: Tx, status: JobStatus) -> tuple[Job | None, list[Job]]:
        jobs = tx.finished(status, MOST, self._session, cleared=False)
        last = tx.finished(status, 1, self._session)
        return (last[0] if last else None), jobs

    def _with_tiles(self, entries: Iterable[JobEntry]) -> list[JobEntry]:
        tiles = [(one, self.sources.tile(one.id)) for one in entries]
        return [
            one if tile is None else one.model_copy(update={"tile": tile}) for one, tile in tiles
        ]

    def _say_listed(
        self, name: str, entries: Sequence[JobEntry], thumbnails: Mapping[str, str | None]
    ) -> None:
        self.sources.listed(
            name, [ListedJob(one.id, thumbnails.get(one.id), one.tile) for one in entries]
        )


def fitting(entries: Sequence[JobEntry], room: int) -> list[JobEntry]:
    """Return the first entries that take at most ``room`` bytes."""
    kept: list[JobEntry] = []
    for one in entries:
        room -= _size(one)
        if room < 0:
            break
        kept.append(one)
    return kept


def _size(model: Frozen) -> int:
    return len(_json(model).encode()) + 1  # a comma


def _json(model: Frozen) -> str:
    """Return a payload without the keys that were left out."""
    return model.model_dump_json(exclude_unset=True)


def _rounded(size: int | None) -> int | None:
    """Round bytes to three digits: the exact value changes all the time."""
    return None if size is None else int(float(f"{size:.3g}"))
