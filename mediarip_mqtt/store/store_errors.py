"""Errors of SQLite, and of the volume below it, as `StoreError`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mediarip_mqtt.contract.errors import StoreError, StoreProblem
from mediarip_mqtt.volume.space import FULL

# By primary result code, see https://sqlite.org/rescode.html.
_KINDS: Final = {
    sqlite3.SQLITE_FULL: StoreProblem.FULL,
    sqlite3.SQLITE_BUSY: StoreProblem.BUSY,
    sqlite3.SQLITE_LOCKED: StoreProblem.BUSY,
    sqlite3.SQLITE_PROTOCOL: StoreProblem.BUSY,  # gave up: too many others take the WAL's locks
    sqlite3.SQLITE_CORRUPT: StoreProblem.DAMAGED,
    sqlite3.SQLITE_NOTADB: StoreProblem.DAMAGED,
    sqlite3.SQLITE_IOERR: StoreProblem.LOST,
    sqlite3.SQLITE_CANTOPEN: StoreProblem.LOST,
    sqlite3.SQLITE_READONLY: StoreProblem.LOST,
    sqlite3.SQLITE_PERM: StoreProblem.LOST,
}
# Errors by which SQLite reports a volume that takes no more data.
WRITE_ERRORS: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)


def kind_of(error: sqlite3.Error | OSError) -> StoreProblem:
    """Return what an error says about the store."""
    if isinstance(error, OSError):
        return StoreProblem.FULL if error.errno in FULL else StoreProblem.LOST
    # Python's own errors have no code, such as the use of a closed connection.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return _KINDS.get(code & 0xFF, StoreProblem.REFUSED)  # an extended code ends in its primary one


def store_error(error: sqlite3.Error | OSError) -> StoreError:
    """Return an error as a `StoreError` of its kind."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return StoreError(text, kind=kind_of(error))


@contextmanager
def raises_store_errors() -> Iterator[None]:
    """Raise errors of SQLite and of the system as `StoreError`; the error itself is its cause."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(error) from error
