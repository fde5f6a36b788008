"""Small files that are written at their places, and media that are changed there.

A file appears whole, or not at all. What a person made or edited is never replaced. All functions
block.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.volume.files import (
    COPY_STEP,
    NO_LINKS,
    discard,
    exists,
    hidden_name,
    identity_of,
    is_same,
    opened,
    parent_folder,
    rename_without_links,
    sync_folder,
)

SMALL: Final = 16 * 2**20  # bytes of a file that `write_small` can replace


def write_small(
    root: Path,
    filename: str,
    content: bytes,
    *,
    former: JobFile | None = None,
    unedited: Callable[[bytes], bool] | None = None,
) -> str | None:
    """Write a small file atomically; may be repeated. Return its identity.

    None, and nothing is written, if another file has the name: one that is neither ``former`` nor
    ``unedited`` by its content.
    """
    fault("before-write")
    with parent_folder(root, filename, create=True) as (folder, name):
        with opened(name, folder) as there:
            old = None if there is None else there.read(SMALL + 1)
            ours = there is not None and former and is_same(os.fstat(there.fileno()), former)
        if old == content:
            return identity_of(name, folder)
        known = old is not None and (ours or (unedited is not None and unedited(old)))
        if exists(name, folder) and not known:
            return None
        hidden = hidden_name(Path(filename), name)
        with _new(hidden, folder) as new:
            new.write(content)
        return identity_of(name, folder) if _give_name(hidden, name, folder, known=known) else None


def rewrite(root: Path, file: JobFile, change: Callable[[BinaryIO], None]) -> JobFile | None:
    """Replace a file by a changed copy of itself; return it as it is then, None if not ours."""
    fault("before-write")
    with parent_folder(root, file.filename, create=False) as (folder, name):
        with opened(name, folder) as old:
            if old is None or not is_same(os.fstat(old.fileno()), file):
                return None
            hidden = hidden_name(Path(file.filename), name)
            with _new(hidden, folder) as new:
                shutil.copyfileobj(old, new, COPY_STEP)
                change(new)
        _give_name(hidden, name, folder, known=True)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        changed = {"filesize": status.st_size, "identity": identity_of(name, folder)}
        return file.model_copy(update=changed)


@contextmanager
def _new(hidden: str, folder: int) -> Iterator[BinaryIO]:
    """Create a hidden file, and flush it to the disk; remove it after an error."""
    discard(hidden, folder)
    try:
        handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666, dir_fd=folder)
        with os.fdopen(handle, "w+b") as new:
            yield new
            new.flush()
            os.fsync(new.fileno())
    except BaseException:
        discard(hidden, folder)
        raise


def _give_name(hidden: str, name: str, folder: int, *, known: bool) -> bool:
    """Give a hidden file its name; ``known``: replace the file there. Return whether it has it."""
    try:
        if known:
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            try:
                os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                rename_without_links(hidden, folder, name, hidden, folder)
    except FileExistsError:
        return False
    finally:
        discard(hidden, folder)
    sync_folder(folder)
    return True
