"""What an import reads: our own export, and the stores of MeTube and media.rip.

A store is only read, and nothing in it is ever run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import MediaripError
from mediarip_mqtt.contract.models import TERMINAL
from mediarip_mqtt.contract.presets import AUDIO_FORMATS
from mediarip_mqtt.jobs.history_records import Record, Wanted, fields_of

NAME: Final = "mediarip-mqtt history"
VERSION: Final = 1
METUBE_FILES: Final = ("completed.json", "queue.json", "pending.json")
_METUBE_KIND: Final = "persistent_queue:"
_SQLITE: Final = b"SQLite format 3\0"
_SHELF: Final = (
    "is no store that is known. Should it be the shelf of an older MeTube (`completed`, `queue`): "
    "that holds Python objects, which can run programs when they are read, so it is not read. "
    "Start a current MeTube on it once; it writes `completed.json`, which can be imported."
)


class Format(StrEnum):
    """Who wrote a file."""

    AUTO = "auto"  # look at it
    JSONL = "jsonl"  # `mediarip-mqtt export`
    METUBE = "metube"  # its state folder, or one JSON file of it
    MEDIA_RIP = "media-rip"  # its SQLite database


class SourceError(MediaripError):
    """A file that can't be imported."""


@dataclass(frozen=True)
class Pending:
    """A job that had not ended there; ``key`` tells it from others with the same URL."""

    wanted: Wanted
    key: str


@dataclass(frozen=True)
class Unreadable:
    """Something that is no job."""

    place: str
    reason: str


Found = Record | Pending | Unreadable


def read(path: Path, form: Format = Format.AUTO) -> Iterator[Found]:
    """Yield what a file holds, one after the other; raise `SourceError` where it can't be read."""
    if form is Format.AUTO:
        form = recognise(path)
    readers: dict[Format, Callable[[Path], Iterator[Found]]] = {
        Format.JSONL: _read_lines,
        Format.METUBE: _read_metube,
        Format.MEDIA_RIP: _read_media_rip,
    }
    try:
        yield from readers[form](path)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise SourceError(f"{path}: can't be read as a database of media.rip: {error}.") from None


def header(at: str, version: str) -> dict[str, Any]:
    """Return an export's first line."""
    return {"format": NAME, "version": VERSION, "exported_at": at, "service": version}


def recognise(path: Path) -> Format:
    """Return who wrote a file or folder; raise `SourceError` where nobody known did."""
    try:
        if path.is_dir():
            if any((path / name).is_file() for name in METUBE_FILES):
                return Format.METUBE
            raise SourceError(f"{path} {_SHELF}")
        with path.open("rb") as file:
            start = file.read(65536)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    if start.startswith(_SQLITE):
        return Format.MEDIA_RIP
    if _object(start.split(b"\n", 1)[0]).get("format") == NAME:
        return Format.JSONL
    if start.lstrip().startswith(b"{") and _METUBE_KIND.encode() in start:
        return Format.METUBE
    raise SourceError(f"{path} {_SHELF}")


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _found(place: str, job: Mapping[str, Any]) -> Found:
    """Return a job's record, or what was wanted where it had not ended."""
    try:
        if job.get("status") in TERMINAL:
            return Record.model_validate(dict(job))
        wanted = {key: job[key] for key in Wanted.model_fields if key in job}
        return Pending(Wanted.model_validate(wanted), str(job.get("id") or job.get("created_at")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Unreadable(place, f"{where}: {first['msg']}")


# Our own


def _read_lines(path: Path) -> Iterator[Found]:
    with path.open("rb") as file:
        first = _object(file.readline())
        if first.get("format") != NAME:
            raise SourceError(f"{path}: its first line is not that of `mediarip-mqtt export`.")
        if first.get("version") != VERSION:
            raise SourceError(
                f"{path}: has version {str(first.get('version'))[:20]} of the format, this program "
                f"knows {VERSION}. Import it with the mediarip-mqtt that wrote it, or a newer one."
            )
        for number, line in enumerate(file, start=2):
            if not line.strip():
                continue
            job = _object(line)
            place = f"line {number}"
            if not job:
                yield Unreadable(place, "is no JSON object")
            elif job.get("status") in TERMINAL or not job.get("parent_id"):
                yield _found(place, fields_of(job))
            # Items under way come again with their playlist.


# MeTube: JSON files of the form {"kind": "persistent_queue:<name>", "items": [{"info": {...}}]}


def _read_metube(path: Path) -> Iterator[Found]:
    paths = [path]
    if path.is_dir():
        paths = [one for name in METUBE_FILES if (one := path / name).is_file()]
    if not paths:
        raise SourceError(f"{path} {_SHELF}")
    for one in paths:
        content = _object(one.read_bytes())
        items = content.get("items")
        if not str(content.get("kind")).startswith(_METUBE_KIND) or not isinstance(items, list):
            raise SourceError(f"{one} {_SHELF}")
        ended = content["kind"] == f"{_METUBE_KIND}completed"
        for number, item in enumerate(items, start=1):
            info = item.get("info") if isinstance(item, dict) else None
            place = f"{one.name}, item {number}"
            if isinstance(info, dict):
                yield _found(place, _from_metube(info, ended=ended))
            else:
                yield Unreadable(place, "is no download")


def _from_metube(info: Mapping[str, Any], *, ended: bool) -> dict[str, Any]:
    folder, filename = info.get("folder"), info.get("filename")
    if isinstance(folder, str) and folder and isinstance(filename, str):
        filename = f"{folder}/{filename}"  # MeTube's own is relative to the folder
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
    # A reader of a store in WAL mode leaves files beside it, unless it may take it as unchanging:
    # nobody has it open where there is no log.
    in_use = any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    address = f"file:{quote(str(path.absolute()))}?{'mode=ro' if in_use else 'immutable=1'}"
    with closing(sqlite3.connect(address, uri=True)) as database:
        database.row_factory = sqlite3.Row
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        database.execute("PRAGMA trusted_schema=OFF")
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        if "jobs" not in tables:
            raise SourceError(f"{path} {_SHELF}")
        for row in database.execute("SELECT * FROM jobs ORDER BY created_at, id"):
            job = {key: row[key] for key in row.keys()}  # noqa: SIM118 - a row iterates its values
            yield _found(f"job {str(job.get('id'))[:40]}", _from_media_rip(job))


def _from_media_rip(job: Mapping[str, Any]) -> dict[str, Any]:
    status, reason, filename = job.get("status"), job.get("error_message"), job.get("filename")
    gone = status == "expired"  # its purge took the file
    if gone:
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
            "filename": None if gone else filename,
            "filesize": job.get("filesize"),
            "error_message": None if status == "completed" else reason,
            "started_at": _aware(job.get("started_at")),
            "completed_at": _aware(job.get("completed_at")) or created,
        }
        if status in TERMINAL
        else {}
    )


def _aware(value: object) -> str | None:
    """Return a time with its zone: what has none is UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
