"""What a job's columns become when it starts over, and the error for a move that is not allowed."""

from __future__ import annotations

from typing import Any, Final

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import Job

# `is_playlist`: known again only once the page is read.
UNBEGUN: Final[dict[str, Any]] = {
    "attempt": 0,
    "started_at": None,
    "not_before": None,
    "warning": None,
    "is_playlist": False,
}
FRESH: Final[dict[str, Any]] = {
    "error_code": None,
    "error_message": None,
    "next_retry_at": None,
    "completed_at": None,
    "cleared_at": None,
}


def wrong_move(job: Job, verb: str, hint: str) -> CommandError:
    """Return the error for a job whose status does not allow a command."""
    return CommandError(
        ErrorCode.INVALID_TRANSITION,
        f"The job {job.id} is {job.status} and can't be {verb}. {hint}".strip(),
        field="id",
    )
