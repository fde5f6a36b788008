"""Reads tables of another program's SQLite file; no code in its schema runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mediarip_mqtt.store.store_errors import raises_store_errors


class ForeignDatabase:
    """An open SQLite file of another program."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def has_table(self, name: str) -> bool:
        """Whether there is such a table."""
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self._connection.execute(sql, (name,)).fetchone() is not None

    def rows(
        self, table: str, *order: str, columns: Collection[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, sorted by columns; all names must be the caller's own.

        ``columns``: only these, those that the table has; else all. Bytes of a text that are not
        UTF-8 are replaced.
        """
        order_by = ", ".join(f'"{name}"' for name in order)
        wanted = "*"
        if columns:
            known = {
                row["name"] for row in self._connection.execute(f'PRAGMA table_info("{table}")')
            }
            wanted = ", ".join(f'"{name}"' for name in columns if name in known)
        for row in self._connection.execute(f'SELECT {wanted} FROM "{table}" ORDER BY {order_by}'):  # noqa: S608 - names in the caller's code
            yield dict(row)


@contextmanager
def open_foreign(path: Path) -> Iterator[ForeignDatabase]:
    """Open another program's SQLite file for reading; raise `StoreError`, for later reads too.

    The file may be in use; nothing is left beside it.
    """
    # Reading a file in WAL mode creates files beside it, unless it is opened as immutable. If there
    # is no log or journal, nobody else has it open.
    in_use = any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))
    options = "mode=ro" if in_use else "mode=ro&immutable=1"
    address = f"file:{quote(str(path.absolute()))}?{options}"
    with raises_store_errors(), closing(sqlite3.connect(address, uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        # Its schema may not call functions with side effects, in views, triggers or defaults.
        connection.execute("PRAGMA trusted_schema=OFF")
        yield ForeignDatabase(connection)
