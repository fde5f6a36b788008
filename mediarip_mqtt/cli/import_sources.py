"""The files that `import` reads: our own export, those of MeTube and media.rip, and archives.

The files are only read; no code in them is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import MediaripError, StoreError
from mediarip_mqtt.contract.models import TERMINAL
from mediarip_mqtt.contract.presets import AUDIO_FORMATS
from mediarip_mqtt.jobs.history_records import KnownMedium, Record, Wanted, fields_of
from mediarip_mqtt.store.foreign import open_foreign

NAME: Final = "mediarip-mqtt history"
VERSION: Final = 1
METUBE_FILES: Final = ("completed.json", "queue.json", "pending.json")
_METUBE_KIND: Final = "persistent_queue:"
SQLITE: Final = b"SQLite format 3\0"
_ARCHIVE_LINE: Final = re.compile(rb"[A-Za-z0-9:_.-]{2,80} [^\s{}]{1,200}\s*$")
ARCHIVE_LINES: Final = 20  # that are looked at to recognise an archive
LINE_LIMIT: Final = 4096  # bytes
_UNKNOWN: Final = (
    "has no format that can be imported. The shelf of an older MeTube (`completed`, `queue`) holds "
    "pickled Python objects, which can run programs when they are loaded, so it is not read. Start "
    "a current MeTube on it once: it writes `completed.json`, which can be imported."
)


class SourceFormat(StrEnum):
    """The program that wrote a file."""

    AUTO = "auto"  # recognised by the content
    JSONL = "jsonl"  # `mediarip-mqtt export`
    METUBE = "metube"  # its state folder, or one JSON file in there
    MEDIA_RIP = "media-rip"  # its SQLite database
    YTDLP_ARCHIVE = "yt-dlp-archive"  # the file of `--download-archive`
    # Subscriptions; see `cli.subscription_sources`.
    OPML = "opml"  # of a feed reader or podcast app
    TAKEOUT = "takeout"  # Google's subscriptions.csv
    NEWPIPE = "newpipe"  # its export of subscriptions
    METUBE_SUBSCRIPTIONS = "metube-subscriptions"  # its subscriptions.json
    PINCHFLAT = "pinchflat"  # its SQLite database
    TUBESYNC = "tubesync"  # its SQLite database
    YTDL_SUB = "ytdl-sub"  # its subscriptions.yaml


class SourceError(MediaripError):
    """A file that can't be imported."""


@dataclass(frozen=True)
class Pending:
    """A job that had not ended; ``key`` distinguishes it from others with the same URL."""

    wanted: Wanted
    key: str


@dataclass(frozen=True)
class Unreadable:
    """An entry that is not a valid job, and where it is in the file."""

    place: str
    reason: str


@dataclass(frozen=True)
class KnownEntry:
    """A medium that an archive of yt-dlp names, and where."""

    place: str
    medium: KnownMedium


Found = Record | Pending | Unreadable | KnownEntry


def read(path: Path, form: SourceFormat = SourceFormat.AUTO) -> Iterator[Found]:
    """Yield the entries of a file; raise `SourceError` if it can't be read."""
    if form is SourceFormat.AUTO:
        form = recognise(path)
    readers: dict[SourceFormat, Callable[[Path], Iterator[Found]]] = {
        SourceFormat.JSONL: _read_lines,
        SourceFormat.METUBE: _read_metube,
        SourceFormat.MEDIA_RIP: _read_media_rip,
        SourceFormat.YTDLP_ARCHIVE: _read_archive,
    }
    if form not in readers:
        raise SourceError(f"{path}: the format {form} has subscriptions, and no history.")
    try:
        yield from readers[form](path)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    except StoreError as error:
        raise SourceError(
            f"{path}: can't be read as a database of media.rip: {error.message}."
        ) from None


def header(at: str, version: str) -> dict[str, Any]:
    """Return the first line of an export."""
    return {"format": NAME, "version": VERSION, "exported_at": at, "service": version}


def recognise(path: Path) -> SourceFormat:
    """Return the format of a file or folder by its content; raise `SourceError` if unknown."""
    try:
        if path.is_dir():
            if has_history(path):
                return SourceFormat.METUBE
            raise SourceError(f"{path} {_UNKNOWN}")
        with path.open("rb") as file:
            start = file.read(65536)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    if start.startswith(SQLITE):
        return SourceFormat.MEDIA_RIP
    if _object(start.split(b"\n", 1)[0]).get("format") == NAME:
        return SourceFormat.JSONL
    if start.lstrip().startswith(b"{") and _METUBE_KIND.encode() in start:
        return SourceFormat.METUBE
    if _is_archive(start):
        return SourceFormat.YTDLP_ARCHIVE
    raise SourceError(f"{path} {_UNKNOWN}")


def _is_archive(start: bytes) -> bool:
    lines = start.split(b"\n", ARCHIVE_LINES)[:ARCHIVE_LINES]
    return any(_ARCHIVE_LINE.match(line) for line in lines)


def has_history(folder: Path) -> bool:
    """Whether a folder has one of MeTube's stores of downloads."""
    return any((folder / name).is_file() for name in METUBE_FILES)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _validated(place: str, job: Mapping[str, Any]) -> Found:
    """Return a job's record, or the download it asked for if it had not ended."""
    try:
        if job.get("status") in TERMINAL:
            return Record.model_validate(dict(job))
        wanted = {key: job[key] for key in Wanted.model_fields if key in job}
        return Pending(Wanted.model_validate(wanted), str(job.get("id") or job.get("created_at")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Unreadable(place, f"{where}: {first['msg']}")


# Our own export: JSON lines


def _read_lines(path: Path) -> Iterator[Found]:
    with path.open("rb") as file:
        first = _object(file.readline())
        if first.get("format") != NAME:
            raise SourceError(f"{path}: its first line is not the header of an export.")
        if first.get("version") != VERSION:
            raise SourceError(
                f"{path}: has version {str(first.get('version'))[:20]} of the format; "
                f"this program reads version {VERSION}. Import it with the mediarip-mqtt that "
                "wrote it, or a newer one."
            )
        for number, line in enumerate(file, start=2):
            if not line.strip():
                continue
            job = _object(line)
            place = f"line {number}"
            if not job:
                yield Unreadable(place, "is not a JSON object")
            elif job.get("status") in TERMINAL or not job.get("parent_id"):
                yield _validated(place, fields_of(job))
            # Unfinished items are left out: the download of their playlist adds them again.


# yt-dlp: `youtube dQw4w9WgXcQ` in each line, from `--download-archive`


def _read_archive(path: Path) -> Iterator[Found]:
    with path.open("rb") as file:
        if not _is_archive(file.read(65536)):
            raise SourceError(f"{path}: none of its first lines is a site and an id.")
        file.seek(0)
        for number, raw in enumerate(iter(lambda: file.readline(LINE_LIMIT), b""), start=1):
            line = raw.decode("utf-8", "replace").split("#", 1)[0].strip()
            if not line:
                continue
            place = f"line {number}"
            try:
                extractor, source_id = line.split()
                medium = KnownMedium(extractor=extractor, source_id=source_id)
            except ValueError:  # also pydantic's ValidationError
                yield Unreadable(place, "is not a site and an id, such as `youtube dQw4w9WgXcQ`")
                continue
            yield KnownEntry(place, medium)


# MeTube: JSON files of the form {"kind": "persistent_queue:<name>", "items": [{"info": {...}}]}


def _read_metube(path: Path) -> Iterator[Found]:
    paths = [path]
    if path.is_dir():
        paths = [file for name in METUBE_FILES if (file := path / name).is_file()]
    if not paths:
        raise SourceError(f"{path} {_UNKNOWN}")
    for file in paths:
        content = _object(file.read_bytes())
        items = content.get("items")
        if not str(content.get("kind")).startswith(_METUBE_KIND) or not isinstance(items, list):
            raise SourceError(f"{file} {_UNKNOWN}")
        ended = content["kind"] == f"{_METUBE_KIND}completed"
        for number, item in enumerate(items, start=1):
            info = item.get("info") if isinstance(item, dict) else None
            place = f"{file.name}, item {number}"
            if isinstance(info, dict):
                yield _validated(place, _from_metube(info, ended=ended))
            else:
                yield Unreadable(place, "is not a download")


def _from_metube(info: Mapping[str, Any], *, ended: bool) -> dict[str, Any]:
    folder, filename = info.get("folder"), info.get("filename")
    if isinstance(folder, str) and folder and isinstance(filename, str):
        filename = f"{folder}/{filename}"  # MeTube's filename is relative to its folder
    added = _metube_time(info.get("timestamp"))
    audio = info.get("download_type") == "audio" or info.get("format") in AUDIO_FORMATS
    job = {
        "url": info.get("url"),
        "title": info.get("title"),
        "media_type": "audio" if audio else "video",
        "quality": _quality(info.get("quality")),
        "folder": folder or None,
        "created_at": added,
    }
    if not ended:
        return job
    done = info.get("status") == "finished"
    reason = info.get("msg") or info.get("error")
    return job | {
        "status": "completed" if done else "failed",
        "filename": filename if done else None,
        "filesize": info.get("size") if done else None,
        "error_message": None if done else str(reason or "MeTube gave no reason."),
        "completed_at": added,
    }


def _metube_time(nanoseconds: object) -> str | None:
    try:
        return datetime.fromtimestamp(int(str(nanoseconds)) / 1e9, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _quality(value: object) -> str | None:
    text = str(value)
    if text == "best":
        return text
    return f"{text}p" if text.isascii() and text.isdigit() and 3 <= len(text) <= 4 else None  # noqa: PLR2004 - 360 to 4320


# media.rip: the table `jobs` of its SQLite database


def _read_media_rip(path: Path) -> Iterator[Found]:
    with open_foreign(path) as database:
        if not database.has_table("jobs"):
            raise SourceError(f"{path} {_UNKNOWN}")
        for job in database.rows("jobs", "created_at", "id"):
            yield _validated(f"job {str(job.get('id'))[:40]}", _from_media_rip(job))


def _from_media_rip(job: Mapping[str, Any]) -> dict[str, Any]:
    status, reason, filename = job.get("status"), job.get("error_message"), job.get("filename")
    expired = status == "expired"  # its file was purged
    if expired:
        status = "completed"
    if status == "failed" and reason == "Cancelled by user":
        status = "cancelled"
    created = _aware(job.get("created_at"))
    return {
        "id": job.get("id"),
        "url": job.get("url"),
        "title": PurePosixPath(filename).stem if isinstance(filename, str) else None,
        "quality": _quality(str(job.get("quality") or "").removesuffix("p")),
        "created_at": created,
    } | (
        {
            "status": status,
            "filename": None if expired else filename,
            "filesize": job.get("filesize"),
            "error_message": None if status == "completed" else reason,
            "started_at": _aware(job.get("started_at")),
            "completed_at": _aware(job.get("completed_at")) or created,
        }
        if status in TERMINAL
        else {}
    )


def _aware(value: object) -> str | None:
    """Return a time with its zone, UTC if it has none; return None if it is not a time."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
