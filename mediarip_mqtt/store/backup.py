"""Copies of the store; and where it is damaged: it goes aside, and the last copy comes back."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

FOLDER: Final = "backups"
PAGES: Final = 512  # copied in one step
LONGEST: Final = 900.0  # seconds that a copy may take
UPGRADES: Final = 3  # copies from before an upgrade that are kept

logger = logging.getLogger(__name__)


def save(path: Path, source: sqlite3.Connection, keep: int) -> Path:
    """Copy a store that is in use; keep the newest copies. Blocks; run it in a thread."""
    target = copy(path, source, f"store-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.db")
    for old in copies(path)[keep:]:
        old.unlink(missing_ok=True)
    return target


def before_upgrade(path: Path, source: sqlite3.Connection, version: int) -> None:
    """Keep a copy of a store of an older version beside it, and few of earlier upgrades."""
    target = copy(path, source, f"store-v{version}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    for old in sorted(target.parent.glob("store-v*.db"))[:-UPGRADES]:
        old.unlink(missing_ok=True)


def copy(path: Path, source: sqlite3.Connection, name: str) -> Path:
    """Copy a store beside itself. The copy gets its name when it is whole and checked."""
    folder = path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    for left in folder.glob("*.half*"):  # of a copy that the end of a service interrupted
        left.unlink(missing_ok=True)
    half = (folder / name).with_suffix(".half")
    try:
        # SQLite's usual locks fail on CIFS, where a copy would be tried again for ever.
        made = sqlite3.connect(_address(half, "vfs=unix-excl"), uri=True)
        try:
            source.backup(made, pages=PAGES, progress=_in_time())
            # The copy is one file: it has no business with a write-ahead log.
            made.execute("PRAGMA journal_mode=DELETE")
        finally:
            made.close()
        if not sound(half):
            raise sqlite3.DatabaseError("the copy is damaged")
        with half.open("rb") as file:
            os.fsync(file.fileno())
        return half.replace(folder / name)
    finally:
        half.unlink(missing_ok=True)


def copies(path: Path) -> list[Path]:
    """Return the regular copies of a store, the newest first."""
    found = (path.parent / FOLDER).glob("store-2*.db")
    return sorted(found, key=lambda one: one.name, reverse=True)


def age(path: Path) -> float | None:
    """Return how many seconds old a store's newest copy is; None where there is none."""
    found = copies(path)
    return time.time() - found[0].stat().st_mtime if found else None


def sound(path: Path) -> bool:
    """Whether a file is a store without damage."""
    try:
        # Nobody writes it: no lock is needed, nor to be had on every filesystem.
        connection = sqlite3.connect(_address(path, "mode=ro&immutable=1"), uri=True)
        try:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            return bool(answer == "ok" and connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


def _address(path: Path, options: str) -> str:
    return f"file:{quote(str(path))}?{options}"


def _in_time() -> Callable[[int, int, int], None]:
    deadline = time.monotonic() + LONGEST

    def check(_status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"{remaining} of {total} pages were left in the end")

    return check


def recover(path: Path, problem: str) -> str:
    """Put a damaged store aside and the newest sound copy in its place; return what was done."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.damaged-{moment}")
    for suffix in ("-wal", "-shm", "-journal", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    good = next((one for one in copies(path) if sound(one)), None)
    if good is None:
        done = "There was no sound copy: a new, empty store was begun."
    else:
        half = path.with_suffix(".half")
        half.write_bytes(good.read_bytes())
        half.replace(path)
        done = f"The copy {good.name} was put in its place: what happened since then is forgotten."
    text = f"The store was damaged ({problem}) and is kept as {aside.name}. {done}"
    logger.error("store: %s Media files are untouched.", text)
    return text
