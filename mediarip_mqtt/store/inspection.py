"""Inspects a store that this process has not opened, for diagnosis.

Takes no lock: a service that starts at this moment could fail. Instead a copy is inspected; a copy
made while the store changed is discarded. Raises `StoreError` only.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.contract.errors import StoreProblem
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.store.store_errors import kind_of, raises_store_errors
from mediarip_mqtt.store.tx import Tx

SQLITE_VERSION: Final = sqlite3.sqlite_version
FRESH: Final = timedelta(minutes=1)  # maximum age of the heartbeat of a running service
_SUFFIXES: Final = ("", "-wal", "-journal")  # the files of a database; SQLite recreates `-shm`


@dataclass(frozen=True)
class Inspection:
    """The state of a store; if it is damaged, the other fields may be unknown."""

    version: int = 0  # of its schema
    damage: str | None = None
    holder: str | None = None  # the host of a service that uses it


def size(path: Path) -> int:
    """Return the bytes of a store that `copy_without_locks` will copy."""
    with raises_store_errors():
        return sum(part.stat().st_size for part in _parts(path))


def copy_without_locks(path: Path, folder: Path) -> Path | None:
    """Copy a store into a folder; return None if it changed meanwhile."""
    with raises_store_errors():
        before = _state(path)
        for part in _parts(path):
            shutil.copyfile(part, folder / part.name)
        return folder / path.name if _state(path) == before else None


def _parts(path: Path) -> list[Path]:
    parts = (path.with_name(path.name + suffix) for suffix in _SUFFIXES)
    return [part for part in parts if part.exists()]


def _state(path: Path) -> list[tuple[str, int, int]]:
    states = [(part.name, part.stat()) for part in _parts(path)]
    return [(name, state.st_mtime_ns, state.st_size) for name, state in states]


def inspect(copy: Path) -> Inspection:
    """Inspect a copy; SQLite may change the copy, as it completes interrupted transactions."""
    with _connected(copy) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            holder = _holder(_reader(connection)) if version else None
        except sqlite3.DatabaseError as error:
            if kind_of(error) is not StoreProblem.DAMAGED:
                raise
            return Inspection(damage=str(error))
    return Inspection(version, None if answer == "ok" else str(answer), holder)


def _holder(tx: Tx) -> str | None:
    lease = tx.lease()
    if lease is None:
        return None
    age = datetime.now(UTC) - datetime.fromisoformat(lease["heartbeat_at"])
    return lease["host"] if age < FRESH else None


def newest_errors(copy: Path, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Return the newest rows of a copy's error log, as the command `errors` does."""
    with _connected(copy) as connection:
        tx = _reader(connection)
        return {"errors": tx.errors(limit), "unsupported_urls": tx.unsupported(limit)}


@contextmanager
def _connected(copy: Path) -> Iterator[sqlite3.Connection]:
    with raises_store_errors(), closing(sqlite3.connect(copy)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def _reader(connection: sqlite3.Connection) -> Tx:
    return Tx(connection, Topics(MqttSettings().base_topic))  # reading uses no topics
