"""Makes copies of the store; replaces a damaged store by its newest sound copy."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mediarip_mqtt.contract.errors import StoreError, StoreProblem

FOLDER: Final = "backups"
NAME: Final = "store-%Y%m%dT%H%M%S%fZ.db"  # sorts by time
PAGES: Final = 512  # copied in one step; transactions can run between the steps
LONGEST: Final = 900.0  # seconds that a copy may take
UPGRADES: Final = 3  # number of copies made before upgrades to keep

logger = logging.getLogger(__name__)


def save(path: Path, source: sqlite3.Connection, keep: int) -> Path:
    """Copy a store that is in use; keep the newest ``keep`` copies. Blocks."""
    target = copy(path, source, _next_name(path))
    for old in copies(path)[keep:]:
        old.unlink(missing_ok=True)
    return target


def _next_name(path: Path) -> str:
    """Return a name after all earlier ones, also if the clock was set back since."""
    moment = datetime.now(UTC)
    newest = next(iter(copies(path)), None)
    if newest is not None:
        with contextlib.suppress(ValueError):
            last = datetime.strptime(newest.name, NAME).replace(tzinfo=UTC)
            moment = max(moment, last + timedelta(seconds=1))
    return f"{moment:{NAME}}"


def before_upgrade(path: Path, source: sqlite3.Connection, version: int) -> None:
    """Copy a store before its schema is upgraded; keep the newest `UPGRADES` of these copies."""
    target = copy(path, source, f"store-v{version}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    for old in sorted(target.parent.glob("store-v*.db"))[:-UPGRADES]:
        old.unlink(missing_ok=True)


def copy(path: Path, source: sqlite3.Connection, name: str) -> Path:
    """Copy a store to the backup folder; the copy gets its final name once it is checked.

    Raises `StoreError`, `sqlite3.Error` or `OSError`.
    """
    folder = path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    for incomplete in folder.glob("*.half*"):  # of a copy that a kill interrupted
        incomplete.unlink(missing_ok=True)
    half = (folder / name).with_suffix(".half")
    try:
        # SQLite's usual locks fail on CIFS, where `backup` would retry forever.
        with closing(sqlite3.connect(_address(half, "vfs=unix-excl"), uri=True)) as target:
            source.backup(target, pages=PAGES, progress=_time_limit())
            # A copy is a single file, without a write-ahead log.
            target.execute("PRAGMA journal_mode=DELETE")
        if not sound(half):
            raise StoreError("The copy is damaged.", kind=StoreProblem.DAMAGED)
        with half.open("rb") as file:
            os.fsync(file.fileno())
        return half.replace(folder / name)
    finally:
        half.unlink(missing_ok=True)


def put_back(path: Path, source: sqlite3.Connection) -> None:
    """Write a store whose file was deleted again, from a connection that has it open."""
    copy(path, source, "store-deleted.db").replace(path)


def copies(path: Path) -> list[Path]:
    """Return the regular copies of a store, the newest first."""
    regular = (path.parent / FOLDER).glob("store-2*.db")
    return sorted(regular, key=lambda file: file.name, reverse=True)


def age(path: Path) -> float | None:
    """Return the age of a store's newest copy in seconds; None without a readable copy."""
    try:
        return time.time() - copies(path)[0].stat().st_mtime
    except (IndexError, OSError):
        return None


def sound(path: Path) -> bool:
    """Whether a file, which nobody may be writing, is an undamaged store."""
    try:
        # Immutable: takes no lock, which some filesystems do not have.
        address = _address(path, "mode=ro&immutable=1")
        with closing(sqlite3.connect(address, uri=True)) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            return bool(answer == "ok" and connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return False


def _address(path: Path, options: str) -> str:
    return f"file:{quote(str(path))}?{options}"


def _time_limit() -> Callable[[int, int, int], None]:
    deadline = time.monotonic() + LONGEST

    def check(_status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise StoreError(
                f"The copy took more than {LONGEST:.0f} s; {remaining} of {total} pages remained.",
                kind=StoreProblem.LOST,
            )

    return check


def recover(path: Path, problem: str) -> str | None:
    """Set a damaged store aside and restore the newest sound copy; return what was done.

    A note beside the store says so until it is done: a start after a kill goes on from it
    (`finish_recovery`). Without the note it would find no store, and begin an empty one.
    """
    note = _note(path)
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with note.open("w", encoding="utf-8") as file:
        json.dump({"aside": f"{path.name}.damaged-{moment}", "problem": problem}, file)
        file.flush()
        os.fsync(file.fileno())
    return finish_recovery(path)


def finish_recovery(path: Path) -> str | None:
    """Carry out a recovery that was begun; return what was done, or None if none was begun."""
    note = _note(path)
    try:
        begun = json.loads(note.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:  # cut off by a kill: nothing was done yet
        note.unlink()
        return None
    aside = path.with_name(begun["aside"])
    if not aside.exists():  # else the file at the path is the restored copy
        with contextlib.suppress(FileNotFoundError):
            path.replace(aside)
    for suffix in ("-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    newest = next((file for file in copies(path) if sound(file)), None)
    if newest is None:
        done = "There was no sound copy: a new, empty store was begun."
    else:
        half = path.with_suffix(".half")
        with half.open("wb") as file:
            file.write(newest.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        done = f"The copy {newest.name} was restored: what happened since then is forgotten."
    note.unlink()
    text = f"The store was damaged ({begun['problem']}) and is kept as {aside.name}. {done}"
    logger.error("store: %s Media files are untouched.", text)
    return text


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.recovery")
