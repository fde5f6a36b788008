"""What a check found, and how checks run: each in its own thread, with a time limit."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import MediaripError

T = TypeVar("T")
SECONDS: Final = 10.0  # default time limit of a check
OWNER: Final = (
    "Give the folder and `.mediarip` in it to the user that the service runs as (in a container: "
    "PUID and PGID), or run the service as their owner."
)
MAKE_ROOM: Final = "Make room, for example by `mediarip-mqtt purge --files --older-than 30d`."
CHECK_DISK: Final = "Check the volume, and its disk."


class HangingError(MediaripError):
    """A call did not return in time; its thread still runs."""


class Severity(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"  # the service works, but something could be better
    PROBLEM = "problem"  # the service can't work


@dataclass(frozen=True)
class Finding:
    """The result of a check: its name, its state, what was found, and what to do about it."""

    name: str
    state: Severity
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    """Return a finding without a remedy."""
    return Finding(name, Severity.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that could be better, and how."""
    return Finding(name, Severity.WARNING, found, remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that keeps the service from working, and what to do."""
    return Finding(name, Severity.PROBLEM, found, remedy)


def from_error(name: str, error: MediaripError) -> Finding:
    """Return an error as a problem; its first sentence is what was found, the rest the remedy."""
    found, _, remedy = error.message.partition(". ")
    return problem(name, found.rstrip("."), remedy)


@dataclass(frozen=True)
class DoctorCheck:
    """A check; ``look`` may block, and hang.

    ``remedy`` is for a check that does not return within ``seconds``.
    """

    name: str
    look: Callable[[], list[Finding]]
    seconds: float = SECONDS
    remedy: str = "It hangs. Try again; report it if it stays so."


async def run_checks(*checks: DoctorCheck) -> list[Finding]:
    """Run checks at the same time; the findings are in the order of the checks."""
    results = await asyncio.gather(*map(_run_check, checks))
    return [finding for result in results for finding in result]


async def with_time_limit(function: Callable[[], T], name: str, seconds: float) -> T:
    """Run a function in a thread of its own; raise `HangingError` if it takes too long."""
    work = threads.start(function, f"doctor-{name}")
    await asyncio.wait({work}, timeout=seconds)
    if not work.done():
        threads.leave(work)
        raise HangingError(f"no answer within {seconds:.0f} s")
    return work.result()


async def _run_check(check: DoctorCheck) -> list[Finding]:
    try:
        return await with_time_limit(check.look, check.name, check.seconds)
    except HangingError as error:
        return [problem(check.name, error.message, check.remedy)]
    except MediaripError as error:
        return [from_error(check.name, error)]
    except OSError as error:
        return [problem(check.name, error.strerror or str(error), remedy_for(error))]
    except ValueError as error:
        return [problem(check.name, str(error), CHECK_DISK)]


def remedy_for(error: OSError) -> str:
    """Return what to do about an error of the system."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return OWNER
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return MAKE_ROOM
    return "Check that the volume is mounted, and its server."
