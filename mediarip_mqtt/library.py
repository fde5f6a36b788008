"""Names and places on the volume: nothing is written outside the root, and no file overwritten.

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
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from mediarip_mqtt import texts
from mediarip_mqtt.errors import CommandError, ErrorCode
from mediarip_mqtt.models import ProducedFile
from mediarip_mqtt.settings import Settings

OWN_FOLDER: Final = ".mediarip"
YTDLP_FOLDER: Final = "ytdlp"  # in it: versions that were fetched
MARKER: Final = f"{OWN_FOLDER}/store.db"  # shows that the volume is there, not a bare mount point
NAME_BYTES: Final = 255  # of one name, on nearly every filesystem
PART_CHARACTERS: Final = 2000  # of one name before it is made safe, which makes it shorter
EXTENSION_LENGTH: Final = 10
SPARE_BYTES: Final = 12  # left for " (9999)" and the like
DEPTH: Final = 8
MAX_COPIES: Final = 9999
COPY_STEP: Final = 1024 * 1024

# Windows' and SMB's forbidden characters, as look-alikes that are allowed everywhere.
_LOOKALIKES: Final = str.maketrans(
    {"<": "＜", ">": "＞", ":": "：", '"': "＂", "\\": "⧹", "|": "｜", "?": "？", "*": "＊"}
)
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
_RESERVED: Final = re.compile(
    r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE
)
# What a double click would run or open elsewhere; yt-dlp has a list of its own for downloads.
_DANGEROUS: Final = frozenset(
    (
        "app",
        "appimage",
        "bash",
        "bat",
        "cmd",
        "com",
        "command",
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
        "msc",
        "msi",
        "php",
        "pif",
        "pl",
        "ps1",
        "py",
        "reg",
        "scf",
        "scr",
        "sh",
        "so",
        "svg",
        "url",
        "vb",
        "vbe",
        "vbs",
        "wsf",
        "wsh",
        "xhtml",
    )
)
# Widths of 3 digits at most: `%(title)999999999s` would fill the memory. Within a field `%` stands
# only for a part of a date, `%(upload_date>%Y-%m)s`: without a width, and one without a slash.
_FIELD: Final = re.compile(
    r"%\((?:[^()%/\\]|%[aAbBdGHIjmMpSuUVwWyY]){1,120}\)"
    r"[-+ #0]{0,5}\d{0,3}(?:\.\d{1,3})?[sdifBjhlqUDSNc]"
)
# The same by yt-dlp's replacement, `%(title&{:>999999999})s`.
_FORMAT_SPEC: Final = re.compile(r"&[^)]*\{[^)}]*[:!.\[]")
_JOB_FOLDER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def own_folder(settings: Settings) -> Path:
    """Return where the service keeps what is not media."""
    return settings.storage.root.expanduser().absolute() / OWN_FOLDER


def fetched_folder(settings: Settings) -> Path:
    """Return where newer versions of yt-dlp are kept."""
    return own_folder(settings) / YTDLP_FOLDER


def check_template(template: str) -> str:
    """Return a sender's output template; raise `unsafe_path` where it could lead out."""
    _check_path(template, "output_template")
    if "%" in _FIELD.sub("", template).replace("%%", "") or _FORMAT_SPEC.search(template):
        raise _unsafe(
            "output_template",
            "holds a field that can't be read; fields look like %(title)s or %(title).100B",
        )
    return template


def check_folder(folder: str) -> str:
    """Return a sender's folder in its normal form; raise `unsafe_path` where it leads out."""
    _check_path(folder, "folder")
    return "/".join(part for part in folder.split("/") if part)


def below_root(name: str | None) -> str | None:
    """Return a relative name that somebody claims, in its normal form; None where it leads out."""
    try:
        return check_folder(name) or None if name else None
    except CommandError:
        return None


def _check_path(text: str, field: str) -> None:
    parts = text.split("/")
    if text.startswith(("/", "~")) or re.match(r"^[A-Za-z]:", text):
        raise _unsafe(field, "must be relative to the storage root")
    if any(part.strip() in {".", ".."} for part in parts):
        raise _unsafe(field, "must not hold `.` or `..` as a folder")
    if "\\" in text or texts.UNFIT.search(text):
        raise _unsafe(field, "holds a backslash, a control character or one of direction")
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
    text = _bounded(text, extension=extension)
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    # Cc control, Cf format (bidirectional overrides, zero-width), Cs surrogates, Co, Cn, Zl, Zp.
    clean = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in clean
        if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"}
    )
    clean = unicodedata.normalize("NFC", clean)  # what was taken out may have stood in between
    clean = re.sub(r"\s+", " ", clean.translate(_LOOKALIKES).replace("/", "⧸"))
    clean = clean.rstrip(" .").lstrip(" .-")
    if _RESERVED.match(clean) or clean.lower() == OWN_FOLDER.strip("."):
        clean = f"_{clean}"
    if not extension:
        return _cut(clean, NAME_BYTES) or "_"
    stem, dot, ext = clean.rpartition(".")
    if not dot or not re.fullmatch(rf"[A-Za-z0-9]{{1,{EXTENSION_LENGTH}}}", ext):
        stem, ext = clean, ""
    if ext.lower() in _DANGEROUS:
        stem, ext = f"{stem}.{ext}", "bin"
    tail = f".{ext}" if ext else ""
    return (_cut(stem, NAME_BYTES - SPARE_BYTES - len(tail)) or "_") + tail


def _bounded(text: str, *, extension: bool) -> str:
    """Cut a page's endless text: a normal form of combining marks takes the square of it."""
    if len(text) <= PART_CHARACTERS:
        return text
    _, dot, end = text.rpartition(".")
    tail = dot + end if extension and len(end) <= EXTENSION_LENGTH else ""
    return text[:PART_CHARACTERS] + tail


def one_level(text: str) -> str:
    """Return a page's text such that it can't make or leave a folder."""
    text = text.replace("/", "⧸").replace("\\", "⧹").replace("\x00", "")
    return text if text.strip(" .") else "_"


def beside(filename: str, tail: str) -> str:
    """Return the name of a file that belongs to another: the same stem, then ``tail``.

    ``tail`` may be of a page; it ends with the extension.
    """
    path = PurePosixPath(filename)
    end = _safe_part(f"x{tail}", extension=True)[1:]
    stem = _cut(path.stem, max(1, NAME_BYTES - SPARE_BYTES - len(end.encode())))
    return str(path.parent / _safe_part(f"{stem}{end}", extension=True))


def _cut(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` bytes, cut between characters."""
    return text.encode()[:limit].decode("utf-8", "ignore").strip(" .")


def free_name(root: Path, filename: str, taken: Collection[str] = ()) -> str:
    """Return the name, or ``name (2).ext`` and so on: the first that is neither there nor taken.

    Names that differ only in case or in Unicode form are the same: they are on a Windows or macOS
    client of the volume, which would show one of the two files and hide the other.
    """
    return free_names(root, [filename], taken)[0]


def free_names(root: Path, filenames: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """Return the free names of files that belong together: all get the same number.

    The first one's stem is what the number stands behind, also in the others that begin with it.
    """
    path = PurePosixPath(filenames[0])
    used = {_fold(name) for name in taken}
    # Of a folder that may be great only the names are kept that a copy could have.
    begin = tuple({_fold(_own_stem(one, path.stem)) for one in filenames})
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(root / path.parent) as entries,
    ):
        there = (_fold(entry.name) for entry in entries)
        used |= {_fold(str(path.parent / name)) for name in there if name.startswith(begin)}
    for number in range(1, MAX_COPIES):
        names = [_numbered(one, path.stem, number) for one in filenames]
        folded = {_fold(name) for name in names}
        if len(folded) < len(names):
            raise ValueError(f"two files of one name: {names}")
        if used.isdisjoint(folded):
            return names
    raise FileExistsError(errno.EEXIST, "too many files of this name", filenames[0])


def _own_stem(filename: str, stem: str) -> str:
    """Return what of a file's name the number stands behind."""
    path = PurePosixPath(filename)
    return stem if path.name.startswith(stem) else path.stem


def _numbered(filename: str, stem: str, number: int) -> str:
    path = PurePosixPath(filename)
    if number == 1:
        return filename
    own = _own_stem(filename, stem)
    return str(path.parent / f"{own} ({number}){path.name.removeprefix(own)}")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def place(root: Path, source: Path, filename: str) -> None:
    """Move a finished file to its name below the root; called again, finish the same move.

    Never overwrites: raises `FileExistsError` where another file has the name. The parent folders
    are opened one by one without following links, and the move works on the last one's descriptor,
    so that no link planted in between leads it out of the root.
    """
    with _parent(root, filename, create=True) as (folder, name):
        hidden = _hidden_name(source, name)
        if not os.path.lexists(source):
            if not _exists(name, folder):
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
    """Move where there are no hard links: take the name first, so that no other is replaced."""
    handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666, dir_fd=folder)
    try:
        os.write(handle, hidden.encode())  # says whose it is, should a kill leave it behind
    finally:
        os.close(handle)
    try:
        os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
    except OSError:
        _discard(name, folder)
        raise


def _hidden_name(source: Path, name: str) -> str:
    digest = hashlib.blake2b(f"{source}\0{name}".encode("utf-8", "replace"), digest_size=16)
    return f".{digest.hexdigest()}.part"


def _discard(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _is_reservation(name: str, hidden: str, folder: int) -> bool:
    with _opened(name, folder) as there:
        return there is not None and there.read(len(hidden) + 1) == hidden.encode()


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
