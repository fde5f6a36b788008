"""Subscriptions and their items in the store: what is known stays known, and items follow jobs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.subscription_models import (
    CheckMemory,
    ItemState,
    Subscription,
    SubscriptionItem,
    SubscriptionLibrary,
    WantedDownload,
)
from mediarip_mqtt.store import SiteStop, Store, SubscriptionRequest, Tx
from tests.support.stores import job

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def subscription(number: int = 1, **values: object) -> Subscription:
    fields = {
        "id": f"s{number}",
        "session_id": "default",
        "name": f"Channel {number}",
        "url": f"https://videos.example/c/{number}",
        "created_at": NOW,
    }
    return Subscription(**fields | values)


def item(number: int, state: ItemState = ItemState.WAITING, **values: object) -> SubscriptionItem:
    fields = {
        "item_key": f"site {number}",
        "rank": number,
        "url": f"https://videos.example/v/{number}",
        "first_seen_at": NOW,
        "state": state,
    }
    return SubscriptionItem(**fields | values)


async def state_of(store: Store, key: str = "site 1") -> SubscriptionItem:
    found = await store.read(lambda tx: tx.item("s1", key))
    assert found is not None
    return found


async def test_a_subscription_is_stored_with_all_that_it_says(store: Store) -> None:
    told = subscription(
        interval=3600,
        backfill="all",
        date_after=date(2026, 1, 2),
        shorts="exclude",
        wanted=WantedDownload(preset="720p", tags=("sea",)),
        library=SubscriptionLibrary(show="Tides"),
        keep_last=5,
        next_check_at=NOW,
    )
    memory = CheckMemory(etag='"1"', listed_at=NOW, listed_count=3)
    await store.write(lambda tx: tx.insert_subscription(told, memory, "ann:secret"))

    assert await store.read(lambda tx: tx.subscription("s1")) == told
    assert await store.read(lambda tx: tx.check_memory("s1")) == memory
    assert await store.read(lambda tx: tx.subscription_login("s1")) == "ann:secret"


async def test_a_key_is_there_once_and_counted(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_subscription(subscription())
        tx.insert_items("s1", [item(1), item(2), item(3, ItemState.BASELINE)])
        tx.insert_items("s1", [item(1, ItemState.BASELINE)])

    await store.write(fill)

    found = await store.read(lambda tx: tx.subscription("s1"))
    assert found is not None
    assert found.counts == {ItemState.WAITING: 2, ItemState.BASELINE: 1}
    assert await store.read(lambda tx: tx.newest_rank("s1")) == 3


async def test_an_item_follows_its_job_also_when_that_is_retried(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_subscription(subscription())
        tx.insert(Job(**job(1).model_dump() | {"subscription_id": "s1"}))
        tx.insert_items("s1", [item(1, ItemState.QUEUED, job_id=job(1).id)])

    await store.write(fill)
    delays = []
    for _ in range(6):
        failed: dict[str, Any] = {"status": JobStatus.FAILED, "completed_at": NOW}
        failed["error_code"] = "timeout"
        await store.write(partial(Tx.update, job_id=job(1).id, **failed))
        now = await state_of(store)
        assert (now.state, now.reason) == (ItemState.FAILED, "timeout")
        delays.append(now.next_try_at and now.next_try_at - NOW)
        await store.write(lambda tx: tx.update(job(1).id, status=JobStatus.QUEUED))
        assert (await state_of(store)).state is ItemState.QUEUED

    days = [timedelta(days=number) for number in (1, 3, 7)]
    assert delays == [HOUR, 6 * HOUR, *days, None]
    done = {"status": JobStatus.COMPLETED, "completed_at": NOW}
    await store.write(lambda tx: tx.update(job(1).id, **done))
    assert (await state_of(store)).done_at == NOW


async def test_a_job_that_a_person_deletes_is_not_wanted_again(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_subscription(subscription())
        tx.insert(job(1))
        tx.insert_items("s1", [item(1, ItemState.QUEUED, job_id=job(1).id)])

    await store.write(fill)
    await store.write(lambda tx: tx.delete(job(1)))

    now = await state_of(store)
    assert (now.state, now.job_id) == (ItemState.IGNORED, None)


async def test_history_that_is_purged_leaves_the_item_done(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_subscription(subscription())
        tx.insert(job(1, status=JobStatus.COMPLETED, completed_at=NOW))
        tx.insert_items("s1", [item(1, ItemState.DONE, job_id=job(1).id)])

    await store.write(fill)
    await store.write(lambda tx: tx.delete(job(1, status=JobStatus.COMPLETED)))

    assert (await state_of(store)).state is ItemState.DONE


async def test_an_item_has_disappeared_after_two_whole_lists(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_subscription(subscription())
        tx.insert_items("s1", [item(1), item(2, ItemState.DONE), item(3)])

    await store.write(fill)
    note = partial(Tx.note_absence, subscription_id="s1", listed=["site 3"])
    counts = [
        await store.write(partial(note, now=NOW + hour)) for hour in (HOUR, 2 * HOUR, 3 * HOUR)
    ]

    assert counts == [0, 2, 0]
    assert (await state_of(store)).state is ItemState.GONE
    assert (await state_of(store, "site 2")).state is ItemState.DONE
    await store.write(lambda tx: tx.note_absence("s1", ["site 2", "site 3"], NOW + 4 * HOUR))
    assert (await state_of(store, "site 2")).gone_at is None


@pytest.mark.parametrize(
    ("next_check_at", "last_checked_at", "due"),
    [
        (None, None, True),
        (NOW - HOUR, NOW - 2 * HOUR, True),
        (NOW + HOUR, NOW - HOUR, False),
        (NOW + timedelta(days=100), NOW - HOUR, True),  # planned by a wrong clock
        (NOW + HOUR, NOW + 10 * HOUR, True),  # checked by a wrong clock
    ],
)
async def test_what_is_due_survives_a_clock_that_was_wrong(
    store: Store, next_check_at: datetime | None, last_checked_at: datetime | None, *, due: bool
) -> None:
    told = subscription(next_check_at=next_check_at, last_checked_at=last_checked_at)
    await store.write(lambda tx: tx.insert_subscription(told))

    assert bool(await store.read(lambda tx: tx.due_subscriptions(NOW, 10))) is due


async def test_a_request_waits_until_it_is_answered_once(store: Store) -> None:
    request = SubscriptionRequest(
        id=1,
        subscription=subscription(),
        dry_run=False,
        session_id="default",
        request_id="r1",
        response_topic="answers",
        correlation=b"\x01",
        login="ann:secret",
    )
    await store.write(lambda tx: tx.add_subscription_request(request, NOW))

    assert await store.read(lambda tx: tx.subscription_requests()) == [request]
    assert await store.read(lambda tx: tx.count_subscriptions()) == 1
    assert await store.write(lambda tx: tx.end_subscription_request(1))
    assert not await store.write(lambda tx: tx.end_subscription_request(1))


async def test_a_stopped_site_is_remembered_until_it_answers(store: Store) -> None:
    stop = SiteStop("videos.example", 2, NOW + HOUR)
    await store.write(lambda tx: tx.stop_site(stop))

    assert await store.read(lambda tx: tx.site_stops()) == {"videos.example": stop}
    await store.write(lambda tx: tx.forget_site_stop("videos.example"))
    assert not await store.read(lambda tx: tx.site_stops())
