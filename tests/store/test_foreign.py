"""Another program's SQLite file is read as it is, and left as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreProblem
from mediarip_mqtt.store.foreign import open_foreign


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a ? & name#.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            "CREATE TABLE songs (id INTEGER, title);"
            "INSERT INTO songs VALUES (2, CAST(x'ff41' AS TEXT)), (1, 'b'), (3, NULL);"
        )
    return path


def titles(path: Path) -> list[object]:
    with open_foreign(path) as database:
        assert database.has_table("songs")
        assert not database.has_table("jobs")
        return [row["title"] for row in database.rows("songs", "id")]


def test_rows_are_read_in_order_also_of_a_text_that_is_none_and_nothing_is_left(
    path: Path,
) -> None:
    content = path.read_bytes()
    assert titles(path) == ["b", "\ufffdA", None]
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_in_use_is_read_with_what_its_log_has(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE songs SET title = 'new' WHERE id = 1")
        connection.commit()
        assert titles(path)[0] == "new"


def test_it_can_t_be_written(path: Path) -> None:
    with pytest.raises(StoreError) as caught, open_foreign(path) as database:
        database._connection.execute("DELETE FROM songs")  # noqa: SLF001 - nothing public writes
    assert caught.value.kind is StoreProblem.LOST


def test_functions_with_side_effects_in_its_schema_are_not_called(path: Path) -> None:
    called: list[object] = []
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("harm", 0, lambda: 1)
        connection.execute("CREATE VIEW trap AS SELECT harm() AS id")
        connection.commit()

    def read_trap() -> None:
        with open_foreign(path) as database:
            database._connection.create_function("harm", 0, lambda: called.append(1))  # noqa: SLF001 - as an extension would
            list(database.rows("trap", "id"))

    with pytest.raises(StoreError, match="unsafe use"):
        read_trap()
    assert called == []


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0 and no more"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StoreError) as caught, open_foreign(tmp_path / "x") as database:
        database.has_table("songs")
    assert caught.value.kind is StoreProblem.DAMAGED


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError), open_foreign(tmp_path / "x") as database:
        database.has_table("songs")
    assert list(tmp_path.iterdir()) == []
