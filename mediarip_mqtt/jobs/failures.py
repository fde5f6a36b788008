"""Which failed jobs keep their partial files, and the error of a stalled attempt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.models import TERMINAL, Job, JobStatus
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume.space import is_full
from mediarip_mqtt.volume.storage_errors import disk_full, file_error

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


def is_final(job: Job, error: DownloadError) -> bool:
    """Whether no further attempt follows, or none soon: the stream is over."""
    return error.begins or not error.transient or job.attempt >= job.max_attempts


def of_files(error: OSError, folders: Iterable[Path]) -> DownloadError:
    """Return the error of an operation on the job's files; some volumes hide that they are full.

    Blocks.
    """
    failure = file_error(error)
    if failure.code is ErrorCode.STORAGE_UNAVAILABLE and any(map(is_full, folders)):
        return disk_full()
    return failure


def stalled(seconds: float) -> DownloadError:
    """Error for an attempt that made no progress for that long."""
    return DownloadError(
        ErrorCode.TIMEOUT,
        f"Nothing moved for {seconds:.0f} s (downloads.stall_timeout): the site sends nothing, or "
        "its stream has ended. Retry the job later.",
        transient=True,
    )
