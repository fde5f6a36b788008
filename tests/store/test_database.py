"""Transactions are whole, or not at all, whoever is cancelled or hangs meanwhile."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.store import Changes, Store, Tx
from tests.support.stores import OpenStore, insert, job


async def test_a_transaction_that_fails_leaves_nothing_and_announces_nothing(
    open_store: OpenStore,
) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)

    def fail(tx: Tx) -> None:
        tx.insert(job())
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await store.write(fail)
    assert await store.read(lambda tx: tx.jobs()) == []
    assert announced == []
    await insert(store, job())
    assert announced[0].jobs == {job().id: job().session_id}


async def test_what_a_savepoint_undoes_leaves_the_rest_of_the_transaction(store: Store) -> None:
    def fail(tx: Tx) -> None:
        with tx.savepoint():
            tx.insert(job(2))
            raise RuntimeError("on purpose")

    def write(tx: Tx) -> None:
        tx.insert(job(1))
        with pytest.raises(RuntimeError):
            fail(tx)
        with tx.savepoint():
            tx.insert(job(3))

    await store.write(write)
    assert await store.read(lambda tx: tx.jobs(newest_first=False)) == [job(1), job(3)]


async def test_a_cancelled_writer_has_written_all_or_nothing_and_it_is_announced(
    open_store: OpenStore,
) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)
    writer = asyncio.ensure_future(store.write(lambda tx: tx.insert(job())))
    await asyncio.sleep(0)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    await store.read(lambda tx: tx.jobs())  # runs after the write, in the same thread
    assert len(await store.read(lambda tx: tx.jobs())) == len(announced) == 1


async def test_a_cancelled_reader_of_a_volume_that_is_lost_logs_no_traceback(
    open_store: OpenStore,
) -> None:
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    store = await open_store()
    reader = asyncio.create_task(store.read(lambda tx: tx.job("a")))
    await asyncio.sleep(0)  # the task has begun, its work has not
    store.suspend("not mounted")
    reader.cancel()
    await asyncio.wait({reader})
    del reader  # and the frames that refer to its work
    await asyncio.sleep(0.01)
    gc.collect()
    assert logged == []


async def test_a_store_that_hangs_does_not_keep_the_one_that_is_back_from_being_used(
    open_store: OpenStore,
) -> None:
    store = await open_store()
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


async def test_the_exclusive_way_for_network_volumes_keeps_others_out(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store(journal_mode="truncate", exclusive=True)
    await insert(store, job())
    script = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT 1 FROM jobs')"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "s.db"), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await other.communicate()
    assert b"locked" in errors


async def test_what_need_not_survive_a_power_cut_is_written_all_the_same(
    open_store: OpenStore,
) -> None:
    store = await open_store()
    await store.write(lambda tx: tx.insert(job()), durable=False)
    await store.close()
    store = await open_store()
    assert await store.read(lambda tx: tx.job(job().id)) == job()
