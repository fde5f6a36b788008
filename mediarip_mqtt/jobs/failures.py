"""Which failed jobs keep their partial files, and the error of a stalled attempt."""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.models import TERMINAL, Job, JobStatus
from mediarip_mqtt.store import Tx

# No partial files are kept after these: the space is needed, or the files may be the cause.
SPOILED: Final = frozenset({ErrorCode.DISK_FULL, ErrorCode.POSTPROCESSING, ErrorCode.INTERNAL})


def resumable(job: Job) -> bool:
    """Whether a failed job keeps its partial files for a retry."""
    return job.status is JobStatus.FAILED and job.error_code not in SPOILED


def with_partials(tx: Tx) -> set[str]:
    """Return the ids of jobs that may have partial files."""
    waiting = [status for status in JobStatus if status not in TERMINAL]
    unfinished = tx.jobs(statuses=waiting, limit=1_000_000)
    failed = tx.jobs(statuses={JobStatus.FAILED}, limit=10_000)
    kept = {job.id for job in failed if resumable(job)}
    # Planned moves, too: the remaining temporary files show which ones were moved.
    return {job.id for job in unfinished} | kept | tx.planned_jobs()


def stalled(seconds: float) -> DownloadError:
    """Error for an attempt that made no progress for that long."""
    return DownloadError(
        ErrorCode.TIMEOUT,
        f"Nothing moved for {seconds:.0f} s (downloads.stall_timeout): the site sends nothing, or "
        "its stream has ended. Retry the job later.",
        transient=True,
    )
