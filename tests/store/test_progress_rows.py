"""Progress never falls, and nobody else's state changes by it."""

from __future__ import annotations

from mediarip_mqtt.contract.models import JobStatus, Phase, Progress
from mediarip_mqtt.store import Changes
from tests.support.stores import NOW, OpenStore, insert, job


def progress(percent: float, number: int = 1) -> Progress:
    return Progress(
        id=job(number).id,
        status=JobStatus.DOWNLOADING,
        phase=Phase.VIDEO,
        progress_percent=percent,
        downloaded_bytes=int(percent),
        speed=5.0,
        eta=2.0,
        updated_at=NOW,
    )


async def test_progress_is_kept_and_never_falls(open_store: OpenStore) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)
    await insert(store, job(1, status=JobStatus.EXTRACTING, started_at=NOW), job(2))
    announced.clear()
    await store.write(lambda tx: tx.save_progress([progress(40), progress(40, 2)]))
    assert announced == []  # the caller knows when it is published
    assert await store.read(lambda tx: tx.progress(job(1).id)) == progress(40)
    await store.write(lambda tx: tx.save_progress([progress(10)]))
    kept = await store.read(lambda tx: tx.progress(job(1).id))
    assert kept
    assert (kept.progress_percent, kept.downloaded_bytes) == (40, 10)
    assert await store.read(lambda tx: tx.progress(job(2).id)) is None  # it does not run
    assert not await store.read(lambda tx: tx.never_ran(job(1).id))
    assert await store.read(lambda tx: tx.never_ran(job(2).id))
    assert not await store.read(lambda tx: tx.never_ran("unknown"))


async def test_a_job_that_does_not_run_has_no_speed(open_store: OpenStore) -> None:
    store = await open_store()
    await insert(store, job(status=JobStatus.DOWNLOADING))
    await store.write(lambda tx: tx.save_progress([progress(40)]))
    running = await store.read(lambda tx: tx.job(job().id))
    assert running
    assert (running.speed, running.eta) == (5.0, 2.0)
    paused = await store.write(lambda tx: tx.update(job().id, status=JobStatus.PAUSED))
    assert (paused.speed, paused.eta, paused.progress_percent) == (None, None, 40)
    kept = await store.read(lambda tx: tx.progress(job().id))
    assert kept
    assert (kept.speed, kept.eta) == (None, None)
