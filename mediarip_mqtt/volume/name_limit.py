"""How long a name may be: encrypted shares of a NAS take 143 bytes, most filesystems 255.

All functions block.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from mediarip_mqtt.volume.names import NAME_BYTES

LEAST_BYTES: Final = 60  # below that no useful name is left
_TRIAL: Final = ".mediarip-name-"


def name_limit(folder: Path) -> int:
    """Return the bytes that a name may have, as the filesystem states it; at most 255."""
    try:
        stated = os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return NAME_BYTES
    return min(stated, NAME_BYTES) if stated > 0 else NAME_BYTES


def measured_limit(folder: int, most: int = NAME_BYTES) -> int:
    """Return the bytes that a name may have in an open folder, found by making empty files.

    Some filesystems state a greater limit than they keep. Raises `OSError` if no file can be made.
    """
    least = len(_TRIAL)
    while least < most:
        length = (least + most + 1) // 2
        if _fits(_TRIAL.ljust(length, "x"), folder):
            least = length
        else:
            most = length - 1
    return least


def _fits(name: str, folder: int) -> bool:
    try:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600, dir_fd=folder))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise
    os.unlink(name, dir_fd=folder)
    return True
