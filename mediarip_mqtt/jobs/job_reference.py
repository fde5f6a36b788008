"""Which job a command means: by id, by the beginning of one, or as `last` or `current`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import Tx

T = TypeVar("T")
PREFIX_LENGTH: Final = 4  # minimum characters of an id's prefix
_NO_JOB: Final = {"last": "There is no job yet.", "current": "No job is running now."}


def find(tx: Tx, ref: str, scope: str | None = None) -> Job:
    """Return the job for an id, an unambiguous prefix, ``last`` or ``current``.

    ``scope`` limits it to one session's jobs. Raises `CommandError` for none or several.
    """
    if ref == "last":
        matches = tx.jobs(session_id=scope, top_level=True, limit=1)
    elif ref == "current":
        running = tx.running(scope)
        matches = [job for job in running if job.items is None][:1] or running[:1]
    elif (job := tx.job(ref)) and scope in {None, job.session_id}:
        return job
    elif len(ref) >= PREFIX_LENGTH:
        matches = tx.jobs(session_id=scope, prefix=ref.lower(), limit=2)
    else:
        matches = []
    text = _NO_JOB.get(ref) or f"There is no job {ref[:40]!r}."
    missing = f"{text} The command `list` shows the jobs."
    several = f"Several jobs' ids begin with {ref[:40]!r}. Give more characters."
    return the_one(matches, ErrorCode.JOB_NOT_FOUND, missing, several)


def the_one(matches: Sequence[T], code: ErrorCode, missing: str, several: str) -> T:
    """Return the only match of a reference; raise `CommandError` if there is none or another."""
    if len(matches) == 1:
        return matches[0]
    if matches:
        code, missing = ErrorCode.AMBIGUOUS_ID, several
    raise CommandError(code, missing, field="id")
