"""The base of the parts of a transaction, and the SQL fragments that they share.

Tables: none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.store.changes import Changes


class Rows:
    """The connection of a transaction, and what the transaction has changed so far."""

    def __init__(self, connection: sqlite3.Connection, topics: Topics) -> None:
        self._connection = connection
        self._topics = topics
        self.changes = Changes()

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def _row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block wrote if it raises; the transaction itself goes on."""
        self._connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO inner")
            self._connection.execute("RELEASE inner")
            raise
        self._connection.execute("RELEASE inner")


def marks(values: Collection[object]) -> str:
    """Return the placeholders for a list of values: `?, ?, ?`."""
    return ", ".join("?" * len(values))


def only(**columns: object) -> tuple[str, list[Any]]:
    """Return `AND column = ?` for each column whose value is not None, and these values."""
    given = {name: value for name, value in columns.items() if value is not None}
    return "".join(f" AND {name} = ?" for name in given), list(given.values())
