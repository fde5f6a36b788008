"""Whatever goes wrong with a store's file is a `StoreError` that says what it is."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreInUseError, StoreProblem
from mediarip_mqtt.store import Store, Tx, database
from mediarip_mqtt.store.store_errors import kind_of, raises_store_errors
from tests.support.stores import NOW, OpenStore, insert, job


@contextmanager
def fails_with(kind: StoreProblem) -> Iterator[None]:
    with pytest.raises(StoreError) as caught:
        yield
    assert caught.value.kind is kind, caught.value.message


def fill(tx: Tx) -> None:
    for number in range(100):
        tx.set_config(f"key{number}", "x" * 1000, NOW)


async def test_without_space_the_store_is_full_and_keeps_what_it_has(store: Store) -> None:
    def limit(tx: Tx) -> None:
        pages = tx._row("PRAGMA page_count")  # noqa: SLF001 - as on a volume of this size
        assert pages
        tx._rows(f"PRAGMA max_page_count={pages[0] + 1}")  # noqa: SLF001 - the same

    await insert(store, job())
    await store.read(limit)
    with fails_with(StoreProblem.FULL):
        await store.write(fill)
    assert await store.read(lambda tx: tx.jobs()) == [job()]
    assert await store.read(lambda tx: tx.config()) == {}


async def test_a_store_that_another_process_locks_is_busy_and_used_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    store = await open_store()
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with fails_with(StoreProblem.BUSY):
        await insert(store, job())
    other.execute("ROLLBACK")
    other.close()
    await insert(store, job())


async def test_a_store_that_another_process_has_to_itself_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    store = await open_store(journal_mode="truncate")
    await store.close()
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreInUseError, match="in use by another process") as caught:
        await open_store(journal_mode="truncate")
    assert caught.value.kind is StoreProblem.BUSY
    other.close()


async def test_a_file_that_is_damaged_while_it_is_open_is_damaged(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store(journal_mode="truncate")
    await store.write(fill)
    path = tmp_path / "s.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    await store.read(lambda tx: tx._rows("PRAGMA shrink_memory"))  # noqa: SLF001 - it reads the file again
    with fails_with(StoreProblem.DAMAGED):
        await store.read(lambda tx: tx.config())


async def test_a_file_that_was_removed_or_replaced_is_lost(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    path, elsewhere = tmp_path / "s.db", tmp_path / "elsewhere"
    path.rename(elsewhere)
    with fails_with(StoreProblem.LOST):
        await insert(store, job())
    shutil.copyfile(elsewhere, path)
    with fails_with(StoreProblem.LOST):
        await insert(store, job())
    elsewhere.replace(path)
    await insert(store, job())
    assert await store.read(lambda tx: tx.jobs()) == [job()]


async def test_a_file_that_can_only_be_read_is_lost(
    monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    store = await open_store(journal_mode="truncate")
    await insert(store, job())
    await store.close()
    # What SQLite does by itself where it may not write; root always may.
    address = property(lambda self: f"file:{self.path}?mode=ro")
    monkeypatch.setattr(Store, "_address", address)
    store = await open_store(journal_mode="truncate")
    assert await store.read(lambda tx: tx.jobs()) == [job()]
    with fails_with(StoreProblem.LOST):
        await insert(store, job(2))


@pytest.mark.parametrize("folder", ["absent", "a file"])
async def test_a_store_without_its_folder_is_lost(folder: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    store = Store(tmp_path / folder / "s.db", journal_mode="wal", exclusive=False)
    with fails_with(StoreProblem.LOST):
        await store.open()
    with fails_with(StoreProblem.REFUSED):  # it was not opened
        await store.read(lambda tx: tx.jobs())


async def test_a_suspended_store_is_lost_until_it_is_open_again(store: Store) -> None:
    store.suspend("not mounted")
    for use in (store.read, store.write):
        with fails_with(StoreProblem.LOST):
            await use(lambda tx: tx.jobs())
    with fails_with(StoreProblem.LOST):
        await store.backup(1)
    await store.reopen()
    assert await store.read(lambda tx: tx.jobs()) == []


async def test_a_closed_store_and_a_wrong_statement_are_refused(store: Store) -> None:
    with fails_with(StoreProblem.REFUSED):
        await store.write(lambda tx: tx.update("a", no_such_column=1))
    await insert(store, job())
    with fails_with(StoreProblem.REFUSED):
        await insert(store, job())  # its id is taken
    await store.close()
    with fails_with(StoreProblem.REFUSED):
        await store.read(lambda tx: tx.jobs())


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreProblem.FULL),
        (errno.EDQUOT, StoreProblem.FULL),
        (errno.EIO, StoreProblem.LOST),
        (errno.EROFS, StoreProblem.LOST),
    ],
)
def test_errors_of_the_volume_have_a_kind_too(number: int, kind: StoreProblem) -> None:
    error = OSError(number, "on purpose")
    assert kind_of(error) is kind
    with pytest.raises(StoreError, match=r"^on purpose$") as caught, raises_store_errors():
        raise error
    assert caught.value.__cause__ is error


async def test_a_quota_that_is_used_up_is_a_full_volume_though_sqlite_calls_it_an_io_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Tx) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        raise error

    def no_quota(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with fails_with(StoreProblem.LOST):
        await store.write(refuse)
    monkeypatch.setattr("os.fsync", no_quota)
    with fails_with(StoreProblem.FULL):
        await store.write(refuse)
    assert store.failure is not None
    assert "quota" in store.failure.message
    assert not (store.path.parent / ".space").exists()
