"""Checks that the volume is mounted, recognised by a marker file, and writable.

A check may hang while a file server is away: each one runs in a thread, only one at a time, and
waiting for it has a time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.fault_points import fault

MARKER: Final = "volume"  # in the service's own folder
HANGING: Final = "hanging"
TIME_LIMIT: Final = 5.0  # seconds after which a check counts as hanging


class Volume:
    """The volume that holds the service's own folder."""

    def __init__(self, own: Path) -> None:
        self._own = own
        self._marker = own / MARKER
        self._id = ""
        self._pending: asyncio.Future[str | None] | None = None

    @property
    def marked(self) -> bool:
        """Whether the marker file exists."""
        return self._marker.exists()

    def mark(self) -> None:
        """Read the marker, or write a new one; call it before the volume is first used."""
        with contextlib.suppress(FileNotFoundError):
            self._id = self._marker.read_text("utf-8").strip()
        if not self._id:
            self._id = uuid.uuid4().hex
            half = self._own / f".{MARKER}.half"
            half.write_text(f"{self._id}\n")
            half.replace(self._marker)

    async def problem(self) -> str | None:
        """Return what is wrong with the volume in a word or two, or None."""
        if self._pending is None:
            self._pending = threads.start(self._look, "volume")
        try:
            async with asyncio.timeout(TIME_LIMIT):
                found = await asyncio.shield(self._pending)
        except TimeoutError:
            return HANGING  # the next check waits for the same thread
        self._pending = None
        return found

    def _look(self) -> str | None:
        fault("volume-look")
        try:
            seen = self._marker.read_text("utf-8").strip()
            flags = os.statvfs(self._own).f_flag
        except FileNotFoundError:
            return "not mounted"
        except OSError as error:
            return (error.strerror or "unusable").lower()
        if seen != self._id:
            return "another volume"
        if flags & os.ST_RDONLY or not os.access(self._own, os.W_OK):
            return "read-only"
        return None
