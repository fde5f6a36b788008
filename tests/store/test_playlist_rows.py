"""A playlist and its items, through several levels."""

from __future__ import annotations

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Store
from tests.support.stores import insert, job


async def test_a_nested_playlist_is_found_from_above_and_from_below(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    await insert(store, job(3, parent_id=job(0).id), is_playlist=True)
    await insert(store, job(1, parent_id=job(3).id), job(2, parent_id=job(0).id, status="failed"))
    below = await store.read(lambda tx: tx.descendants(job(0).id))
    assert [each.id for each in below] == [job(2).id, job(3).id, job(1).id]
    failed = await store.read(lambda tx: tx.descendants(job(0).id, {JobStatus.FAILED}))
    assert [each.id for each in failed] == [job(2).id]
    above = await store.read(lambda tx: tx.ancestors(below[-1]))
    assert [each.id for each in above] == [job(3).id, job(0).id]
    assert await store.read(lambda tx: tx.is_playlist(job(3).id))
    assert not await store.read(lambda tx: tx.is_playlist(job(1).id))
    assert not await store.read(lambda tx: tx.is_playlist("unknown"))


async def test_the_progress_of_a_playlist_counts_what_ended_as_done(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    assert await store.read(lambda tx: tx.mean_progress(job(0).id)) == 0
    items = [("failed", 10.0), ("completed", 100.0), ("downloading", 40.0), ("queued", 0.0)]
    await insert(
        store,
        *(
            job(1 + n, parent_id=job(0).id, status=status, progress_percent=percent)
            for n, (status, percent) in enumerate(items)
        ),
    )
    assert await store.read(lambda tx: tx.mean_progress(job(0).id)) == 60


async def test_an_item_that_changes_marks_its_playlist(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    await insert(store, job(1, parent_id=job(0).id))

    changes = await store.write(lambda tx: (tx.update(job(1).id, title="x"), tx.changes)[1])
    assert set(changes.jobs) == {job(0).id, job(1).id}


async def test_what_a_playlist_says_of_an_item_goes_with_the_item(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    await insert(store, job(1, parent_id=job(0).id))
    await store.write(lambda tx: tx.save_entry(job(1).id, '{"fields": {}}'))
    assert await store.read(lambda tx: tx.entry(job(1).id)) == '{"fields": {}}'
    assert await store.read(lambda tx: tx.entry(job(0).id)) is None
    await store.write(lambda tx: tx.delete(job(1)))
    assert await store.read(lambda tx: tx.entry(job(1).id)) is None
