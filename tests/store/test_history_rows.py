"""Finished jobs: the newest of them, and those that a person cleared."""

from __future__ import annotations

from datetime import timedelta

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW, insert, job


async def finished(store: Store, *arguments: object) -> list[int]:
    jobs = await store.read(lambda tx: tx.finished(*arguments))  # type: ignore[arg-type] # its arguments
    return [int(each.id[-1]) for each in jobs]


async def test_the_newest_finished_jobs_come_first_and_cleared_ones_not(store: Store) -> None:
    for number, status in enumerate(("completed", "failed", "completed", "cancelled"), start=1):
        ended = NOW + timedelta(hours=number)
        session = "bob" if number == 3 else "default"
        await insert(store, job(number, status=status, completed_at=ended, session_id=session))
    await insert(store, job(5))
    assert await finished(store, None, 3) == [4, 3, 2]
    assert await finished(store, JobStatus.COMPLETED, 9) == [3, 1]
    assert await finished(store, None, 9, "bob") == [3]
    assert await store.read(lambda tx: tx.completed_since(NOW + timedelta(hours=2))) == 1

    def clear(tx: Tx, job_id: str | None, session_id: str | None) -> tuple[int, set[str]]:
        return tx.clear(NOW, job_id, session_id), tx.changes.cleared

    assert await store.write(lambda tx: clear(tx, job(4).id, None)) == (1, {"default"})
    assert await store.write(lambda tx: clear(tx, job(5).id, None)) == (0, set())
    assert await store.write(lambda tx: clear(tx, None, "bob")) == (1, {"bob"})
    assert await finished(store, None, 9) == [2, 1]
    assert await finished(store, JobStatus.COMPLETED, 9) == [3, 1]
    assert await store.write(lambda tx: clear(tx, None, None)) == (2, {"default"})
    assert len(await store.read(lambda tx: tx.jobs())) == 5
