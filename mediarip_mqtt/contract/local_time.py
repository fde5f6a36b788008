"""The local time zone, whatever the variable TZ holds.

tzlocal, which apscheduler asks, raises errors for what the C library accepts or ignores.
"""

from __future__ import annotations

import os
import struct
import time
from datetime import UTC, tzinfo
from io import BytesIO
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

VARIABLE: Final = "TZ"
_LOCALTIME: Final = Path("/etc/localtime")
_QUOTES: Final = " \t\n\"'"


def use_time_zone() -> str | None:
    """Remove quotes and spaces from TZ; return its value if it is no time zone, else None.

    A compose file's `- TZ="Europe/Berlin"` hands over the quotes, too.
    """
    value = os.environ.get(VARIABLE)
    if value is None:
        return None
    name = value.strip(_QUOTES)
    if name != value:
        os.environ[VARIABLE] = name
        time.tzset()
    return None if not name or _zone(name) else name


def local_zone() -> tzinfo:
    """Return the zone that TZ names, else the machine's, else UTC, as the C library does."""
    name = os.environ.get(VARIABLE)
    if name is None:
        return _from_file(_LOCALTIME) or UTC
    return _zone(name.strip(_QUOTES)) or UTC


def _zone(name: str) -> tzinfo | None:
    name = name.removeprefix(":")
    if name.startswith("/"):
        return _from_file(Path(name))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, a bad name, an unknown name
        return _posix_zone(name)


def _from_file(path: Path) -> tzinfo | None:
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key=str(path))
    except (OSError, ValueError):
        return None


def _posix_zone(text: str) -> tzinfo | None:
    """Return the zone of a text such as `CET-1CEST,M3.5.0,M10.5.0/3`, see tzset(3)."""
    if not any(char.isdigit() for char in text):
        return None
    # A time zone file (RFC 8536) whose only content is the text, as its footer.
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    header = b"TZif2" + bytes(15) + counts
    block = header + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    try:
        footer = b"\n" + text.encode("ascii") + b"\n"
        return ZoneInfo.from_file(BytesIO(block + block + footer), key=text)
    except (ValueError, UnicodeEncodeError):
        return None
