"""The payloads of `state` and `jobs`, which sum up all jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import TERMINAL, Job, JobStatus, PauseReason, Progress
from mediarip_mqtt.contract.topic_payloads import JobBrief, JobList, LastJob, State
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics
from mediarip_mqtt.mqtt.activity import Activity
from mediarip_mqtt.store import Store, Tx

JOBS_LIMIT: Final = 16 * 1024  # bytes; Home Assistant does not record larger attributes
JOBS_COUNT: Final = 50  # of each list
JOBS_FRAME: Final = 600  # bytes around the lists: their keys, and the counts
FINISHED_KEPT: Final = 5  # finished jobs that stay until all queued ones are left out

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceStatus:
    """The part of `state` that is not in the store; ``storage`` is `ok` or the problem."""

    pause_reason: PauseReason | None = None
    storage: str = "ok"
    disk_free: int | None = None  # bytes
    disk_total: int | None = None  # bytes
    lost_threads: int = 0
    uptime: int = 0  # seconds


@dataclass(frozen=True)
class _Stored:
    """The part of `state` that is read from the store."""

    running: list[Job]
    counts: dict[str, int]
    completed_today: int
    last_completed: LastJob | None
    last_failed: LastJob | None


class StateSummary:
    """Makes the payload of `state`.

    ``live`` is the progress of running jobs. If the store can't be read, its last values are used:
    `state` is where a user sees that the storage is lost.
    """

    def __init__(
        self,
        topics: Topics,
        store: Store,
        status: Callable[[], ServiceStatus],
        live: Mapping[str, Progress],
        clock: Callable[[], datetime],
    ) -> None:
        # `state` belongs to the root session; it must not show titles of isolated sessions' jobs.
        self._session = ROOT_SESSION if topics.isolated else None
        self._store = store
        self._status = status
        self._live = live
        self._clock = clock
        self._activity = Activity()
        self._stored: _Stored | None = None

    async def read(self) -> State:
        """Return the payload; raise `StoreError` if the store could never be read."""
        now = self._clock()
        midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            stored = await self._store.read(lambda tx: self._read(tx, midnight))
        except StoreError as error:
            if self._stored is None:
                raise
            logger.debug("mqtt: `state` has the last known values: %s", error)
            stored = self._stored
        self._stored = stored
        status = self._status()
        shown = [job for job in stored.running if self._session in {None, job.session_id}]
        return State(
            status=_status_word(len(stored.running), status),
            active=len(stored.running),
            counts=stored.counts,
            completed_today=stored.completed_today,
            last_completed=stored.last_completed,
            last_failed=stored.last_failed,
            current=self._activity.current([(job, self._live.get(job.id)) for job in shown]),
            speed=round(sum(progress.speed or 0.0 for progress in self._live.values())),
            heartbeat=now,
            paused=status.pause_reason is not None,
            **asdict(status),
        )

    def _read(self, tx: Tx, midnight: datetime) -> _Stored:
        return _Stored(
            running=[job for job in tx.running() if job.items is None],
            counts=tx.counts(),
            completed_today=tx.completed_since(midnight),
            last_completed=_last_job(tx.finished(JobStatus.COMPLETED, 1, self._session)),
            last_failed=_last_job(tx.finished(JobStatus.FAILED, 1, self._session)),
        )


def _status_word(
    active: int, status: ServiceStatus
) -> Literal["idle", "downloading", "paused", "storage_lost", "error"]:
    if status.pause_reason is PauseReason.STORAGE_LOST:
        return "storage_lost"
    if status.lost_threads:
        return "error"
    if active:
        return "downloading"
    return "idle" if status.pause_reason is None else "paused"


def _last_job(jobs: list[Job]) -> LastJob | None:
    if not jobs:
        return None
    job = jobs[0]
    return LastJob(
        id=job.id,
        at=job.completed_at,
        title=(job.title or job.url)[:250],
        filename=job.filename,
        error_code=job.error_code,
        error_message=job.error_message,
        thumbnail=job.thumbnail,
    )


def render_jobs(tx: Tx, session_id: str | None = None) -> str:
    """Return the payload of `jobs`, of one session or of all: at most `JOBS_LIMIT` bytes."""
    active = tx.running(session_id)[:JOBS_COUNT]
    queued = tx.queue(JOBS_COUNT, session_id)
    finished = tx.finished(None, JOBS_COUNT, session_id)
    groups = {
        "active": [_brief(job) for job in active],
        "queued": [_brief(job) for job in queued],
        "finished": [_brief(job) for job in finished],
    }
    counts = tx.counts(session_id)
    sizes = {
        name: [len(_json(brief).encode()) + 1 for brief in briefs]
        for name, briefs in groups.items()
    }
    total = sum(sum(group) for group in sizes.values()) + JOBS_FRAME
    for name, kept in (("finished", FINISHED_KEPT), ("queued", 0), ("active", 0), ("finished", 0)):
        while total > JOBS_LIMIT and len(groups[name]) > kept:
            groups[name].pop()
            total -= sizes[name].pop()
    return _json(JobList.model_validate({**groups, "counts": counts}))


def _json(model: JobBrief | JobList) -> str:
    """Return a payload without the keys that `_brief` left out."""
    return model.model_dump_json(exclude_unset=True)


def _brief(job: Job) -> JobBrief:
    brief: dict[str, Any] = {
        "id": job.id,
        "status": job.status,
        "title": (job.title or job.url)[:120],
        "progress_percent": round(job.progress_percent, 1),
        "created_at": job.created_at,
    }
    if job.status not in TERMINAL:
        brief |= {"speed": job.speed, "eta": job.eta, "priority": job.priority}
    optional = {
        "thumbnail": job.thumbnail if job.thumbnail and len(job.thumbnail) <= 300 else None,  # noqa: PLR2004 - a URL of a usual length
        "filename": job.filename,
        "filesize": job.filesize,
        "error_code": job.error_code,
        "error_message": job.error_message[:160] if job.error_message else None,
        "parent_id": job.parent_id,
        "items": job.items,
        "next_retry_at": job.next_retry_at,
        "completed_at": job.completed_at,
    }
    known = {key: value for key, value in optional.items() if value is not None}
    return JobBrief.model_validate(brief | known)
