"""Makes the log in JSON the process's only output: what else is written becomes a line of it."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from mediarip_mqtt.service import logs

LONGEST_LINE: Final = 64 * 1024  # bytes
DRAIN_TIME: Final = 1.0  # seconds; a child that still runs keeps the pipe open

_saved: dict[int, int] = {}  # the process's own standard output and error
logger = logging.getLogger("output")


@contextmanager
def json_alone(*, stdout: bool) -> Iterator[None]:
    """Log what anything in this process or its children writes to standard error.

    Libraries, Python's warnings and tracebacks, ffmpeg. With ``stdout`` also standard output.
    """
    _hook_errors()
    _flush()
    for number in (1, 2) if stdout else (2,):
        _saved[number] = os.dup(number)
    logs.use_stream(os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace"))
    read, write = os.pipe()
    for number in _saved:
        os.dup2(write, number)
    os.close(write)
    reader = threading.Thread(
        target=_log_lines, args=(os.fdopen(read, "rb"),), name="output", daemon=True
    )
    reader.start()
    try:
        yield
    finally:
        restore()
        reader.join(DRAIN_TIME)


def restore() -> None:
    """Give the process its output back; required before another program replaces it."""
    _flush()
    while _saved:
        number, descriptor = _saved.popitem()
        os.dup2(descriptor, number)
        os.close(descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _log_lines(source: IO[bytes]) -> None:
    with source:
        while line := source.readline(LONGEST_LINE):
            # ffmpeg separates its progress by carriage returns: only the last one is of interest.
            parts = [part for part in re.split(rb"[\r\n]", line) if part.strip()]
            if parts:
                logger.info("%s", parts[-1].decode("utf-8", "backslashreplace"))


def _hook_errors() -> None:
    """Log uncaught exceptions and warnings, each as one entry."""

    def uncaught(kind: Any, error: Any, traceback: Any) -> None:
        logger.critical("uncaught exception", exc_info=(kind, error, traceback))

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            name = arguments.thread.name if arguments.thread else "unknown"
            logger.error("uncaught exception in thread %s", name, exc_info=arguments.exc_value)

    def unraisable(arguments: Any) -> None:
        logger.error("exception ignored in %r", arguments.object, exc_info=arguments.exc_value)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
    logging.captureWarnings(True)  # noqa: FBT003 - logging's signature
