"""Runs the service with faults at named points of its code: kill, freeze, fail.

`program(kill("before-ack", 7))` is a value for `Service.program`.
"""

from __future__ import annotations

import errno
import json
import os
import pkgutil
import re
import signal
import sqlite3
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Literal

from mediarip_mqtt import fault_points
from mediarip_mqtt.fault_points import Point

EACH = 0  # as a count: every time
FOR_EVER = 0.0


@dataclass(frozen=True)
class Fault:
    """A fault to inject when the service reaches a point for the ``count``-th time."""

    point: Point
    action: Literal["kill", "freeze", "seize", "fail"]
    count: int = 1
    seconds: float = FOR_EVER
    error: str = ""


def kill(point: Point, count: int = 1) -> Fault:
    return Fault(point, "kill", count)


def freeze(point: Point, count: int = 1, *, seconds: float = FOR_EVER) -> Fault:
    """Block the thread that reaches the point."""
    return Fault(point, "freeze", count, seconds)


def seize(point: Point, count: int = 1) -> Fault:
    """Hold the GIL for ever, as a regular expression can on a hostile page."""
    return Fault(point, "seize", count)


def fail(point: Point, error: str, count: int = 1) -> Fault:
    """Raise an error: an errno name such as `ENOSPC`, or an exception `module:name`."""
    return Fault(point, "fail", count, error=error)


def program(*faults: Fault, constants: dict[str, float] | None = None) -> list[str]:
    """Return the arguments for a Python that runs the service with faults.

    ``constants``: values to set before the start, by `module:NAME`.
    """
    # -P: keep the modules in this folder out of the import path.
    return [
        "-P",
        __file__,
        json.dumps([asdict(one) for one in faults]),
        json.dumps(constants or {}),
    ]


class Faults:
    """Counts how often the service reaches its points, and injects the faults."""

    def __init__(self, faults: list[Fault]) -> None:
        self._left = [(one, [one.count]) for one in faults]
        self._lock = threading.Lock()

    def reached(self, point: Point) -> None:
        due: list[Fault] = []
        with self._lock:  # several threads reach points
            for fault, left in self._left:
                if fault.point == point:
                    left[0] -= 1
                    if left[0] == 0 or fault.count == EACH:
                        due.append(fault)
        for fault in due:
            _act(fault)


def _act(fault: Fault) -> None:
    match fault.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            # Not `time.sleep`, which a cancelled download interrupts.
            threading.Event().wait(fault.seconds or None)
        case "seize":
            re.match("(a+)+$", "a" * 60 + "b")
        case "fail":
            raise _error(fault.error)


def _error(name: str) -> Exception:
    if ":" not in name:
        number: int = getattr(errno, name)
        return OSError(number, os.strerror(number))
    kind = pkgutil.resolve_name(name)
    error: Exception = kind("made to fail by a test")
    if isinstance(error, sqlite3.Error):  # the store reads the code that SQLite would set
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


def main() -> None:
    faults, constants = (json.loads(one) for one in sys.argv[1:3])
    del sys.argv[1:3]
    for name, value in constants.items():
        module, _, constant = name.partition(":")
        setattr(pkgutil.resolve_name(module), constant, value)
    fault_points.reached = Faults([Fault(**one) for one in faults]).reached
    from mediarip_mqtt.__main__ import main as run  # noqa: PLC0415 - it may choose another yt-dlp

    run()


if __name__ == "__main__":
    main()
