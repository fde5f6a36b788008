"""A store of any earlier version is upgraded with all that it holds; one of a later is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreProblem
from mediarip_mqtt.store import Store, Tx, backup, database
from mediarip_mqtt.store.migrations import migrations
from tests.store import samples
from tests.support.stores import OpenStore, insert, job

NEWEST = migrations()[-1][0]
EARLIER = [version for version, _ in migrations()[:-1]]
Migrations = list[tuple[int, str]]
OnlyThese = Callable[[Migrations], None]


@pytest.fixture
def program_has(monkeypatch: pytest.MonkeyPatch) -> OnlyThese:
    """Let the program have other migrations than it has."""
    return lambda steps: monkeypatch.setattr(database, "migrations", lambda: steps)


def tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows by table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM pragma_table_list")]
        rows: dict[str, list[dict[str, Any]]] = {}
        for name in names:
            # FTS5's own tables may be empty.
            if not name.startswith(("sqlite_", "title_words_")):
                found = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 - names of the schema
                rows[name] = [dict(row) for row in found]
        return rows


def schema(path: Path) -> set[tuple[str, ...]]:
    """Return the columns of all tables, and the SQL of all else."""
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        found = {tuple(row) for row in objects if row[0] != "table"}
        for table in (row[1] for row in objects if row[0] == "table"):
            for column in connection.execute(f"PRAGMA table_xinfo({table})"):
                found.add((table, *map(str, column[1:])))
        return found


@pytest.mark.parametrize("version", EARLIER)
async def test_an_upgrade_loses_nothing_of_a_store(
    version: int, tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "s.db"
    samples.load(version, path)
    before = tables(path)
    assert all(before.values()), "each table of the sample has rows"
    store = await open_store()
    after = tables(path)
    del before["job_counts"]  # counted anew
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
    counts = await store.read(Tx.counts)
    assert {status for status, count in counts.items() if count} == {
        *("completed", "downloading", "failed", "queued", "retrying")
    }
    assert sum(counts.values()) == 5
    jobs = {each.id: each for each in await store.read(lambda tx: tx.jobs())}
    assert len(jobs) == 5
    assert (jobs["done"].title, jobs["done"].tags) == ("Ein Füllwort 🎬", ("a", "ü"))
    assert jobs["list"].items is not None
    assert jobs["list"].items.failed == 1
    assert jobs["done"].keep is (version >= 3)
    assert jobs["done"].split_chapters is (version >= 4)
    assert {row["host"] for row in after["jobs"]} == {"www.example.com"}
    assert len(await store.read(lambda tx: tx.owned_files(["done"]))) == 2
    assert len(await store.read(lambda tx: tx.outbox(9))) == 1
    await store.write(lambda tx: tx.delete(jobs["list"]))
    assert (await store.read(Tx.counts))["failed"] == 0


@pytest.mark.parametrize("version", EARLIER)
async def test_an_upgraded_store_has_the_schema_of_a_new_one(
    version: int, tmp_path: Path, open_store: OpenStore
) -> None:
    await open_store()
    new = schema(tmp_path / "s.db")
    upgraded = tmp_path / "upgraded.db"
    samples.load(version, upgraded)
    store = Store(upgraded, journal_mode="wal", exclusive=False)
    await store.open()
    await store.close()
    assert schema(upgraded) == new


@pytest.mark.parametrize("version", EARLIER)
def test_a_migration_that_was_released_does_not_change(version: int, tmp_path: Path) -> None:
    samples.load(version, tmp_path / "sample.db")
    with closing(sqlite3.connect(tmp_path / "now.db")) as connection:
        connection.executescript(samples.dump(version))
    assert schema(tmp_path / "sample.db") == schema(tmp_path / "now.db")


async def test_a_store_of_a_newer_program_is_refused_untouched(
    tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "s.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=999")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="version 999") as caught:
        await open_store()
    assert caught.value.kind is StoreProblem.REFUSED
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 999
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    assert len(path.read_bytes()) == len(before)


async def test_an_upgrade_keeps_a_copy_and_a_failed_one_changes_nothing(
    tmp_path: Path, open_store: OpenStore, program_has: OnlyThese
) -> None:
    store = await open_store()
    await insert(store, job())
    await store.close()
    first, newer = migrations(), NEWEST + 1
    bad = [*first, (newer, "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1);")]
    program_has(bad)
    with pytest.raises(StoreError):
        await open_store()
    program_has([*first, (newer, "CREATE TABLE extra (a);")])
    store = await open_store()
    assert await store.read(lambda tx: tx.job(job().id))
    copies = list((tmp_path / "backups").glob(f"store-v{NEWEST}-*.db"))
    assert copies
    with closing(sqlite3.connect(copies[0])) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone()[0] == 1
        assert connection.execute("PRAGMA user_version").fetchone()[0] == NEWEST


async def test_a_store_that_a_migration_does_not_fit_is_not_taken_for_a_damaged_one(
    tmp_path: Path, open_store: OpenStore, program_has: OnlyThese
) -> None:
    store = await open_store()
    await insert(store, job())
    await store.close()
    # A constraint fails: an error of the same class as damage has.
    program_has([*migrations(), (NEWEST + 1, "INSERT INTO jobs SELECT * FROM jobs;")])
    with pytest.raises(StoreError, match="UNIQUE") as caught:
        await open_store()
    assert caught.value.kind is StoreProblem.REFUSED
    assert _names(tmp_path) == {"s.db", "backups"}
    program_has(migrations())
    store = await open_store()
    assert await store.read(lambda tx: tx.job(job().id)) == job()


async def test_a_copy_before_an_upgrade_that_does_not_come_to_its_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    steps = migrations()
    monkeypatch.setattr(database, "migrations", lambda: steps[:-1])
    store = await open_store()
    await store.close()
    monkeypatch.setattr(database, "migrations", lambda: steps)
    monkeypatch.setattr(backup, "LONGEST", -1.0)  # as on a volume where each page waits
    with pytest.raises(StoreError, match="could not be copied") as caught:
        await open_store()
    assert caught.value.kind is StoreProblem.LOST
    assert _names(tmp_path) == {"s.db", "backups"}  # it was not taken for damaged
    assert _names(tmp_path / "backups") == set()
    monkeypatch.undo()
    await open_store()
    (copy,) = _names(tmp_path / "backups")
    assert copy.startswith(f"store-v{steps[-2][0]}-")
    assert backup.sound(tmp_path / "backups" / copy)


def _names(folder: Path) -> set[str]:
    names = {file.name for file in folder.iterdir()}
    return {name for name in names if not name.endswith(("-wal", "-shm"))}


async def test_a_store_of_version_4_forgets_counts_of_nothing(
    tmp_path: Path, open_store: OpenStore
) -> None:
    samples.load(4, tmp_path / "s.db")
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection, connection:
        connection.execute("UPDATE jobs SET status = 'failed', session_id = 'default'")
    assert len(tables(tmp_path / "s.db")["job_counts"]) > 1
    await open_store()
    assert tables(tmp_path / "s.db")["job_counts"] == [
        {"session_id": "default", "status": "failed", "n": 5}
    ]


async def test_a_file_that_two_jobs_had_in_version_2_belongs_to_the_newer_one(
    tmp_path: Path, open_store: OpenStore
) -> None:
    samples.load(2, tmp_path / "s.db")
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection, connection:
        samples.insert(connection, "files", job_id="item", filename="a.mp3", filesize=1)
    store = await open_store()
    assert len(await store.read(lambda tx: tx.owned_files(["item"]))) == 1
    left = await store.read(lambda tx: tx.owned_files(["done"]))
    assert [file.filename for file in left] == ["b.mp3"]


async def test_the_tables_of_the_first_service_keep_their_names_and_columns(
    tmp_path: Path, open_store: OpenStore
) -> None:
    await open_store()
    expected = {
        "sessions": {"id", "created_at", "last_seen"},
        "jobs": {"id", "session_id", "url", "status", "format_id", "quality", "output_template"}
        | {"filename", "filesize", "progress_percent", "speed", "eta", "error_message"}
        | {"created_at", "started_at", "completed_at"},
        "config": {"key", "value", "updated_at"},
        "unsupported_urls": {"id", "url", "session_id", "error", "created_at"},
        "error_log": {"id", "url", "domain", "error", "format_id", "media_type", "session_id"}
        | {"created_at"},
    }
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        for table, columns in expected.items():
            found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert columns <= found, table
