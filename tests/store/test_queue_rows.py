"""The queue: who is next, who waits for what, and how many there are."""

from __future__ import annotations

from datetime import timedelta

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW, insert, job

HOUR = timedelta(hours=1)


async def due(store: Store, *arguments: object, limit: int = 10, **named: object) -> list[int]:
    excluded = [job(number).id for number in arguments]  # type: ignore[arg-type] # numbers
    jobs = await store.read(lambda tx: tx.due(NOW, excluded, limit, **named))  # type: ignore[arg-type] # its arguments
    return [int(each.id[-1]) for each in jobs]


async def test_counts_are_right_at_any_history(store: Store) -> None:
    await insert(store, *(job(number) for number in range(5)))
    await store.write(lambda tx: tx.update(job(1).id, status=JobStatus.FAILED))
    await store.write(lambda tx: tx.delete(job(2)))
    counts = await store.read(Tx.counts)
    assert (counts["queued"], counts["failed"], sum(counts.values())) == (3, 1, 4)
    assert set(counts) == {status.value for status in JobStatus}


async def test_counts_can_be_those_of_a_session(store: Store) -> None:
    await insert(store, job(1), job(2, session_id="bob"), job(3, session_id="eve", status="paused"))
    assert (await store.read(lambda tx: tx.counts("bob")))["queued"] == 1
    assert sum((await store.read(lambda tx: tx.counts("eve"))).values()) == 1
    assert sorted(await store.read(Tx.waiting_sessions)) == ["bob", "default"]


async def test_jobs_run_by_priority_then_age(store: Store) -> None:
    await insert(
        store,
        job(1, priority="low"),
        job(2),
        job(3, priority="high"),
        job(4, status=JobStatus.RETRYING, next_retry_at=NOW),
        job(5, status=JobStatus.PAUSED),
    )
    assert await due(store) == [3, 2, 4, 1]
    assert await due(store, limit=2) == [3, 2]
    assert await due(store, 3, 4) == [2, 1]
    queue = await store.read(lambda tx: tx.queue(10))
    assert [int(each.id[-1]) for each in queue] == [3, 2, 4, 5, 1]


async def test_jobs_wait_for_their_time_their_session_and_their_site(store: Store) -> None:
    await insert(
        store,
        job(1, not_before=NOW + HOUR),
        job(2, status=JobStatus.RETRYING, next_retry_at=NOW + HOUR / 2),
        job(3, session_id="bob"),
        job(4, url="https://www.example.org/a"),
        job(5, url="https://cdn.example.org/a"),
        job(6, url="https://notexample.org/a"),
    )
    assert await due(store) == [3, 4, 5, 6]
    assert await due(store, sessions=["bob"]) == [3]
    assert await due(store, sessions=[]) == []
    assert await due(store, busy_sites={"example.org": True}) == [3, 6]
    most_specific = {"example.org": True, "cdn.example.org": False}
    assert await due(store, busy_sites=most_specific) == [3, 5, 6]
    assert await store.read(lambda tx: tx.next_time(NOW)) == NOW + HOUR / 2
    assert await store.read(lambda tx: tx.next_time(NOW + 2 * HOUR)) is None


async def test_a_retry_that_is_further_away_than_any_is_due_the_clock_was_set_back(
    store: Store,
) -> None:
    soon, never = NOW + HOUR, NOW + timedelta(days=400)
    await insert(
        store,
        *(
            job(number, status=JobStatus.RETRYING, next_retry_at=moment)
            for number, moment in enumerate((soon, never), start=1)
        ),
    )
    assert await due(store) == [2]


async def test_retries_move_with_the_clock(store: Store) -> None:
    await insert(store, job(1, status=JobStatus.RETRYING, next_retry_at=NOW), job(2))
    await store.write(lambda tx: tx.shift_retries(HOUR))
    moved = await store.read(lambda tx: tx.job(job(1).id))
    assert moved
    assert moved.next_retry_at == NOW + HOUR


async def test_the_longest_running_job_comes_first(store: Store) -> None:
    await insert(
        store,
        job(1, status=JobStatus.DOWNLOADING, started_at=NOW + HOUR),
        job(2, status=JobStatus.EXTRACTING, started_at=NOW, session_id="bob"),
        job(3),
    )
    running = await store.read(lambda tx: tx.running())
    assert [each.id for each in running] == [job(2).id, job(1).id]
    assert [each.id for each in await store.read(lambda tx: tx.running("bob"))] == [job(2).id]
