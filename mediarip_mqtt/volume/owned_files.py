"""Files that the service put on the volume, as far as they are still the same ones.

All functions block: call them in threads. They raise `OSError` for a name outside the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.volume.files import identity_of, is_same, move_into_place, parent_folder

_UNREADABLE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP}
)


def move_owned(root: Path, file: JobFile, filename: str) -> str:
    """Move a file of ours from one name below the root to another; may be repeated.

    Return its new identity. Raises `FileNotFoundError` if it is gone or another file has its old
    name (that file stays), `FileExistsError` if another file has the new name.
    """
    if not is_owned(root, file):
        with parent_folder(root, filename, create=True) as (folder, name):
            moved = _plain_file(name, folder)
            if moved is None or moved.st_size != file.filesize:
                raise FileNotFoundError(errno.ENOENT, "the file is gone", file.filename)
            return identity_of(name, folder)  # an earlier attempt moved it, before a kill
    return move_into_place(root, root / file.filename, filename, file.filesize, root)


def is_owned(root: Path, file: JobFile) -> bool:
    """Whether a file has its name and is still the one that was put there."""
    status = status_of(root, file.filename)
    return status is not None and is_same(status, file)


def status_of(root: Path, filename: str) -> os.stat_result | None:
    """Return the status of a plain file below the root; None if there is none."""
    try:
        with parent_folder(root, filename, create=False) as (folder, name):
            return _plain_file(name, folder)
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def opened_plain(root: Path, filename: str) -> Iterator[BinaryIO | None]:
    """Open a plain file below the root without following links; yield None if there is none."""
    try:
        with parent_folder(root, filename, create=False) as (folder, name):
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        yield None
        return
    with os.fdopen(handle, "rb") as file:
        yield file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def _plain_file(name: str, folder: int) -> os.stat_result | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
