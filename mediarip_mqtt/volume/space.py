"""Whether a volume has space: what `statvfs` says, and what a write says."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Final

PROBE: Final = 2**20  # bytes; a volume that can't take them is full
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def free_bytes(folder: Path) -> int:
    """Return the free bytes of a folder's volume; blocks."""
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Whether a folder's volume, or this user's quota on it, can't take `PROBE` more bytes.

    Blocks. False if the volume can't be used for another reason.
    """
    probe = folder / ".space"
    try:
        if free_bytes(folder) < PROBE:
            return True
        # A quota is invisible to statvfs, and zeros take no space on a compressing filesystem.
        with probe.open("wb") as file:
            file.write(os.urandom(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in FULL
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return False
