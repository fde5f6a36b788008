"""The store keeps what it was given, upgrades old files and refuses what it does not know."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreInUseError
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.store import Changes, Store, Tx, backup, database
from mediarip_mqtt.store.lease import Lease

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def job(number: int = 1, **fields: object) -> Job:
    values = {
        "session_id": "default",
        "created_at": NOW + timedelta(seconds=number),
        "url": f"https://example.com/{number}",
        **fields,
    }
    return Job(id=f"0199-{number:04d}", **values)


_OPENED: list[Store] = []


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what a failed test left open: its thread would keep the tests from ending."""
    yield
    while _OPENED:
        await _OPENED.pop().close()


async def opened(path: Path, **options: object) -> Store:
    store = Store(path, journal_mode="wal", exclusive=False, **options)  # type: ignore[arg-type] # the constructor's
    await store.open()
    _OPENED.append(store)
    return store


async def test_a_job_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    store = await opened(tmp_path / "s.db")
    one = job(tags=("a", "ü"), not_before=NOW, duration=1.5)
    await store.write(lambda tx: tx.insert(one))
    assert await store.read(lambda tx: tx.job(one.id)) == one
    await store.close()
    store = await opened(tmp_path / "s.db")
    assert await store.read(lambda tx: tx.job(one.id)) == one
    await store.close()


async def test_a_transaction_that_fails_leaves_nothing_and_announces_nothing(
    tmp_path: Path,
) -> None:
    seen: list[Changes] = []
    store = await opened(tmp_path / "s.db", committed=seen.append)

    def fail(tx: Tx) -> None:
        tx.insert(job())
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await store.write(fail)
    assert await store.read(lambda tx: tx.jobs()) == []
    assert seen == []
    await store.write(lambda tx: tx.insert(job()))
    assert seen[0].jobs == {job().id: job().session_id}
    await store.close()


async def test_a_cancelled_writer_has_written_all_or_nothing_and_it_is_announced(
    tmp_path: Path,
) -> None:
    seen: list[Changes] = []
    store = await opened(tmp_path / "s.db", committed=seen.append)
    writer = asyncio.ensure_future(store.write(lambda tx: tx.insert(job())))
    await asyncio.sleep(0)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    await store.read(lambda tx: tx.jobs())  # behind it in the one thread
    assert len(await store.read(lambda tx: tx.jobs())) == len(seen) == 1
    await store.close()


async def test_a_cancelled_reader_of_a_volume_that_is_lost_logs_no_traceback(
    tmp_path: Path,
) -> None:
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    store = await opened(tmp_path / "s.db")
    reader = asyncio.create_task(store.read(lambda tx: tx.job("a")))
    await asyncio.sleep(0)  # it has begun its work, which has not
    store.suspend("not mounted")
    reader.cancel()
    await asyncio.wait({reader})
    del reader  # and the frames that know the work
    await asyncio.sleep(0.01)
    gc.collect()
    assert logged == []


async def test_counts_are_right_at_any_history(tmp_path: Path) -> None:
    store = await opened(tmp_path / "s.db")
    for number in range(5):
        await store.write(partial(Tx.insert, job=job(number)))
    await store.write(lambda tx: tx.update(job(1).id, status=JobStatus.FAILED))
    await store.write(lambda tx: tx.delete(job(2)))
    counts = await store.read(lambda tx: tx.counts())
    assert (counts["queued"], counts["failed"], sum(counts.values())) == (3, 1, 4)
    await store.close()


async def test_a_retry_that_is_further_away_than_any_is_due_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    store = await opened(tmp_path / "s.db")
    soon, never = NOW + timedelta(hours=1), NOW + timedelta(days=400)
    for number, moment in enumerate((soon, never), start=1):
        one = job(number, status=JobStatus.RETRYING, next_retry_at=moment)
        await store.write(lambda tx, one=one: tx.insert(one))  # type: ignore[misc] # bound in the loop
    due = await store.read(lambda tx: tx.due(NOW, [], 5))
    assert [one.next_retry_at for one in due] == [never]
    await store.close()


async def test_a_store_of_a_newer_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="version 999"):
        await opened(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 999
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    connection.close()
    assert len(path.read_bytes()) == len(before)


async def test_an_upgrade_keeps_a_copy_and_a_failed_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    store = await opened(path)
    await store.write(lambda tx: tx.insert(job()))
    await store.close()
    first = database.migrations()
    newest = first[-1][0]
    bad = [*first, (newest + 1, "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1);")]
    monkeypatch.setattr(database, "migrations", lambda: bad)
    with pytest.raises(StoreError):
        await opened(path)
    good = [*first, (newest + 1, "CREATE TABLE extra (a);")]
    monkeypatch.setattr(database, "migrations", lambda: good)
    store = await opened(path)
    assert await store.read(lambda tx: tx.job(job().id))
    await store.close()
    copies = list((tmp_path / "backups").glob(f"store-v{newest}-*.db"))
    assert copies
    connection = sqlite3.connect(copies[0])
    assert connection.execute("SELECT count(*) FROM jobs").fetchone()[0] == 1
    assert connection.execute("PRAGMA user_version").fetchone()[0] == newest
    connection.close()


async def test_a_store_of_version_4_is_upgraded_and_forgets_counts_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = database.migrations()
    monkeypatch.setattr(database, "migrations", lambda: steps[:4])
    store = await opened(tmp_path / "s.db")
    await store.close()
    connection = sqlite3.connect(tmp_path / "s.db")
    with connection:
        connection.execute("INSERT INTO sessions VALUES ('default', '2026', '2026')")
        for status in ("queued", "extracting"):
            connection.execute(
                "INSERT INTO jobs (id, session_id, url, status, created_at) VALUES "
                "(?, 'default', 'https://e.com', ?, '2026-01-02T03:04:05.678Z')",
                (f"was {status}", status),
            )
        connection.execute("UPDATE jobs SET status = 'failed'")
    connection.close()
    monkeypatch.setattr(database, "migrations", lambda: steps)
    store = await opened(tmp_path / "s.db")
    assert len(await store.read(lambda tx: tx.jobs(statuses={JobStatus.FAILED}))) == 2
    assert (await store.read(Tx.counts))["failed"] == 2
    assert _counted(tmp_path / "s.db") == [("default", "failed", 2)]
    assert await store.write(lambda tx: tx.count_crash("was queued")) == 1
    await store.close()


def _counted(path: Path) -> list[tuple[str, str, int]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM job_counts").fetchall()
    finally:
        connection.close()


async def test_what_is_kept_of_sessions_does_not_grow_with_their_number(tmp_path: Path) -> None:
    store = await opened(tmp_path / "s.db")

    def come_and_go(tx: Tx) -> None:
        for number in range(20):
            one = job(number, session_id=f"s{number}")
            tx.insert(one)
            tx.update(one.id, status=JobStatus.CANCELLED)
            if number:
                tx.delete(one)
        tx.forget_sessions(NOW + timedelta(seconds=15))

    await store.write(come_and_go)
    assert _counted(tmp_path / "s.db") == [("s0", "cancelled", 1)]
    connection = sqlite3.connect(tmp_path / "s.db")
    left = {row[0] for row in connection.execute("SELECT id FROM sessions")}
    connection.close()
    assert left == {"s0", *(f"s{number}" for number in range(15, 20))}
    await store.write(lambda tx: tx.insert(job(99, session_id="s1")))  # it comes again
    await store.close()


async def test_a_copy_before_an_upgrade_that_does_not_come_to_its_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    steps = database.migrations()
    monkeypatch.setattr(database, "migrations", lambda: steps[:-1])
    store = await opened(path)
    await store.write(lambda tx: tx.insert(job()))
    await store.close()
    monkeypatch.setattr(database, "migrations", lambda: steps)
    monkeypatch.setattr(backup, "LONGEST", -1.0)  # as on a volume where each page waits
    with pytest.raises(StoreError, match="could not be copied"):
        await opened(path)
    assert _names(tmp_path) == {"s.db", "backups"}  # it was not taken for damaged
    assert _names(tmp_path / "backups") == set()
    monkeypatch.undo()
    store = await opened(path)
    assert await store.read(lambda tx: tx.job(job().id))
    (copy,) = _names(tmp_path / "backups")
    assert copy.startswith(f"store-v{steps[-2][0]}-")
    assert backup.sound(tmp_path / "backups" / copy)
    await store.close()


def _names(folder: Path) -> set[str]:
    names = {one.name for one in folder.iterdir()}
    return {one for one in names if not one.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize("damage", ["garbage", "a page", "its end"])
async def test_a_damaged_store_goes_aside_and_its_last_sound_copy_comes_back(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    store = await opened(path)
    for number in range(300):
        one = job().model_copy(update={"id": f"job{number:04}", "title": "x" * 100})
        await store.write(lambda tx, one=one: tx.insert(one))  # type: ignore[misc] # bound in the loop
    await store.backup(keep=2)
    await store.write(lambda tx: tx.insert(job()))
    await store.close()
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = b"no database at all" * 1000
    elif damage == "a page":
        content[8192:12288] = bytes(4096)
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    store = await opened(path)
    assert "is kept as s.db.damaged-" in (store.recovered or "")
    assert len(await store.read(lambda tx: tx.jobs(limit=1000))) == 300
    await store.close()


async def test_a_damaged_store_without_a_copy_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"no database at all" * 1000)
    store = await opened(tmp_path / "s.db")
    assert "no sound copy" in (store.recovered or "")
    assert await store.read(lambda tx: tx.jobs()) == []
    await store.close()


async def test_copies_are_whole_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    store = await opened(tmp_path / "s.db")
    await store.write(lambda tx: tx.insert(job()))
    made = [await store.backup(keep=2) for _ in range(4)]
    assert backup.copies(tmp_path / "s.db") == made[:1:-1]
    assert all(backup.sound(one) for one in made[2:])
    await store.close()


async def test_the_exclusive_way_for_network_volumes_keeps_others_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db", journal_mode="truncate", exclusive=True)
    await store.open()
    await store.write(lambda tx: tx.insert(job()))
    script = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT 1 FROM jobs')"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "s.db"), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await other.communicate()
    assert b"locked" in errors
    await store.close()


async def test_the_tables_of_the_first_service_keep_their_names_and_columns(
    tmp_path: Path,
) -> None:
    store = await opened(tmp_path / "s.db")
    await store.close()
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
    connection = sqlite3.connect(tmp_path / "s.db")
    for table, columns in expected.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        assert columns <= found, table
    connection.close()


@pytest.mark.parametrize("skew", [timedelta(), timedelta(days=-400), timedelta(days=400)])
async def test_a_lease_of_another_machine_holds_as_long_as_that_one_lives_whatever_its_clock(
    skew: timedelta, tmp_path: Path
) -> None:
    store = await opened(tmp_path / "s.db")
    lease = Lease(store, tmp_path, network=True, patience=0.4)

    def beat(number: int) -> Callable[[Tx], None]:
        moment = NOW + skew + timedelta(seconds=number)
        return lambda tx: tx.take_lease("other", "nas2", "another-boot", moment)

    await store.write(beat(0))
    taking = asyncio.create_task(lease.take(NOW))
    await asyncio.sleep(0.15)
    await store.write(beat(1))
    with pytest.raises(StoreInUseError, match="nas2"):
        await taking
    await lease.take(NOW)  # no heartbeat follows any more
    assert await lease.renew(NOW)
    await store.write(beat(2))
    assert not await lease.renew(NOW)
    await store.close()


async def test_a_store_that_hangs_does_not_keep_the_one_that_is_back_from_being_used(
    tmp_path: Path,
) -> None:
    store = await opened(tmp_path / "s.db")
    gate = threading.Event()
    hanging = asyncio.ensure_future(store.read(lambda _: gate.wait(30)))
    await asyncio.sleep(0.05)
    store.suspend("hanging")
    began = time.monotonic()
    await store.reopen()
    assert time.monotonic() - began < 15
    assert await store.read(lambda tx: tx.job("a")) is None
    gate.set()
    with pytest.raises(StoreError):
        await hanging


async def test_the_same_download_of_others_does_not_hide_one_s_own(tmp_path: Path) -> None:
    store = await opened(tmp_path / "s.db")
    mine = job(0, session_id="bob", url="https://example.com/same")
    await store.write(lambda tx: tx.insert(mine))
    for number in range(30):
        other = job(1 + number, session_id="eve", url="https://example.com/same")
        await store.write(partial(Tx.insert, job=other))
    found = await store.read(lambda tx: tx.duplicate_of(mine.url, mine, "bob"))
    assert found
    assert found.id == mine.id
