"""The topics that sum up: `jobs`, and what `state` tells of the last jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediarip_mqtt.contract.models import TERMINAL, Job, PauseReason
from mediarip_mqtt.contract.topic_payloads import JobBrief, JobList, LastJob
from mediarip_mqtt.store import Tx

JOBS_LIMIT: Final = 16 * 1024  # bytes; Home Assistant records no larger attributes
JOBS_COUNT: Final = 50


@dataclass(frozen=True)
class ServiceState:
    """What `state` says of the service itself; ``storage`` is `ok` or the volume's problem."""

    pause_reason: PauseReason | None = None
    storage: str = "ok"
    disk_free: int | None = None  # bytes
    disk_total: int | None = None  # bytes
    lost_threads: int = 0
    uptime: int = 0  # seconds


def status_of(active: int, service: ServiceState) -> str:
    """Return what the service does, in one word; see `homeassistant.STATUSES`."""
    if service.pause_reason is PauseReason.STORAGE_LOST:
        return "storage_lost"
    if service.lost_threads:
        return "error"
    if active:
        return "downloading"
    return "idle" if service.pause_reason is None else "paused"


def last_job(jobs: list[Job]) -> dict[str, Any] | None:
    """Return what `state` tells of the first of some jobs."""
    if not jobs:
        return None
    job = jobs[0]
    last = LastJob(
        id=job.id,
        at=job.completed_at,
        title=(job.title or job.url)[:250],
        filename=job.filename,
        error_code=job.error_code,
        error_message=job.error_message,
        thumbnail=job.thumbnail,
    )
    return last.model_dump()


def render_jobs(tx: Tx, session_id: str | None = None) -> str:
    """Return the payload of `jobs`, of a session or of all: bounded in count, and to 16 KiB."""
    active = tx.running(session_id)[:JOBS_COUNT]
    queued = tx.queue(JOBS_COUNT, session_id)
    finished = tx.finished(None, JOBS_COUNT, session_id)
    groups = {
        "active": [_brief(job) for job in active],
        "queued": [_brief(job) for job in queued],
        "finished": [_brief(job) for job in finished],
    }
    counts = tx.counts(session_id)
    sizes = {name: [len(_known(one).encode()) + 1 for one in jobs] for name, jobs in groups.items()}
    total = sum(sum(one) for one in sizes.values()) + 600
    for name in ("finished", "queued", "active"):
        keep = 5 if name == "finished" else 0
        while total > JOBS_LIMIT and len(groups[name]) > keep:
            groups[name].pop()
            total -= sizes[name].pop()
    while total > JOBS_LIMIT and groups["finished"]:
        groups["finished"].pop()
        total -= sizes["finished"].pop()
    return _known(JobList.model_validate({**groups, "counts": counts}))


def _known(model: JobBrief | JobList) -> str:
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
