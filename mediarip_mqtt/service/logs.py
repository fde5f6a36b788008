"""Configures the log: lines on standard error, without secrets and control characters."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.settings import LogSettings

# Libraries that log every step.
_QUIET: Final = {
    "aiosqlite": logging.WARNING,
    "apscheduler": logging.WARNING,
    "asyncio": logging.WARNING,
    "filelock": logging.WARNING,
    "mqtt": logging.CRITICAL,  # aiomqtt's and paho's
    "paho": logging.CRITICAL,
    "urllib3": logging.WARNING,
    "amqtt": logging.CRITICAL,
    "transitions": logging.CRITICAL,
}
_HIDDEN: Final = "***"
_stream: TextIO | None = None  # in place of standard error
_LEAST_SECRET: Final = 4  # characters; shorter secrets would blank out ordinary text
# Up to the last `@`: a password may contain `@`. A key may come without a user name.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
_PARAMETERS: Final = re.compile(
    r"(?i)([?&;](?:[\w-]*(?:token|password|passwd|secret|signature|api_?key|auth)|sig|key)=)[^&\s\"']+"
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Remove ``secrets``, and URL credentials and parameters that look like secrets."""
    for secret in sorted(secrets, key=len, reverse=True):  # longest first: one may contain another
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return _PARAMETERS.sub(rf"\1{_HIDDEN}", _CREDENTIALS.sub(_HIDDEN, text))


def visible(text: str) -> str:
    """Escape control characters and direction marks.

    Titles, topics and error messages are untrusted; a terminal would execute their escape codes.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def _escaped_json(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


class _Formatter(logging.Formatter):
    """Formats records as text for people, or as JSON for programs."""

    def __init__(self, secrets: Iterable[str], *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        self._secrets = tuple(secrets)
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if not self._as_json:
            return super().format(record)
        entry = {
            "at": utc_iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage(), self._secrets),
        }
        if record.exc_info:
            traceback = super().formatException(record.exc_info)
            entry["traceback"] = redact(traceback, self._secrets)
        line = json.dumps(entry, ensure_ascii=False)
        return line if line.isprintable() else "".join(map(_escaped_json, line))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return visible(redact(super().formatMessage(record), self._secrets))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the same
        # Indented: a line of an error message must not look like a line of the log.
        lines = redact(super().formatException(ei), self._secrets).split("\n")
        return "\n".join(f"  {visible(line)}" for line in lines)


class _ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg] # the same class at run time
    """Writes through Rich's console, which keeps a progress bar below the lines."""

    def __init__(self, console: Console) -> None:
        super().__init__(console.file)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._console.print(Text(self.format(record)), soft_wrap=True)
        except Exception:  # noqa: BLE001 - logging must not raise
            self.handleError(record)


def configure(
    settings: LogSettings, *, secrets: Iterable[str] = (), console: Console | None = None
) -> None:
    """Send the log to standard error, or through ``console`` if that is a terminal."""
    handler: logging.Handler
    if console is not None and console.is_terminal and settings.format == "text":
        handler = _ConsoleHandler(console)
    else:
        handler = logging.StreamHandler(_stream or sys.stderr)
    handler.setFormatter(_Formatter(secrets, as_json=settings.format == "json"))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def use_stream(stream: TextIO) -> None:
    """Send the log to this stream from now on: all else that is written becomes part of the log."""
    global _stream  # noqa: PLW0603 - of the process, as the log itself is
    _stream = stream
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)


def is_only_output() -> bool:
    """Whether nothing but the log may be written."""
    return _stream is not None


def raw_stderr() -> TextIO | int:
    """Return where a traceback can be written while no other thread runs."""
    return _stream or sys.__stderr__ or 2


@contextmanager
def warn_instead(logger: logging.Logger, message: str, *errors: type[Exception]) -> Iterator[None]:
    """Catch ``errors`` and log them as a warning."""
    try:
        yield
    except errors as error:
        logger.warning("%s: %s", message, error)
