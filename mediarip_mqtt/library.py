"""Names and places on the volume: nothing is written outside the root, and no file overwritten.

All functions block; they run in threads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import unicodedata
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from mediarip_mqtt.errors import CommandError, ErrorCode

OWN_FOLDER: Final = ".mediarip"
NAME_BYTES: Final = 255  # of one name, on nearly every filesystem
SPARE_BYTES: Final = 12  # left for " (9999)" and the like
DEPTH: Final = 8
MAX_COPIES: Final = 9999

# Windows' and SMB's forbidden characters, as look-alikes that are allowed everywhere.
_LOOKALIKES: Final = str.maketrans(
    {"<": "＜", ">": "＞", ":": "：", '"': "＂", "\\": "⧹", "|": "｜", "?": "？", "*": "＊"}
)
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
_RESERVED: Final = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
# What a double click would run or open elsewhere; yt-dlp has a list of its own for downloads.
_DANGEROUS: Final = frozenset(
    (
        "app",
        "bash",
        "bat",
        "cmd",
        "com",
        "cpl",
        "desktop",
        "dll",
        "dylib",
        "exe",
        "hta",
        "htm",
        "html",
        "inf",
        "jar",
        "js",
        "jse",
        "lnk",
        "msi",
        "php",
        "pl",
        "ps1",
        "py",
        "reg",
        "scf",
        "scr",
        "sh",
        "so",
        "url",
        "vbs",
        "wsf",
    )
)
_FIELD: Final = re.compile(r"%\([^()%/\\]{1,120}\)[-+ #0]*\d*(?:\.\d+)?[sdifBjhlqUDSNc]")


def check_template(template: str) -> str:
    """Return a sender's output template; raise `unsafe_path` where it could lead out."""
    _check_path(template, "output_template")
    if "%" in _FIELD.sub("", template).replace("%%", ""):
        raise _unsafe(
            "output_template", "holds a field that can't be read; fields look like %(title)s"
        )
    return template


def check_folder(folder: str) -> str:
    """Return a sender's folder in its normal form; raise `unsafe_path` where it leads out."""
    _check_path(folder, "folder")
    return "/".join(part for part in folder.split("/") if part)


def _check_path(text: str, field: str) -> None:
    parts = text.split("/")
    if text.startswith(("/", "~")) or re.match(r"^[A-Za-z]:", text):
        raise _unsafe(field, "must be relative to the storage root")
    if any(part.strip() in {".", ".."} for part in parts):
        raise _unsafe(field, "must not hold `.` or `..` as a folder")
    if "\\" in text or any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise _unsafe(field, "holds a backslash or a control character")
    if any(part.strip().startswith(".") for part in parts):
        raise _unsafe(field, "must not hold hidden folders or files")
    if len(parts) > DEPTH or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise _unsafe(field, "has too many folders, or too long a name")


def _unsafe(field: str, text: str) -> CommandError:
    return CommandError(ErrorCode.UNSAFE_PATH, f"{field} {text}.", field=field)


def safe_name(rendered: str) -> str:
    """Return a relative path that is safe everywhere for whatever a template made of a page."""
    parts = [part for part in rendered.split("/") if part.strip(" .")]
    folders, last = parts[:-1][: DEPTH - 1], parts[-1] if parts else ""
    names = [_safe_part(part, extension=False) for part in folders]
    return "/".join([*names, _safe_part(last, extension=True)])


def _safe_part(text: str, *, extension: bool) -> str:
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    # Cc control, Cf format (bidirectional overrides, zero-width), Cs surrogates, Co, Cn, Zl, Zp.
    clean = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in clean
        if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"}
    )
    clean = re.sub(r"\s+", " ", clean.translate(_LOOKALIKES).replace("/", "⧸"))
    clean = clean.strip(" .").lstrip("-").strip(" .")
    if _RESERVED.match(clean) or clean.lower() == OWN_FOLDER.strip("."):
        clean = f"_{clean}"
    if not extension:
        return _cut(clean, NAME_BYTES) or "_"
    stem, dot, ext = clean.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,10}", ext):
        stem, ext = clean, ""
    if ext.lower() in _DANGEROUS:
        stem, ext = f"{stem}.{ext}", "bin"
    tail = f".{ext}" if ext else ""
    return (_cut(stem, NAME_BYTES - SPARE_BYTES - len(tail)) or "_") + tail


def _cut(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` bytes, cut between characters."""
    return text.encode()[:limit].decode("utf-8", "ignore").strip(" .")


def free_name(root: Path, filename: str, taken: Collection[str] = ()) -> str:
    """Return the name, or ``name (2).ext`` and so on: the first that is neither there nor taken."""
    path = PurePosixPath(filename)
    used = {name.casefold() for name in taken}
    for number in range(1, MAX_COPIES):
        name = path.name if number == 1 else f"{path.stem} ({number}){path.suffix}"
        candidate = str(path.parent / name)
        if candidate.casefold() not in used and not os.path.lexists(root / candidate):
            return candidate
    raise FileExistsError(errno.EEXIST, "too many files of this name", filename)


def place(root: Path, source: Path, filename: str) -> None:
    """Move a finished file to its name below the root; called again, finish the same move.

    Never overwrites: raises `FileExistsError` where another file has the name. The parent folders
    are opened one by one without following links, and the move works on the last one's descriptor,
    so that no link planted in between leads it out of the root.
    """
    with _parent(root, filename, create=True) as (folder, name):
        if not source.exists():
            if _exists(name, folder):
                return  # moved before a kill
            raise FileNotFoundError(errno.ENOENT, "the finished file is gone", str(source))
        with source.open("rb") as file:
            os.fsync(file.fileno())
        try:
            _link(source, name, folder)
        except OSError as error:
            if error.errno == errno.EXDEV:
                _copy_in(source, name, folder)
            elif error.errno in _NO_LINKS:
                _rename(source, name, folder)
            else:
                raise
        with contextlib.suppress(FileNotFoundError):
            source.unlink()
        with contextlib.suppress(OSError):  # not every filesystem can sync a folder
            os.fsync(folder)


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
            (root / parent).rmdir()
        except OSError:
            break
    return True


def job_temp(base: Path, job_id: str) -> Path:
    """Return a job's own temporary folder; it is made where it is not there."""
    folder = base / _plain(job_id)
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "the job's temporary folder is a link", str(folder))
    return folder


def discard_temp(base: Path, job_id: str) -> None:
    """Remove a job's temporary folder with all in it; links are removed, not followed."""
    folder = base / _plain(job_id)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def sweep_temp(base: Path, keep: Collection[str]) -> list[str]:
    """Remove the temporary folders of all jobs but those to keep; return whose they were."""
    if not base.is_dir():
        return []
    gone = [entry.name for entry in base.iterdir() if entry.name not in keep]
    for name in gone:
        entry = base / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return gone


def _plain(job_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job_id):
        raise ValueError(job_id)
    return job_id


@contextmanager
def _parent(root: Path, filename: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """Open the folder of a relative name, one step at a time, following no link."""
    parts = PurePosixPath(filename).parts
    if not parts or filename.startswith("/") or any(part in {"..", "."} for part in parts):
        raise OSError(errno.EPERM, "the name leads out of the storage root", filename)
    if parts[0] == OWN_FOLDER:
        raise OSError(errno.EPERM, "the name lies in the service's own folder", filename)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
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


def _link(source: Path, name: str, folder: int) -> None:
    """Give a file its name: atomic, and an error where the name is taken by another file."""
    try:
        os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not os.path.samestat(there, source.lstat()):
            raise  # else: linked before a kill, and only the old name is left to remove


def _rename(source: Path | str, name: str, folder: int, source_folder: int | None = None) -> None:
    """Move where there are no hard links: take the name first, so that no other is replaced."""
    handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
    os.close(handle)
    os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)


def _copy_in(source: Path, name: str, folder: int) -> None:
    """Copy from another filesystem under a hidden name, then give it the final one."""
    hidden = f".{uuid.uuid4().hex}.part"
    handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
    try:
        with source.open("rb") as old, os.fdopen(handle, "wb") as new:
            shutil.copyfileobj(old, new, 1024 * 1024)
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:
            _rename(hidden, name, folder, folder)
            return
        os.unlink(hidden, dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(hidden, dir_fd=folder)
        raise
