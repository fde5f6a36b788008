"""Files on the volume: nothing is written outside the root, and no file is overwritten.

All functions block: call them in threads. Those that take a file name relative to the root raise
`OSError` if it leads outside.
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

from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.volume.name_limit import measured_limit
from mediarip_mqtt.volume.names import OWN_FOLDER

YTDLP_FOLDER: Final = "ytdlp"
STORE_PATH: Final = f"{OWN_FOLDER}/store.db"  # missing if the root is an empty mount point
ARCHIVE: Final = f"{OWN_FOLDER}/archive"  # a folder for each archived title
COPY_STEP: Final = 1024 * 1024
TIME_STEP: Final = 2_000_000_000  # nanoseconds; FAT rounds times to two seconds

NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
_NO_FOLDER: Final = frozenset({errno.ENOENT, errno.ENAMETOOLONG})
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def own_folder(settings: Settings) -> Path:
    """Return the service's own folder on the volume: store, temporary files, cookies."""
    return settings.storage.root.expanduser().absolute() / OWN_FOLDER


def fetched_folder(settings: Settings) -> Path:
    """Return the folder of the yt-dlp versions that were downloaded, on this machine.

    Not on the volume: who can write there must not run code in the service.
    """
    root = own_folder(settings).parent
    return machine_folder() / hashlib.blake2b(bytes(root), digest_size=8).hexdigest() / YTDLP_FOLDER


def machine_folder() -> Path:
    """Return the folder for what stays on this machine, by XDG or systemd (`StateDirectory=`)."""
    named = os.environ.get("XDG_DATA_HOME") or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    try:
        base = Path(named) if named else Path.home() / ".local" / "share"
    except RuntimeError:  # a user without a home
        base = Path("/var/tmp", f"mediarip-mqtt-{os.getuid()}")  # noqa: S108 - its owner is checked
    return base.absolute() / "mediarip-mqtt"


def move_into_place(
    root: Path, source: Path, filename: str, size: int, within: Path | None = None
) -> str:
    """Move a finished file of ``size`` bytes to its name below the root; may be repeated.

    ``within`` is the job's own folder: where the store says that the file is elsewhere, it is not
    touched. Return the moved file's identity, see `remove_owned`.
    Raises `FileExistsError` if another file has the name. The folders of both names are opened one
    by one without following links, and the move works on the last ones' descriptors, so that a
    link created meanwhile can't redirect it.
    """
    fault("before-move")
    with (
        parent_folder(root, filename, create=True) as (folder, name),
        _source_folder(source, within) as temp,
    ):
        hidden = hidden_name(source, name)
        if temp is None or not exists(source.name, temp):
            if not _was_moved(source, name, folder, size):
                raise FileNotFoundError(errno.ENOENT, "the finished file is gone", str(source))
            discard(hidden, folder)
            return identity_of(name, folder)  # an earlier attempt moved it, before a kill
        sync(source)
        if _is_one_entry(source.name, temp, name, folder):
            # The volume ignores case: to remove the old name would remove the file.
            os.rename(source.name, name, src_dir_fd=temp, dst_dir_fd=folder)
            return identity_of(name, folder)
        if not _same_content(source.name, temp, name, folder):
            _move(source.name, temp, name, hidden, folder)
        discard(hidden, folder)
        # Before the old name is removed: one of the two must survive a power cut.
        sync_folder(folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(source.name, dir_fd=temp)
        return identity_of(name, folder)


@contextmanager
def _source_folder(source: Path, within: Path | None) -> Iterator[int | None]:
    """Open the folder of a finished file without following links; yield None if it is gone."""
    base = source.parent if within is None else within
    if not source.is_relative_to(base) or ".." in source.parts:
        raise OSError(errno.EPERM, "the file is not in the job's own folder", str(source))
    try:
        folder = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        for part in source.relative_to(base).parts[:-1]:
            inner = _open_folder(part, folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def identity_of(name: str, folder: int) -> str:
    """Return what `is_same` recognizes a file by: its inode and time."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return f"{status.st_ino} {status.st_mtime_ns}"


def is_same(status: os.stat_result, file: JobFile) -> bool:
    """Whether a file is ours: a person may have put another one in its place.

    The number of a file changes when the volume is copied, its time when it is touched: one of the
    two is enough. Of files of earlier releases only the size is known.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.filesize:
        return False
    number, _, modified = file.identity.partition(" ")
    return (
        not modified
        or number == str(status.st_ino)
        or abs(int(modified) - status.st_mtime_ns) <= TIME_STEP
    )


def sync(source: Path) -> None:
    """Flush a file to the disk; raise `OSError` if it is a link or anything but a plain file."""
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(source))
        os.fsync(handle)
    finally:
        os.close(handle)


def longest_name(root: Path, filename: str) -> int:
    """Measure how many bytes a name may have in the deepest existing folder of ``filename``."""
    for parent in PurePosixPath(filename).parents:
        try:
            with parent_folder(root, str(parent / "x"), create=False) as (folder, _):
                return measured_limit(folder)
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                raise
    raise FileNotFoundError(errno.ENOENT, "the storage root is missing", str(root))


def remove(root: Path, filename: str, file: JobFile | None = None) -> bool:
    """Remove a file and the parent folders that this empties; return whether it was there.

    With ``file``, only if it is that one.
    """
    try:
        with parent_folder(root, filename, create=False) as (folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or not (file is None or is_same(status, file)):
                return False
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    remove_empty_folders(root, filename)
    return True


def remove_empty_folders(root: Path, filename: str) -> None:
    """Remove the parent folders of a file that is gone, as far as they are empty."""
    for parent in list(PurePosixPath(filename).parents)[:-1]:
        try:
            with parent_folder(root, str(parent), create=False) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError:
            break  # not empty


def is_placed(root: Path, file: JobFile) -> bool:
    """Whether a planned file has been moved to its name, with its size."""
    try:
        with parent_folder(root, file.filename, create=False) as (folder, name):
            return _was_moved(Path(file.temp_path), name, folder, file.filesize)
    except (FileNotFoundError, NotADirectoryError):
        return False


def remove_owned(root: Path, file: JobFile) -> bool:
    """Remove a job's file, moved or only partly moved; return whether one was removed.

    A file that has its name, but not its size and identity, is not the job's, and stays.
    """
    if file.temp_path:
        return _withdraw(root, Path(file.temp_path), file.filename, file.filesize)
    return remove(root, file.filename, file)


def _withdraw(root: Path, source: Path, filename: str, size: int) -> bool:
    """Undo a move, even one that a kill interrupted; return whether a file was removed.

    Another file may have the name. It is the moved one only if the source is gone and the size
    is the same, or if both names are the same file.
    """
    try:
        with parent_folder(root, filename, create=False) as (folder, name):
            hidden = hidden_name(source, name)
            ours = _was_moved(source, name, folder, size) or _is_reservation(name, hidden, folder)
            discard(hidden, folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return ours and remove(root, filename)


def job_temp(base: Path, job_id: str) -> Path:
    """Return a job's temporary folder; create it if it is missing.

    On the volume the service's own folder is not created: its absence means that the volume is not
    mounted.
    """
    folder = base / _plain(job_id)
    base.mkdir(parents=OWN_FOLDER not in base.parts, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "the job's temporary folder is a link", str(folder))
    if folder.stat().st_uid != base.stat().st_uid:
        raise OSError(errno.EPERM, "the job's temporary folder is another user's", str(folder))
    return folder


def size(base: Path, job_id: str) -> int:
    """Return the bytes in a job's temporary folder; 0 if there is none."""
    total = 0
    for folder, _, names in os.walk(base / _plain(job_id)):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue  # renamed or removed meanwhile
    return total


def discard_temp(base: Path, job_id: str) -> None:
    """Remove a job's temporary folder with its content; links are removed, not followed."""
    fault("before-temp-removal")
    folder = base / _plain(job_id)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def discard_empty_temp(base: Path, job_id: str) -> None:
    """Remove a job's temporary folder if it holds nothing."""
    with contextlib.suppress(OSError):  # not empty, or missing
        (base / _plain(job_id)).rmdir()


def sweep_temp(base: Path, keep: Collection[str]) -> list[str]:
    """Remove the temporary folders of all other jobs; return the ids of these jobs.

    Only folders named like a job id are touched: other programs may use the base folder, too.
    """
    if base.is_symlink() or not base.is_dir():
        return []
    removed = [
        entry.name
        for entry in base.iterdir()
        if _ID.fullmatch(entry.name) and entry.name not in keep and entry.is_dir()
    ]
    for name in removed:
        discard_temp(base, name)
    return removed


def _plain(job_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job_id):
        raise ValueError(f"not a job's id: {job_id!r}")
    return job_id


@contextmanager
def parent_folder(root: Path, filename: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """Open the parent folder of a relative name, one level at a time, without following links."""
    parts = PurePosixPath(filename).parts
    if not parts or filename.startswith("/") or any(part in {"..", "."} for part in parts):
        raise OSError(errno.EPERM, "the name leads outside the storage root", filename)
    if parts[0].casefold() == OWN_FOLDER and not _in_archive(parts):
        raise OSError(errno.EPERM, "the name lies in the service's own folder", filename)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if create and not exists(STORE_PATH, folder):
            raise OSError(
                errno.ENODEV, "the volume is not mounted: the store is missing", str(root)
            )
        for part in parts[:-1]:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
                    sync_folder(folder)
            inner = _open_folder(part, folder)
            os.close(folder)
            folder = inner
        yield folder, parts[-1]
    finally:
        os.close(folder)


def _in_archive(parts: tuple[str, ...]) -> bool:
    """Whether a path is an archived title's folder, or in one."""
    return (
        "/".join(parts[:2]) == ARCHIVE and len(parts) > 2 and bool(_ID.fullmatch(parts[2]))  # noqa: PLR2004 - the title's id
    )


def exists(name: str, folder: int) -> bool:
    """Whether an open folder has a name, be it a link that leads nowhere."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move(source: str, temp: int, name: str, hidden: str, folder: int) -> None:
    """Give a file its name atomically; raise `FileExistsError` if the name is taken."""
    if _is_reservation(name, hidden, folder):
        discard(name, folder)
    try:
        os.link(source, name, src_dir_fd=temp, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy_in(source, temp, name, hidden, folder)
        elif error.errno in NO_LINKS:
            rename_without_links(source, temp, name, hidden, folder)
        else:
            raise


def _copy_in(source: str, temp: int, name: str, hidden: str, folder: int) -> None:
    """Copy from another filesystem to a hidden name, then give it the final one.

    The hidden name is the same in each attempt: the next one removes what a killed one left.
    """
    discard(hidden, folder)
    handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
    try:
        original = os.open(source, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=temp)
        with os.fdopen(original, "rb") as old, os.fdopen(handle, "wb") as new:
            shutil.copyfileobj(old, new, COPY_STEP)
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            rename_without_links(hidden, folder, name, hidden, folder)
    except BaseException:
        discard(hidden, folder)
        raise


def rename_without_links(
    source: str, source_folder: int, name: str, hidden: str, folder: int
) -> None:
    """Move without hard links: reserve the name first, so that no other file is replaced.

    The reservation contains the hidden name, which identifies it after a kill. While it is still
    empty, the hidden file beside it identifies it.
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
            discard(name, folder)
            raise
    finally:
        discard(hidden, folder)


def hidden_name(source: Path, name: str) -> str:
    """Return the name that a file has until it is whole: the same in each attempt."""
    digest = hashlib.blake2b(f"{source}\0{name}".encode("utf-8", "replace"), digest_size=16)
    return f".{digest.hexdigest()}.part"


def discard(name: str, folder: int) -> None:
    """Remove a file from an open folder, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _is_reservation(name: str, hidden: str, folder: int) -> bool:
    with opened(name, folder) as placed:
        if placed is None:
            return False
        text = placed.read(len(hidden) + 1)
    return hidden.encode().startswith(text) if text else exists(hidden, folder)


def _was_moved(source: Path, name: str, folder: int, size: int) -> bool:
    with opened(name, folder) as placed:
        if placed is None:
            return False
        status = os.fstat(placed.fileno())
    try:
        return os.path.samestat(status, source.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return status.st_size == size


def _is_one_entry(source: str, temp: int, name: str, folder: int) -> bool:
    """Whether two names are one entry of a folder, not two links to a file."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    source_status = os.stat(source, dir_fd=temp, follow_symlinks=False)
    return os.path.samestat(status, source_status) and status.st_nlink == 1


def _same_content(source: str, temp: int, name: str, folder: int) -> bool:
    """Whether the name already has this content, from a move before a kill."""
    with opened(name, folder) as placed, opened(source, temp) as file:
        if placed is None or file is None:
            return False
        status, source_status = os.fstat(placed.fileno()), os.fstat(file.fileno())
        if os.path.samestat(status, source_status) or status.st_size != source_status.st_size:
            return os.path.samestat(status, source_status)
        while block := file.read(COPY_STEP):
            if placed.read(COPY_STEP) != block:
                return False
        return True


@contextmanager
def opened(name: str, folder: int) -> Iterator[BinaryIO | None]:
    """Open a plain file; yield None if there is none, or it can't be read."""
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


def sync_folder(folder: int) -> None:
    """Flush an open folder to the disk."""
    with contextlib.suppress(OSError):  # not every filesystem can
        os.fsync(folder)
