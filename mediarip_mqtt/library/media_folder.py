"""Finds media of other tools in a folder below the root, and reads what is said of them.

Links, hidden names and the service's own folder are skipped; names and contents are not trusted.
All functions block: call them in threads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.titles import TitleFile
from mediarip_mqtt.library.nfo_reader import Nfo, read_nfo
from mediarip_mqtt.library.page_facts import AUDIO, PageFacts, file_facts
from mediarip_mqtt.volume.files import parent_folder
from mediarip_mqtt.volume.names import DEPTH, below_root
from mediarip_mqtt.volume.owned_files import opened_plain, status_of

INFO_LIMIT: Final = 4 * 1024 * 1024  # bytes; as Python objects it takes some 20 times as much
NFO_LIMIT: Final = 512 * 1024
_VIDEO: Final = frozenset(
    (
        *("3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv"),
        *("ts", "webm", "wmv"),
    )
)
MEDIA: Final = _VIDEO | AUDIO
# What other programs are still writing, or have left of a download.
_UNFINISHED: Final = re.compile(r"\.(f\d{1,6}(-\d{1,3})?|temp|part|tmp)$", re.IGNORECASE)
_TAILS: Final = (
    (FileRole.INFO, re.compile(r"\.(info\.json|description)$")),
    (FileRole.NFO, re.compile(r"\.nfo$")),
    (
        FileRole.SUBTITLE,
        re.compile(r"(\.[A-Za-z0-9_-]{1,32}){0,3}\.(srt|vtt|ass|ssa|lrc|ttml|sbv)$"),
    ),
    (FileRole.THUMB, re.compile(r"(-thumb|-poster|-fanart|\.fanart)?\.(jpe?g|png|webp)$")),
)
_ID: Final = re.compile(r"^(.*?)[ _]?[\[(]([A-Za-z0-9_-]{5,64})[\])]$")
_YOUTUBE: Final = re.compile(r"[A-Za-z0-9_-]{11}")
_QUALITY: Final = re.compile(r"\d{3,4}[pi]\d{0,3}$|^[hx]\.?26[45]", re.IGNORECASE)


@dataclass(frozen=True)
class FoundMedium:
    """A medium and its side files, by their names below the root."""

    path: str
    sides: tuple[tuple[str, FileRole], ...] = ()
    fit: bool = True  # whether its name can be used

    @property
    def says_what(self) -> bool:
        """Whether anything says what it is: info.json, NFO, or an id in its name."""
        named = id_in(PurePosixPath(self.path).stem)
        return self.info is not None or self.nfo is not None or named is not None

    @property
    def info(self) -> str | None:
        """The name of its info.json."""
        return self._side(FileRole.INFO, ".info.json")

    @property
    def nfo(self) -> str | None:
        """The name of its NFO."""
        return self._side(FileRole.NFO, ".nfo")

    def _side(self, role: FileRole, end: str) -> str | None:
        return next(
            (name for name, given in self.sides if given is role and name.endswith(end)), None
        )


@dataclass(frozen=True)
class ReadMedium:
    """A medium as it is on the volume, and what is said of it; None: nothing."""

    path: str
    files: tuple[TitleFile, ...]
    facts: PageFacts | None
    is_movie: bool = False


@dataclass
class _Folder:
    """The plain files and folders in one folder."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def media_below(root: Path, folder: str, after: str = "") -> Iterator[FoundMedium]:
    """Yield the media below a folder, ordered by their paths' parts, behind a path.

    Raises `OSError` if the folder is missing, or a link.
    """
    behind = tuple(after.split("/")) if after else ()
    for medium in _walk(root, folder):
        if tuple(medium.path.split("/")) > behind:
            yield medium


def read_medium(root: Path, medium: FoundMedium) -> ReadMedium | None:
    """Read what is said of a medium; None if it is gone."""
    files = []
    for name, role in ((medium.path, FileRole.MAIN), *medium.sides):
        status = _status(root, name)
        if status is not None:
            identity = f"{status.st_ino} {status.st_mtime_ns}"
            main = role is FileRole.MAIN
            files.append(
                TitleFile(
                    id=0,
                    filename=name,
                    filesize=status.st_size,
                    role=role,
                    main=main,
                    identity=identity,
                )
            )
        elif role is FileRole.MAIN:
            return None
    path = PurePosixPath(medium.path)
    nfo = _nfo(root, medium.nfo)
    named = id_in(path.stem)
    fields = _info(root, medium.info)
    if named is None and nfo is None and not fields:
        return ReadMedium(medium.path, tuple(files), None)
    told = {**(named.fields if named else {}), **fields, **(nfo.fields if nfo else {})}
    facts = file_facts(told, path.suffix.lstrip("."), named.title if named else path.stem)
    return ReadMedium(medium.path, tuple(files), facts, is_movie=nfo is not None and nfo.is_movie)


def _status(root: Path, name: str) -> os.stat_result | None:
    """Return a file's status; None if it is gone, or in a folder that may only be listed."""
    try:
        return status_of(root, name)
    except PermissionError:
        return None


@dataclass(frozen=True)
class IdInName:
    """A name such as `Low tide [dQw4w9WgXcQ]`, as yt-dlp gives by default."""

    title: str
    fields: Mapping[str, Any]


def id_in(stem: str) -> IdInName | None:
    """Find a site's id at the end of a name; only YouTube's can be told from its form."""
    match = _ID.match(stem[-300:])
    if match is None or _QUALITY.search(match[2]):
        return None
    title, key = match[1].strip() or match[2], match[2]
    if _YOUTUBE.fullmatch(key):
        return IdInName(title, {"title": title, "id": key, "extractor_key": "Youtube"})
    if stem.endswith("]") and any(char.isdigit() for char in key):
        return IdInName(title, {"title": title, "id": key})
    return None


def _walk(root: Path, folder: str) -> Iterator[FoundMedium]:
    """Go through folders in the order of their names, one open at a time."""
    content = _listed(root, folder)
    media = {medium.path.rpartition("/")[2]: medium for medium in _media(folder, content.files)}
    for name in sorted([*media, *content.folders]):
        if name in media:
            yield media[name]
            continue
        inner = f"{folder}/{name}" if folder else name
        if len(inner.split("/")) < DEPTH and below_root(inner) == inner:
            yield from _walk_inner(root, inner)


def _walk_inner(root: Path, folder: str) -> Iterator[FoundMedium]:
    try:
        yield from _walk(root, folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # removed or replaced meanwhile, or not ours to read


def _listed(root: Path, folder: str) -> _Folder:
    found = _Folder()
    inside = f"{folder}/x" if folder else "x"
    with parent_folder(root, inside, create=False) as (handle, _), os.scandir(handle) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                found.folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                found.files.append(entry.name)
    return found


def _media(folder: str, files: list[str]) -> Iterator[FoundMedium]:
    """Yield the media of one folder, each with the files beside it that belong to it."""
    prefix = f"{folder}/" if folder else ""
    stems: dict[str, str] = {}
    media = sorted(name for name in files if _is_medium(name))
    # A video before the audio of the same name.
    for name in sorted(media, key=lambda one: PurePosixPath(one).suffix[1:].lower() in AUDIO):
        stems.setdefault(PurePosixPath(name).stem, name)
    sides: dict[str, list[tuple[str, FileRole]]] = {}
    for name in files:
        owner = None if name in stems.values() else _owner(name, stems)
        if owner is not None and below_root(prefix + name) == prefix + name:
            medium, role = owner
            sides.setdefault(medium, []).append((prefix + name, role))
    if len(media) == 1 and "movie.nfo" in files and not _has_nfo(sides.get(media[0], ())):
        sides.setdefault(media[0], []).append((f"{prefix}movie.nfo", FileRole.NFO))
    for name in media:
        path = prefix + name
        fit = below_root(path) == path
        yield FoundMedium(path, tuple(sorted(sides.get(name, ()))), fit=fit)


def _has_nfo(sides: Iterable[tuple[str, FileRole]]) -> bool:
    return any(role is FileRole.NFO for _, role in sides)


def _is_medium(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix[1:].lower() in MEDIA and not _UNFINISHED.search(path.stem)


def _owner(name: str, stems: Mapping[str, str]) -> tuple[str, FileRole] | None:
    """Return a side file's medium, the one with the longest stem that it begins with."""
    for cut in range(len(name) - 1, 0, -1):
        if name[cut] in ".-" and name[:cut] in stems:
            for role, pattern in _TAILS:
                if pattern.fullmatch(name[cut:]):
                    return stems[name[:cut]], role
            return None
    return None


def _info(root: Path, name: str | None) -> Mapping[str, Any]:
    """Return what an info.json says; nothing if it is too large, too deep, or no object."""
    content = _content(root, name, INFO_LIMIT)
    if content is None:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _nfo(root: Path, name: str | None) -> Nfo | None:
    content = _content(root, name, NFO_LIMIT)
    return None if content is None else read_nfo(content)


def _content(root: Path, name: str | None, limit: int) -> bytes | None:
    """Return a plain file's content, unless it is larger than ``limit`` bytes."""
    if name is None:
        return None
    with opened_plain(root, name) as file:
        if file is None or os.fstat(file.fileno()).st_size > limit:
            return None
        return file.read(limit)
