"""Some space on the volume that the store can have when all else is full."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

NAME: Final = "reserve"  # beside the store
SIZE: Final = 2 * 2**20  # bytes; a command needs some ten thousand
ENOUGH: Final = 4 * SIZE  # bytes that must be free before the reserve is set aside


class Reserve:
    """A file that is given up once the store can't be written for want of space."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def release(self) -> bool:
        """Give the space up; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def renew(self) -> None:
        """Set the space aside where there is enough again; blocks."""
        with contextlib.suppress(OSError):
            there = self._path.stat().st_size if self._path.exists() else 0
            if there >= SIZE or shutil.disk_usage(self._path.parent).free < ENOUGH:
                return
            with self._path.open("wb") as file:
                file.write(os.urandom(SIZE))  # zeros would take no space where they are compressed
