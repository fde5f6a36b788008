"""Checks that the volume is mounted and writable, by a marker file that the service left on it.

A check hangs while a file server is away. So checks run in a thread, one at a time, and the wait
for one has a time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.fault_points import fault

MARKER_FILE: Final = "volume"  # in the service's own folder
HANGING: Final = "hanging"  # the problem of a volume that does not answer
STORE_MOVED: Final = "its store was moved or replaced"  # solved by opening the store again
TIME_LIMIT: Final = 5.0  # seconds without an answer after which a volume counts as hanging


class VolumeMarker:
    """A file with a random id by which a service recognizes its volume.

    ``store_in_place`` returns whether the store's open files are those at their paths. That proves
    that the volume is the same one, also if its marker was removed or changed.
    """

    def __init__(self, folder: Path, store_in_place: Callable[[], bool]) -> None:
        self._folder = folder
        self._store_in_place = store_in_place
        self._path = folder / MARKER_FILE
        self._id = ""
        self._pending: asyncio.Future[str | None] | None = None

    @property
    def exists(self) -> bool:
        """Whether the volume has a marker; blocks."""
        return self._path.exists()

    def ensure(self) -> None:
        """Read the marker, or create it; blocks. Call it before `problem`."""
        with contextlib.suppress(FileNotFoundError):
            self._id = self._path.read_text("utf-8").strip()
        if not self._id:
            self._id = uuid.uuid4().hex
            self._write()

    def _write(self) -> None:
        incomplete = self._folder / f".{MARKER_FILE}.half"
        incomplete.write_text(f"{self._id}\n")
        incomplete.replace(self._path)

    async def problem(self) -> str | None:
        """Return what is wrong with the volume in a word or two, or None."""
        if self._pending is None:
            self._pending = threads.start(self._look, "volume")
        try:
            async with asyncio.timeout(TIME_LIMIT):
                problem = await asyncio.shield(self._pending)
        except TimeoutError:
            return HANGING  # the next check waits for the same thread
        self._pending = None
        return problem

    def _look(self) -> str | None:
        fault("volume-look")
        try:
            volume_id = self._read()
            flags = os.statvfs(self._folder).f_flag
        except FileNotFoundError:
            return "not mounted"
        except OSError as error:
            return (error.strerror or "unusable").lower()
        in_place = self._store_in_place()
        if volume_id != self._id and not in_place:
            return "not mounted" if volume_id is None else "another volume"
        if flags & os.ST_RDONLY or not os.access(self._folder, os.W_OK):
            return "read-only"
        if volume_id != self._id:
            with contextlib.suppress(OSError):  # a full volume: the next look tries again
                self._write()
        return None if in_place else STORE_MOVED

    def _read(self) -> str | None:
        """Return the id in the marker; None without one; raise other `OSError`."""
        try:
            return self._path.read_bytes().decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
