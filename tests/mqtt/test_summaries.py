"""`state` and `jobs`: bounded, and true as far as the store can be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import Job, JobStatus, PauseReason
from mediarip_mqtt.contract.topic_payloads import JobList
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.summaries import JOBS_LIMIT, ServiceStatus, StateSummary, render_jobs
from mediarip_mqtt.store import Store, Tx

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def status(reason: PauseReason | None = None, lost_threads: int = 0) -> ServiceStatus:
    return ServiceStatus(pause_reason=reason, lost_threads=lost_threads)


def summary(store: Store, say: Callable[[], ServiceStatus] = status) -> StateSummary:
    return StateSummary(Topics("mediarip"), store, say, {}, lambda: NOW)


def add(count: int, title: str) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        for number in range(count):
            url = f"https://a.example/{number}"
            tx.insert(Job(id=f"j{number:03}", session_id="s", url=url, title=title, created_at=NOW))

    return write


async def test_state_says_what_was_known_last_while_the_store_is_lost(store: Store) -> None:
    reasons: list[PauseReason | None] = [None]
    state = summary(store, lambda: status(reasons[-1]))
    await store.write(add(3, "A film"))
    assert (await state.read()).counts[JobStatus.QUEUED] == 3
    store.suspend("not mounted")
    reasons.append(PauseReason.STORAGE_LOST)
    lost = await state.read()
    assert lost.status == "storage_lost"
    assert lost.counts[JobStatus.QUEUED] == 3
    await store.reopen()


async def test_state_of_a_store_that_was_never_read_is_not_made_up(store: Store) -> None:
    store.suspend("not mounted")
    with pytest.raises(StoreError):
        await summary(store).read()
    await store.reopen()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (status(), "idle"),
        (status(PauseReason.USER), "paused"),
        (status(PauseReason.USER, lost_threads=1), "error"),
        (status(PauseReason.STORAGE_LOST, lost_threads=1), "storage_lost"),
    ],
)
async def test_the_status_is_the_worst_that_is_true(
    said: ServiceStatus, word: str, store: Store
) -> None:
    assert (await summary(store, lambda: said).read()).status == word


async def test_the_list_of_jobs_stays_below_its_limit(store: Store) -> None:
    await store.write(add(100, "ü" * 200))
    payload = await store.read(render_jobs)
    assert len(payload.encode()) <= JOBS_LIMIT
    jobs = JobList.model_validate_json(payload)
    assert jobs.counts[JobStatus.QUEUED] == 100
    assert 5 < len(jobs.queued) <= 50
