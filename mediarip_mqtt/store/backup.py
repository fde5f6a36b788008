"""Makes copies of the store; replaces a damaged store by its newest sound copy."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mediarip_mqtt.contract.errors import StoreError, StoreProblem

FOLDER: Final = "backups"
PAGES: Final = 512  # copied in one step; transactions can run between the steps
LONGEST: Final = 900.0  # seconds that a copy may take
UPGRADES: Final = 3  # number of copies made before upgrades to keep

logger = logging.getLogger(__name__)


def save(path: Path, source: sqlite3.Connection, keep: int) -> Path:
    """Copy a store that is in use; keep the newest ``keep`` copies. Blocks."""
    target = copy(path, source, f"store-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.db")
    for old in copies(path)[keep:]:
        old.unlink(missing_ok=True)
    return target


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


def recover(path: Path, problem: str) -> str:
    """Set a damaged store aside and restore the newest sound copy; return what was done."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.damaged-{moment}")
    for suffix in ("-wal", "-shm", "-journal", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    newest = next((file for file in copies(path) if sound(file)), None)
    if newest is None:
        done = "There was no sound copy: a new, empty store was begun."
    else:
        half = path.with_suffix(".half")
        half.write_bytes(newest.read_bytes())
        half.replace(path)
        done = f"The copy {newest.name} was restored: what happened since then is forgotten."
    text = f"The store was damaged ({problem}) and is kept as {aside.name}. {done}"
    logger.error("store: %s Media files are untouched.", text)
    return text
