"""Space on the volume that the store can use when the volume is full."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

NAME: Final = "reserve"  # beside the store
SIZE: Final = 2 * 2**20  # bytes; a command needs about 10 kB
ENOUGH: Final = 4 * SIZE  # free bytes needed to create the reserve


class Reserve:
    """A file that is deleted when the store needs its space."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def release(self) -> bool:
        """Delete the file; return whether that freed space."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def renew(self) -> None:
        """Create the file again if there is enough space; blocks."""
        with contextlib.suppress(OSError):
            size = self._path.stat().st_size if self._path.exists() else 0
            if size >= SIZE or shutil.disk_usage(self._path.parent).free < ENOUGH:
                return
            with self._path.open("wb") as file:
                file.write(os.urandom(SIZE))  # zeros take no space on a compressing filesystem
