"""File names on the volume: safe forms of senders' and pages' texts, and free names."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode

OWN_FOLDER: Final = ".mediarip"
NAME_BYTES: Final = 255  # the limit of a name on nearly every filesystem; see `name_limit`
PART_CHARACTERS: Final = 2000  # longer parts are truncated before they are made safe
EXTENSION_LENGTH: Final = 10
SPARE_BYTES: Final = 12  # for a number such as " (9999)"
DEPTH: Final = 8
MAX_COPIES: Final = 9999

# Characters that Windows and SMB forbid, and look-alikes that are allowed everywhere.
_LOOKALIKES: Final = str.maketrans(
    {"<": "＜", ">": "＞", ":": "：", '"': "＂", "\\": "⧹", "|": "｜", "?": "？", "*": "＊"}
)
# Letters and symbols that leave no ink: fillers of Hangul, and the blank of Braille.
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_RESERVED: Final = re.compile(
    r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE
)
# Extensions that a double click would execute or open in a browser, beside yt-dlp's own list.
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
# Widths have at most 3 digits: `%(title)999999999s` would fill the memory. Within a field `%` is
# allowed only in a date format, `%(upload_date>%Y-%m)s`, without widths and without those that
# render a slash.
_FIELD: Final = re.compile(
    r"%\((?:[^()%/\\]|%[aAbBdGHIjmMpSuUVwWyY]){1,120}\)"
    r"[-+ #0]{0,5}\d{0,3}(?:\.\d{1,3})?[sdifBjhlqUDSNc]"
)
# The same attack with yt-dlp's replacement syntax, `%(title&{:>999999999})s`.
_FORMAT_SPEC: Final = re.compile(r"&[^)]*\{[^)}]*[:!.\[]")


def check_template(template: str) -> str:
    """Return a sender's output template; raise `unsafe_path` if it could leave the root."""
    _check_path(template, "output_template")
    if "%" in _FIELD.sub("", template).replace("%%", "") or _FORMAT_SPEC.search(template):
        raise _unsafe(
            "output_template",
            "holds a field that can't be read; fields look like %(title)s or %(title).100B",
        )
    return template


def check_folder(folder: str) -> str:
    """Normalize a sender's folder; raise `unsafe_path` if it leaves the root."""
    _check_path(folder, "folder")
    return "/".join(part for part in folder.split("/") if part)


def below_root(name: str | None) -> str | None:
    """Normalize an imported relative name; return None if it leaves the root."""
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
        raise _unsafe(field, "holds a backslash, a control character or a change of text direction")
    if any(part.strip().startswith(".") for part in parts):
        raise _unsafe(field, "must not hold hidden folders or files")
    if len(parts) > DEPTH or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise _unsafe(field, "has too many folders, or too long a name")


def _unsafe(field: str, text: str) -> CommandError:
    return CommandError(ErrorCode.UNSAFE_PATH, f"{field} {text}.", field=field)


def safe_name(rendered: str, *, limit: int = NAME_BYTES, otherwise: str = "") -> str:
    """Convert a rendered template to a relative path that is valid on every filesystem.

    No part is longer than ``limit`` bytes. ``otherwise`` is the stem of a file whose own has no
    visible character.
    """
    parts = [part for part in rendered.split("/") if part.strip(" .")]
    folders, last = parts[:-1][: DEPTH - 1], parts[-1] if parts else ""
    names = [_safe_folder(part, limit) for part in folders]
    return "/".join([*names, _safe_file(last, limit, otherwise)])


def safe_part(text: str, limit: int = NAME_BYTES) -> str:
    """Convert a text to the name of a folder, or to a file's stem, of at most ``limit`` bytes."""
    return _safe_folder(text.replace("/", "⧸"), limit)


def leaves_name(text: str) -> bool:
    """Whether a text is still visible once it is made safe: not only dashes, marks or joiners."""
    return _is_visible(_stem(_clean(text[:PART_CHARACTERS])))


def _safe_folder(text: str, limit: int) -> str:
    stem = _stem(_clean(_bounded(text, extension=False)))
    if stem.lower() == OWN_FOLDER.strip("."):
        stem = f"_{stem}"
    return (_cut(_unreserved(stem), limit) if _is_visible(stem) else "") or "_"


def _safe_file(text: str, limit: int, otherwise: str = "") -> str:
    clean = _clean(_bounded(text, extension=True)).rstrip(" .")
    stem, dot, ext = clean.rpartition(".")
    if not dot or not re.fullmatch(rf"[A-Za-z0-9]{{1,{EXTENSION_LENGTH}}}", ext):
        stem, ext = clean, ""
    elif not otherwise and not stem.strip(" ."):
        stem, ext = ext, ""  # a hidden file, not an extension
    stem = _stem(stem)
    if not _is_visible(stem):
        stem = _stem(_clean(otherwise[:PART_CHARACTERS]))
    if not _is_visible(stem):
        stem = "_"
    if ext.lower() in _DANGEROUS:
        stem, ext = f"{stem}.{ext}", "bin"
    if not ext and stem.lower() == OWN_FOLDER.strip("."):
        stem = f"_{stem}"
    tail = f".{ext}" if ext else ""
    return (_cut(_unreserved(stem), limit - SPARE_BYTES - len(tail)) or "_") + tail


def _clean(text: str) -> str:
    """Remove invisible characters, and replace those that some filesystems forbid."""
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    # Cc control, Cf format (bidirectional overrides, zero-width), Cs surrogates, Co, Cn, Zl, Zp.
    clean = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in clean
        if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"} or texts.is_new(char)
    )
    clean = unicodedata.normalize("NFC", clean)  # again: removing characters may have joined others
    return re.sub(r"\s+", " ", clean.translate(_LOOKALIKES).replace("/", "⧸"))


def _stem(text: str) -> str:
    return text.rstrip(" .").lstrip(" .-")


def _unreserved(stem: str) -> str:
    return f"_{stem}" if _RESERVED.match(stem) else stem


def _is_visible(text: str) -> bool:
    """Whether a text has a letter, number, symbol or punctuation mark that leaves ink."""
    return any(
        (unicodedata.category(char)[0] in "LNSP" or texts.is_new(char)) and char not in _BLANKS
        for char in text
    )


def _bounded(text: str, *, extension: bool) -> str:
    """Truncate a page's text: normalizing combining marks takes quadratic time."""
    if len(text) <= PART_CHARACTERS:
        return text
    _, dot, end = text.rpartition(".")
    tail = dot + end if extension and len(end) <= EXTENSION_LENGTH else ""
    return text[:PART_CHARACTERS] + tail


def one_level(text: str) -> str:
    """Return a page's text without path separators, `.`, `..` and lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = text.replace("/", "⧸").replace("\\", "⧹").replace("\x00", "")
    return text if text.strip(" .") else "_"


def beside(filename: str, tail: str, *, limit: int = NAME_BYTES) -> str:
    """Return a side file's name: the stem of ``filename``, then ``tail``, made safe.

    ``tail`` ends with the extension.
    """
    path = PurePosixPath(filename)
    end = _safe_file(f"x{tail}", limit)[1:]
    stem = _cut(path.stem, max(1, limit - SPARE_BYTES - len(end.encode())))
    return str(path.parent / _safe_file(f"{stem}{end}", limit))


def _cut(text: str, limit: int) -> str:
    """Truncate to ``limit`` bytes, between characters."""
    return text.encode()[:limit].decode("utf-8", "ignore").strip(" .")


def free_names(root: Path, filenames: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """Return the names if they are free, else all of them with one number: ``name (2).ext``.

    The number follows the first name's stem, in the other names too if they begin with it. Names
    that differ only in case or Unicode form count as equal: a Windows or macOS client of the volume
    would show only one of the files.
    """
    path = PurePosixPath(filenames[0])
    used = {_fold(name) for name in taken}
    # Large folder: keep only names that a numbered copy could collide with.
    prefixes = tuple({_fold(_own_stem(name, path.stem)) for name in filenames})
    try:
        with os.scandir(root / path.parent) as entries:
            existing = (_fold(entry.name) for entry in entries)
            used |= {
                _fold(str(path.parent / name)) for name in existing if name.startswith(prefixes)
            }
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}:
            raise  # the folder exists
    for number in range(1, MAX_COPIES):
        names = [_numbered(name, path.stem, number) for name in filenames]
        folded = {_fold(name) for name in names}
        if len(folded) < len(names):
            raise ValueError(f"two files with the same name: {names}")
        if used.isdisjoint(folded):
            return names
    raise FileExistsError(errno.EEXIST, "too many files of this name", filenames[0])


def _own_stem(filename: str, stem: str) -> str:
    """Return the part of a file's name that the number follows."""
    path = PurePosixPath(filename)
    return stem if path.name.startswith(stem) else path.stem


def _numbered(filename: str, stem: str, number: int) -> str:
    path = PurePosixPath(filename)
    if number == 1:
        return filename
    own_stem = _own_stem(filename, stem)
    return str(path.parent / f"{own_stem} ({number}){path.name.removeprefix(own_stem)}")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
