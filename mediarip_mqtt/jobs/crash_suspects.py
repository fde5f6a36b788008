"""Pages that may have crashed the process: read one at a time, and given up after `CRASHES`."""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Tx

CRASHES: Final = 3  # of the process while it reads a page, after which the job fails


def crashed() -> DownloadError:
    """Error for a job whose page crashed the process `CRASHES` times."""
    return DownloadError(
        ErrorCode.INTERNAL,
        "The service died three times while it read this page: killed, out of memory, or frozen. "
        "See its log; `retry` reads the page again.",
    )


def suspects(tx: Tx) -> tuple[list[str], list[str]]:
    """Return jobs suspected of crashing the process: (hold now, run last).

    Their pages are read one at a time, so that a crash counts for one of them only. A job that
    would fail with the next crash runs last: it may only have run at the same time as the cause.
    """
    rows = tx.suspects()
    reading = any(status is JobStatus.EXTRACTING for _, _, status in rows)
    held = [job_id for job_id, _, _ in rows] if reading else []
    return held, [job_id for job_id, crashes, _ in rows if crashes == CRASHES - 1]
