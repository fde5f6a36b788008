"""The error log has the newest failures, and does not grow for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mediarip_mqtt.store import Store, Tx, error_rows
from tests.support.stores import NOW, job


def log(tx: Tx, count: int) -> None:
    for number in range(count):
        code = "unsupported_url" if number % 2 else "network"
        failed = job(number, error_code=code, error_message="why", session_id=f"s{number % 2}")
        tx.log_error(failed, "example.com", NOW + timedelta(days=number))


async def test_the_newest_failures_come_first(store: Store) -> None:
    await store.write(lambda tx: log(tx, 4))
    errors = await store.read(lambda tx: tx.errors(3))
    assert [row["job_id"] for row in errors] == [job(number).id for number in (3, 2, 1)]
    assert errors[0]["error"] == "why"
    assert errors[0]["domain"] == "example.com"
    unsupported = await store.read(lambda tx: tx.unsupported(9))
    assert [row["url"] for row in unsupported] == [job(3).url, job(1).url]
    own = await store.read(lambda tx: tx.errors(9, "s0"))
    assert [row["job_id"] for row in own] == [job(2).id, job(0).id]
    assert await store.read(lambda tx: tx.unsupported(9, "s0")) == []


async def test_old_rows_go_by_their_number_and_by_their_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_rows, "LOG_LIMIT", 3)
    await store.write(lambda tx: log(tx, 10))
    assert len(await store.read(lambda tx: tx.errors(99))) == 3
    assert len(await store.read(lambda tx: tx.unsupported(99))) == 3
    await store.write(lambda tx: tx.forget_errors(NOW + timedelta(days=9)))
    assert [row["job_id"] for row in await store.read(lambda tx: tx.errors(99))] == [job(9).id]
    assert len(await store.read(lambda tx: tx.unsupported(99))) == 1
