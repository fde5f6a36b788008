"""What a check finds, and how checks run: each in a thread of its own, none waited for too long."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import MediaripError

SECONDS: Final = 10.0  # that a check may take where it does not say otherwise


T = TypeVar("T")
OWNER: Final = (
    "Give the folder and `.mediarip` in it to the user that the service runs as (in a container: "
    "PUID and PGID), or run the service as their owner."
)
MAKE_ROOM: Final = "Make room, for example by `mediarip-mqtt purge --files --older-than 30d`."


class HangingError(MediaripError):
    """Something did not answer in time; its thread is still there."""


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # the service runs, but not as well as it could
    PROBLEM = "problem"  # the service can't do its work


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, what was found, and what to do where that is not well."""

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    """Return a finding that is well."""
    return Finding(name, State.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that could be better."""
    return Finding(name, State.WARNING, found, remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that keeps the service from its work."""
    return Finding(name, State.PROBLEM, found, remedy)


def from_error(name: str, error: MediaripError) -> Finding:
    """Return the problem that an error tells of: what happened first, then what to do."""
    found, _, remedy = error.message.partition(". ")
    return problem(name, found.rstrip("."), remedy)


@dataclass(frozen=True)
class Check:
    """A look at something; ``look`` may block, and hang."""

    name: str
    look: Callable[[], list[Finding]]
    seconds: float = SECONDS
    remedy: str = "Something hangs there. Try again; report it where it stays so."


async def carry_out(*checks: Check) -> list[Finding]:
    """Run checks side by side; what one finds stands where it stood among the checks."""
    results = await asyncio.gather(*map(_carry_out, checks))
    return [finding for result in results for finding in result]


async def attempt(function: Callable[[], T], name: str, seconds: float) -> T:
    """Return what a function returns in a thread of its own; raise `HangingError` after a while."""
    work = threads.start(function, f"doctor-{name}")
    await asyncio.wait({work}, timeout=seconds)
    if not work.done():
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise HangingError(f"no answer within {seconds:.0f} s")
    return work.result()


async def _carry_out(check: Check) -> list[Finding]:
    try:
        return await attempt(check.look, check.name, check.seconds)
    except HangingError as error:
        return [problem(check.name, error.message, check.remedy)]
    except MediaripError as error:
        return [from_error(check.name, error)]
    except OSError as error:
        return [problem(check.name, error.strerror or str(error), remedy_for(error))]
    except (sqlite3.Error, ValueError) as error:
        return [problem(check.name, str(error), "Check the volume, and its disk.")]


def remedy_for(error: OSError) -> str:
    """Return what to do where the system refused something."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return OWNER
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return MAKE_ROOM
    return "Check that the volume is mounted, and its server."
