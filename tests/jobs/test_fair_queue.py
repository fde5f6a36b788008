"""Whose job is next where sessions are isolated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.jobs.fair_queue import Turns
from mediarip_mqtt.store import Store

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def job(name: str, number: int, **fields: object) -> Job:
    created = NOW + timedelta(seconds=number)
    url = f"https://a.example/{number}"
    return Job(id=f"{name}-{number}", session_id=name, url=url, created_at=created, **fields)


async def put(store: Store, *jobs: Job) -> None:
    for one in jobs:
        await store.write(lambda tx, one=one: tx.insert(one))  # type: ignore[misc] # bound in the loop


async def due(store: Store, turns: Turns) -> list[str]:
    found = await store.read(lambda tx: turns.due(tx, NOW + timedelta(hours=1), [], 5))
    return [one.id for one in found]


@pytest.mark.parametrize(
    ("slots", "running", "goes_on"),
    [(3, 1, True), (3, 2, False), (2, 1, False), (1, 0, True), (4, 2, True)],
)
async def test_a_session_never_has_all_slots_so_that_another_finds_one(
    slots: int,
    running: int,
    goes_on: bool,  # noqa: FBT001 - a parameter of the test
    store: Store,
) -> None:
    turns = Turns(fair=True, slots=lambda: slots)
    under_way = [job("alice", one, status=JobStatus.DOWNLOADING) for one in range(running)]
    await put(store, *under_way, job("alice", 10))
    assert await due(store, turns) == (["alice-10"] if goes_on else [])
    await put(store, job("bob", 11))
    assert (await due(store, turns))[0] == ("bob-11" if running else "alice-10")


async def test_a_playlist_takes_no_slot_from_its_items(store: Store) -> None:
    for number in range(3):
        one = job("alice", number, status=JobStatus.DOWNLOADING)
        await store.write(lambda tx, one=one: tx.insert(one, is_playlist=True))  # type: ignore[misc] # bound in the loop
    await put(store, job("alice", 10, parent_id="alice-0"))
    assert await due(store, Turns(fair=True, slots=lambda: 2)) == ["alice-10"]


async def test_where_sessions_are_not_isolated_all_slots_are_for_anyone(store: Store) -> None:
    under_way = [job("alice", one, status=JobStatus.DOWNLOADING) for one in range(2)]
    await put(store, *under_way, job("alice", 10))
    assert await due(store, Turns(fair=False, slots=lambda: 3)) == ["alice-10"]
