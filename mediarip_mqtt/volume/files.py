"""Places on the volume: nothing is written outside the root, and no file overwritten.

All functions block; they run in threads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from mediarip_mqtt.contract.models import ProducedFile
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.volume.names import OWN_FOLDER

YTDLP_FOLDER: Final = "ytdlp"  # in it: versions that were fetched
MARKER: Final = f"{OWN_FOLDER}/store.db"  # shows that the volume is there, not a bare mount point
COPY_STEP: Final = 1024 * 1024

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
_JOB_FOLDER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def own_folder(settings: Settings) -> Path:
    """Return where the service keeps what is not media."""
    return settings.storage.root.expanduser().absolute() / OWN_FOLDER


def fetched_folder(settings: Settings) -> Path:
    """Return where newer versions of yt-dlp are kept."""
    return own_folder(settings) / YTDLP_FOLDER


def place(root: Path, source: Path, filename: str, size: int) -> None:
    """Move a finished file of so many bytes to its name below the root; again, finish the move.

    Never overwrites: raises `FileExistsError` where another file has the name. The parent folders
    are opened one by one without following links, and the move works on the last one's descriptor,
    so that no link planted in between leads it out of the root.
    """
    fault("before-move")
    with _parent(root, filename, create=True) as (folder, name):
        hidden = _hidden_name(source, name)
        if not os.path.lexists(source):
            if not _was_moved(source, name, folder, size):
                raise FileNotFoundError(errno.ENOENT, "the finished file is gone", str(source))
            _discard(hidden, folder)
            return  # moved before a kill
        _sync(source)
        if not _same_content(source, name, folder):
            _move(source, name, hidden, folder)
        _discard(hidden, folder)
        _sync_folder(folder)  # before the old name goes: one of the two outlives a power cut
        with contextlib.suppress(FileNotFoundError):
            source.unlink()


def remove(root: Path, filename: str) -> bool:
    """Remove a file that the service wrote, and the folders that this leaves empty."""
    try:
        with _parent(root, filename, create=False) as (folder, name):
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                return False
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    for parent in list(PurePosixPath(filename).parents)[:-1]:
        try:
            with _parent(root, str(parent), create=False) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError:
            break  # not empty
    return True


def is_placed(root: Path, file: ProducedFile) -> bool:
    """Whether a file is in its place, as large as it was made."""
    try:
        with _parent(root, file.filename, create=False) as (folder, name):
            return _was_moved(Path(file.temp_path), name, folder, file.filesize)
    except (FileNotFoundError, NotADirectoryError):
        return False


def withdraw(root: Path, source: Path, filename: str, size: int) -> bool:
    """Undo a move, or what a kill left of it; return whether a file was removed.

    Another's file may have the name. It is the one that was moved only where what it was made of
    is gone and its size is right, or where both are still the same file.
    """
    try:
        with _parent(root, filename, create=False) as (folder, name):
            hidden = _hidden_name(source, name)
            ours = _was_moved(source, name, folder, size) or _is_reservation(name, hidden, folder)
            _discard(hidden, folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return ours and remove(root, filename)


def remove_owned(root: Path, file: ProducedFile) -> bool:
    """Remove a job's file, in its place or on its way there; return whether one was removed."""
    if file.temp_path:
        return withdraw(root, Path(file.temp_path), file.filename, file.filesize)
    return remove(root, file.filename)


def job_temp(base: Path, job_id: str) -> Path:
    """Return a job's own temporary folder; it is made where it is not there.

    On the volume the service's own folder must be there already: nothing is made in the mount
    point of a lost volume.
    """
    folder = base / _plain(job_id)
    base.mkdir(parents=OWN_FOLDER not in base.parts, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "the job's temporary folder is a link", str(folder))
    return folder


def size(base: Path, job_id: str) -> int:
    """Return the bytes in a job's temporary folder; 0 where there is none."""
    total = 0
    for folder, _, names in os.walk(base / _plain(job_id)):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue  # moved on meanwhile
    return total


def discard_temp(base: Path, job_id: str) -> None:
    """Remove a job's temporary folder with all in it; links are removed, not followed."""
    fault("before-temp-removal")
    folder = base / _plain(job_id)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def sweep_temp(base: Path, keep: Collection[str]) -> list[str]:
    """Remove the temporary folders of all jobs but those to keep; return whose they were.

    Only what is named as a job is touched: the base may be a folder that others use, too.
    """
    if not base.is_dir():
        return []
    gone = [
        entry.name
        for entry in base.iterdir()
        if _JOB_FOLDER.fullmatch(entry.name) and entry.name not in keep and entry.is_dir()
    ]
    for name in gone:
        discard_temp(base, name)
    return gone


def _plain(job_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job_id):
        raise ValueError(f"not a job's id: {job_id!r}")
    return job_id


@contextmanager
def _parent(root: Path, filename: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """Open the folder of a relative name, one step at a time, following no link."""
    parts = PurePosixPath(filename).parts
    if not parts or filename.startswith("/") or any(part in {"..", "."} for part in parts):
        raise OSError(errno.EPERM, "the name leads out of the storage root", filename)
    if parts[0].casefold() == OWN_FOLDER:
        raise OSError(errno.EPERM, "the name lies in the service's own folder", filename)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if create and not _exists(MARKER, folder):
            raise OSError(errno.ENODEV, "the volume is not mounted: it lacks the store", str(root))
        for part in parts[:-1]:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
                    _sync_folder(folder)
            inner = _open_folder(part, folder)
            os.close(folder)
            folder = inner
        yield folder, parts[-1]
    finally:
        os.close(folder)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move(source: Path, name: str, hidden: str, folder: int) -> None:
    """Give a file its name: atomic, and an error where the name is taken."""
    if _is_reservation(name, hidden, folder):
        _discard(name, folder)
    try:
        os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy_in(source, name, hidden, folder)
        elif error.errno in _NO_LINKS:
            _rename(source, name, hidden, folder)
        else:
            raise


def _copy_in(source: Path, name: str, hidden: str, folder: int) -> None:
    """Copy from another filesystem under a hidden name, then give it the final one.

    The hidden name is the same in every try, so that a kill leaves nothing behind for good.
    """
    _discard(hidden, folder)
    handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
    try:
        with source.open("rb") as old, os.fdopen(handle, "wb") as new:
            shutil.copyfileobj(old, new, COPY_STEP)
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename(hidden, name, hidden, folder, folder)
    except BaseException:
        _discard(hidden, folder)
        raise


def _rename(
    source: Path | str, name: str, hidden: str, folder: int, source_folder: int | None = None
) -> None:
    """Move where there are no hard links: take the name first, so that no other is replaced.

    What takes it tells whose it is, should a kill leave it behind; while it is still empty, the
    hidden file beside it does.
    """
    if source != hidden:
        os.close(os.open(hidden, os.O_CREAT | os.O_WRONLY, 0o666, dir_fd=folder))
    try:
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb", buffering=0) as reserved:
                reserved.write(hidden.encode())
            os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
        except OSError:
            _discard(name, folder)
            raise
    finally:
        _discard(hidden, folder)


def _hidden_name(source: Path, name: str) -> str:
    digest = hashlib.blake2b(f"{source}\0{name}".encode("utf-8", "replace"), digest_size=16)
    return f".{digest.hexdigest()}.part"


def _discard(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _is_reservation(name: str, hidden: str, folder: int) -> bool:
    with _opened(name, folder) as there:
        if there is None:
            return False
        text = there.read(len(hidden) + 1)
    return hidden.encode().startswith(text) if text else _exists(hidden, folder)


def _was_moved(source: Path, name: str, folder: int, size: int) -> bool:
    with _opened(name, folder) as there:
        if there is None:
            return False
        status = os.fstat(there.fileno())
    try:
        return os.path.samestat(status, source.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return status.st_size == size


def _same_content(source: Path, name: str, folder: int) -> bool:
    """Whether the file is in its place already, moved before a kill."""
    with _opened(name, folder) as there:
        if there is None:
            return False
        status, mine = os.fstat(there.fileno()), source.lstat()
        if os.path.samestat(status, mine) or status.st_size != mine.st_size:
            return os.path.samestat(status, mine)
        with source.open("rb") as file:
            while block := file.read(COPY_STEP):
                if there.read(COPY_STEP) != block:
                    return False
        return True


@contextmanager
def _opened(name: str, folder: int) -> Iterator[BinaryIO | None]:
    """Open what has a name; None where that is nothing, or no file that can be read."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        yield None
        return
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        yield None
        return
    with os.fdopen(handle, "rb") as file:
        yield file


def _open_folder(name: str, folder: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError:
        text = "a folder of this name is a link or a file; use another folder"
        raise NotADirectoryError(errno.ENOTDIR, text, name) from None


def _sync(source: Path) -> None:
    """Write a finished file to the disk; raise where it is not a plain file but a link, say."""
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(source))
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: int) -> None:
    with contextlib.suppress(OSError):  # not every filesystem can
        os.fsync(folder)
