"""What becomes of an attempt: where its files go, and what an error means."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.models import TERMINAL, Job, JobStatus, ProducedFile
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume import files as library

# Failures after which nothing of a job is kept: for the space, or as its files may be the cause.
SPOILED: Final = frozenset({ErrorCode.DISK_FULL, ErrorCode.POSTPROCESSING, ErrorCode.INTERNAL})


def resumable(job: Job) -> bool:
    """Whether a failed job keeps its partial files for a retry."""
    return job.status is JobStatus.FAILED and job.error_code not in SPOILED


def discard_empty(temp: Path, job_id: str) -> None:
    """Remove the temporary folder of a job that has no partial files."""
    with contextlib.suppress(OSError):  # not empty, or not there
        (temp / job_id).rmdir()


def with_partials(tx: Tx) -> set[str]:
    """Return the ids of jobs that may have partial files."""
    unfinished = [status for status in JobStatus if status not in TERMINAL]
    found = tx.jobs(statuses=unfinished, limit=1_000_000)
    failed = tx.jobs(statuses={JobStatus.FAILED}, limit=10_000)
    kept = {job.id for job in failed if resumable(job)}
    # Of what was to be moved, what was made tells later whose the file at its new place is.
    return {job.id for job in found} | kept | tx.planned_jobs()


def still_there(root: Path, files: Sequence[ProducedFile]) -> bool:
    """Whether files are where they were made, or in their places already."""
    return all(Path(one.temp_path).exists() or library.is_placed(root, one) for one in files)


def move(root: Path, files: Sequence[ProducedFile]) -> None:
    """Move files to their names below the root; none stays there where another try can't help."""
    try:
        for one in files:
            library.place(root, Path(one.temp_path), one.filename, one.filesize)
    except OSError as error:
        if not storage_failure(error).transient:
            with contextlib.suppress(OSError):
                withdraw(root, files)
        raise


def withdraw(root: Path, files: Sequence[ProducedFile]) -> None:
    """Undo what was done of a move; another's file of the same name stays."""
    for one in files:
        library.remove_owned(root, one)


def remove(root: Path, files: Sequence[ProducedFile]) -> None:
    """Remove files that are in their places."""
    for one in files:
        library.remove(root, one.filename)


def stalled(seconds: float) -> DownloadError:
    """Return why an attempt without progress was ended."""
    return DownloadError(
        ErrorCode.TIMEOUT,
        f"Nothing moved for {seconds:.0f} s (downloads.stall_timeout): the site sends nothing, or "
        "its stream has ended. Retry the job later.",
        transient=True,
    )


def storage_failure(error: OSError) -> DownloadError:
    """Return what an error of the volume means to a job."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DownloadError(
            ErrorCode.DISK_FULL, "The volume is full. Free some space, then retry the job."
        )
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EPERM}:
        return DownloadError(
            ErrorCode.UNSAFE_PATH,
            "The file's folder is a link or a file, or leads out of the storage root.",
        )
    return DownloadError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"The volume can't be used ({error.strerror}). Check that it is mounted and writable.",
        transient=True,
    )
