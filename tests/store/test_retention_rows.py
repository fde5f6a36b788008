"""What retention may remove, with its size, and what is kept."""

from __future__ import annotations

from datetime import timedelta

from mediarip_mqtt.contract.models import TERMINAL, Job, JobFile, JobStatus
from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW, insert, job


def ended(number: int, **fields: object) -> Job:
    moment = NOW + timedelta(hours=number)
    return job(number, **{"status": "completed", "completed_at": moment, **fields})


async def test_a_playlist_is_one_job_with_the_size_of_all_its_files(store: Store) -> None:
    await insert(store, ended(0), is_playlist=True)
    await insert(store, ended(1, parent_id=job(0).id), ended(2, status="failed"), job(3))

    def place(tx: Tx) -> None:
        for number in (1, 2):
            file = JobFile(temp_path="t", filename=f"{number}.mp4", filesize=10)
            tx.plan_files(job(number).id, [file])
        tx.files_placed(job(1).id)  # the other is not in its place

    await store.write(place)
    removable = await store.read(lambda tx: tx.ended(TERMINAL, None))
    assert [(each.id, each.size) for each in removable] == [(job(2).id, 0), (job(0).id, 10)]
    assert removable[1].completed_at == NOW
    only = await store.read(lambda tx: tx.ended({JobStatus.FAILED}, "default"))
    assert [each.id for each in only] == [job(2).id]
    assert await store.read(lambda tx: tx.ended(TERMINAL, "bob")) == []


async def test_a_playlist_of_which_an_item_is_kept_is_kept_whole(store: Store) -> None:
    await insert(store, ended(0), is_playlist=True)
    items = [ended(1, parent_id=job(0).id, keep=True), ended(2, parent_id=job(0).id)]
    await insert(store, *items, ended(3), ended(4, keep=True))
    assert [each.id for each in await store.read(lambda tx: tx.ended(TERMINAL, None))] == [
        job(3).id
    ]
    assert await store.read(Tx.kept) == {job(number).id for number in (0, 1, 2, 4)}
    assert await store.read(lambda tx: [tx.is_kept(job(n).id) for n in (0, 1, 3, 4)]) == [
        *(True, True, False, True)
    ]
    assert await store.read(lambda tx: tx.count_kept(TERMINAL, None)) == 2
    assert await store.read(lambda tx: tx.count_kept({JobStatus.FAILED}, None)) == 0
    assert await store.read(lambda tx: tx.count_kept(TERMINAL, "bob")) == 0
