from __future__ import annotations

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW, insert, job


async def test_only_unfinished_jobs_are_suspected_of_a_crash(store: Store) -> None:
    await insert(store, job(1, status=JobStatus.EXTRACTING), job(2), job(3))
    assert await store.read(Tx.suspects) == []
    assert await store.write(lambda tx: tx.count_crash(job(1).id)) == 1
    assert await store.write(lambda tx: tx.count_crash(job(1).id)) == 2
    await store.write(lambda tx: tx.count_crash(job(2).id))
    await store.write(lambda tx: tx.update(job(2).id, status="failed", completed_at=NOW))
    assert await store.read(Tx.suspects) == [(job(1).id, 2, JobStatus.EXTRACTING)]
