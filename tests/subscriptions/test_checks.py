"""What checks find: new items once, in order, and none that was there before or is not wanted."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.models import JobStatus, Priority
from mediarip_mqtt.contract.subscription_models import ItemState, Subscription
from mediarip_mqtt.store import SubscriptionRequest, Tx
from mediarip_mqtt.subscriptions.following import Found
from tests.support.simulated_site import Killed, Site, Station, Time, killed_at

HOUR = timedelta(hours=1)


async def test_what_was_there_stays_and_what_is_new_is_downloaded(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    old = site.publish(page, "Old")
    followed = await station.follow(page)
    await station.look()
    assert not await station.waiting_jobs()

    new = site.publish(page, "New")
    await station.pass_time(days=1)

    assert [job.url for job in await station.waiting_jobs()] == [new.url]
    assert await station.states(followed.id) == {old.title: "baseline", new.title: "queued"}
    assert (await station.subscription(followed.id)).last_new == new.title


async def test_backfill_takes_the_newest_and_does_not_delay_others(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    for _ in range(30):
        site.publish(page, "Old")
        station.time.passed += HOUR
    followed = await station.follow(page, backfill=3)
    await station.look()

    jobs = await station.waiting_jobs()
    assert [job.url for job in jobs] == [item.url for item in page.items[:-4:-1]]
    assert {job.priority for job in jobs} == {Priority.LOW}
    counts = (await station.subscription(followed.id)).counts
    assert counts == {ItemState.QUEUED: 3, ItemState.BASELINE: 27}


async def test_few_of_a_large_backfill_wait_at_once(station: Station, site: Site) -> None:
    page = site.page("one")
    for _ in range(50):
        site.publish(page, "Old")
    followed = await station.follow(page, backfill="all", sort="oldest")
    await station.look()

    taken = []
    for expected in (20, 20, 10, 0):
        jobs = await station.waiting_jobs()
        assert len(jobs) == expected
        taken += await station.end_jobs()
        await station.look()

    assert taken == [item.url for item in page.items]
    assert (await station.subscription(followed.id)).counts == {ItemState.DONE: 50}


async def test_an_item_that_appears_in_two_lists_is_downloaded_once(
    station: Station, site: Site
) -> None:
    channel, playlist = site.page("one"), site.page("two", appends=True)
    item = site.publish(channel, "Film")
    playlist.items.append(item)
    for page in (channel, playlist):
        await station.follow(page, backfill="all")
    await station.look()
    await station.pass_time(minutes=10)

    assert len(await station.waiting_jobs()) == 1
    await station.end_jobs()
    for followed in await station.store.read(Tx.subscriptions):
        assert followed.counts == {ItemState.DONE: 1}


async def test_filters_say_why_and_judge_again_when_they_change(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    followed = await station.follow(page, title_exclude="*trailer*", duration_min=60)
    await station.look()
    site.publish(page, "Trailer", duration=120)
    site.publish(page, "Short", duration=30)
    site.publish(page, "Film", duration=120)
    await station.pass_time(days=1)
    assert [job.title for job in await station.waiting_jobs()] == ["Film 3"]
    items = await station.store.read(lambda tx: tx.items_in(followed.id, (ItemState.FILTERED,)))
    assert {item.title: item.reason for item in items} == {
        "Trailer 1": "title_exclude",
        "Short 2": "duration_min",
    }

    current = await station.subscription(followed.id)
    await station.store.write(
        lambda tx: station.following.change(tx, current, {"duration_min": None})
    )

    assert {job.title for job in await station.waiting_jobs()} == {"Film 3", "Short 2"}


async def test_what_only_the_page_tells_is_left_out_then_and_its_job_is_gone(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    followed = await station.follow(page, duration_max=60)
    await station.look()
    site.publish(page, "Film")
    await station.pass_time(days=1)
    (job,) = await station.waiting_jobs()

    rejects = station.following.rejects
    assert not await station.store.write(lambda tx: rejects(tx, job, {"duration": 50}))
    assert await station.store.write(lambda tx: rejects(tx, job, {"duration": 90}))

    assert not await station.waiting_jobs()
    (item,) = await station.store.read(lambda tx: tx.items_in(followed.id))
    assert (item.state, item.reason) == (ItemState.FILTERED, "duration_max")


async def test_never_more_than_keep_last_are_downloaded(station: Station, site: Site) -> None:
    page = site.page("one")
    for _ in range(10):
        site.publish(page, "Old")
        station.time.passed += HOUR
    followed = await station.follow(page, backfill="all", keep_last=3)
    await station.look()

    assert [job.url for job in await station.waiting_jobs()] == [
        item.url for item in page.items[:-4:-1]
    ]
    counts = (await station.subscription(followed.id)).counts
    assert counts == {ItemState.QUEUED: 3, ItemState.EXPIRED: 7}


async def test_retention_removes_the_oldest_and_remembers_it(station: Station, site: Site) -> None:
    page = site.page("one")
    followed = await station.follow(page, keep_last=2)
    await station.look()
    urls = []
    for _ in range(4):
        site.publish(page, "Film")
        await station.pass_time(days=1)
        urls += await station.end_jobs()
        await station.pass_time(hours=1)

    assert len(urls) == 4
    counts = (await station.subscription(followed.id)).counts
    assert counts == {ItemState.DONE: 2, ItemState.EXPIRED: 2}
    left = await station.store.read(lambda tx: tx.jobs(statuses={JobStatus.COMPLETED}))
    assert {job.url for job in left} == set(urls[2:])


async def test_a_stream_that_has_not_begun_is_taken_once_it_is_over(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    followed = await station.follow(page, interval=3600)
    await station.look()
    item = site.publish(page, "Stream", live_status="is_upcoming")
    await station.pass_time(hours=2)
    assert await station.states(followed.id) == {item.title: "waiting"}

    page.items[-1] = item.model_copy(update={"live_status": "was_live"})
    await station.pass_time(hours=2)

    assert [job.url for job in await station.waiting_jobs()] == [item.url]


async def test_a_failed_item_is_tried_again_at_times_of_its_own(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    followed = await station.follow(page)
    await station.look()
    site.publish(page, "Film")
    await station.pass_time(days=1)

    for hours in (1, 6, 24, 72, 168):
        await station.end_jobs(JobStatus.FAILED)
        await station.pass_time(hours=hours * 0.9)
        assert not await station.waiting_jobs()
        await station.pass_time(hours=hours * 0.2)
        assert len(await station.waiting_jobs()) == 1
    await station.end_jobs(JobStatus.FAILED)
    await station.pass_time(days=30)

    assert not await station.waiting_jobs()
    assert (await station.subscription(followed.id)).counts == {ItemState.FAILED: 1}


async def test_a_feed_that_fails_for_weeks_hides_nothing(station: Station, site: Site) -> None:
    page = site.page("one", feed=True)
    await station.follow(page)
    await station.look()
    page.feed_fault = ErrorCode.NOT_FOUND

    urls = []
    for _ in range(21):
        site.publish(page, "Film")
        for _ in range(8):
            await station.pass_time(hours=3)
        urls += await station.end_jobs()

    assert urls == [item.url for item in page.items]


async def test_an_empty_or_halved_list_changes_nothing(station: Station, site: Site) -> None:
    page = site.page("one", appends=True)
    followed = await station.follow(page, backfill="all")
    for _ in range(10):
        site.publish(page, "Film")
    await station.look()
    await station.end_jobs()

    for hidden in (page.items, page.items[:6]):
        page.hidden = {item.key for item in hidden}
        for _ in range(4):
            await station.pass_time(days=1)
        items = await station.store.read(lambda tx: tx.items_in(followed.id))
        assert not [item for item in items if item.gone_at]


async def test_an_item_has_disappeared_after_two_whole_lists(station: Station, site: Site) -> None:
    page = site.page("one", appends=True)
    followed = await station.follow(page, backfill="all", interval=43_200)
    for _ in range(4):
        site.publish(page, "Film")
    await station.look()
    page.hidden = {page.items[0].key}

    gone = []
    for _ in range(2):
        await station.pass_time(hours=15)
        items = await station.store.read(lambda tx: tx.items_in(followed.id))
        gone.append(sum(item.gone_at is not None for item in items))

    assert gone == [0, 1]


@pytest.mark.parametrize("point", ["list-read", "items-known", "items-queued"])
async def test_a_kill_anywhere_queues_nothing_twice_and_loses_nothing(
    point: str, station: Station, site: Site
) -> None:
    page = site.page("one")
    site.publish(page, "Old")
    followed = await station.follow(page, backfill=1)
    with killed_at(point):
        await _ended_by_kill(station)
    await station.restart()
    await station.look()
    new = site.publish(page, "New")
    with killed_at(point):
        station.time.passed += timedelta(days=1)
        await _ended_by_kill(station)
    await station.restart()
    await station.pass_time(minutes=10)

    assert [job.url for job in await station.waiting_jobs()] == [item.url for item in page.items]
    assert await station.states(followed.id) == {"Old 1": "queued", new.title: "queued"}


async def _ended_by_kill(station: Station) -> None:
    task = asyncio.ensure_future(station.look())
    await asyncio.wait({task})
    error = task.exception()
    assert isinstance(error, Killed | BaseExceptionGroup)


@pytest.mark.parametrize("due", ["check", "queue"])
async def test_a_preset_that_is_gone_fails_one_subscription_and_not_every_second(
    station: Station, site: Site, due: str
) -> None:
    station.settings.downloads.presets["mine"] = {"quality": "720p"}
    page, other = site.page("one"), site.page("two")
    broken = await station.follow(page, wanted={"preset": "mine"})
    followed = await station.follow(other)
    await station.look()
    await station.pass_time(minutes=15)
    if due == "queue":
        site.publish(page, "Many")
        for _ in range(25):
            site.publish(other, "Many")
        await station.pass_time(days=1)
    del station.settings.downloads.presets["mine"]
    site.publish(page, "New")
    new = site.publish(other, "New")
    await station.end_jobs()
    await station.pass_time(days=1)
    asked = len(page.asked)
    for _ in range(10):
        await station.pass_time(seconds=1)

    assert len(page.asked) == asked
    failed = await station.subscription(broken.id)
    assert failed.error_code == ErrorCode.UNKNOWN_PRESET
    assert (await station.states(followed.id))[str(new.title)] == "queued"


async def test_a_source_that_is_asked_for_twice_is_followed_once(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    site.publish(page, "Old")
    for number in (1, 2):
        values = {"id": f"0199{number}", "session_id": "default", "name": "", "url": page.url}
        one = Subscription.model_validate({**values, "created_at": station.time.now()})
        request = SubscriptionRequest(0, one, False, "default", None, None, None)  # noqa: FBT003 - a row
        await station.store.write(partial(ask, request=request, now=station.time.now()))
    await station.look()
    (followed,) = await station.store.read(Tx.subscriptions)
    assert {each.subscription.id for each in station.answers if isinstance(each, Found)} == {
        followed.id
    }
    assert len(station.answers) == 2


def ask(tx: Tx, request: SubscriptionRequest, now: datetime) -> None:
    tx.add_subscription_request(request, now)


async def test_one_isolated_sessions_slow_lists_leave_room_for_others(
    tmp_path: Path, site: Site, time: Time
) -> None:
    station = await Station(tmp_path, site, time, session={"mode": "isolated"}).open()
    await station.look()
    slow = [site.page(f"slow{number}") for number in range(3)]
    other = site.page("other")
    for page in (*slow, other):
        await station.follow(page, session_id="bob" if page is other else "anna")
    async with asyncio.TaskGroup() as group:
        await station.checker.look(group)
    assert sum(bool(page.asked) for page in slow) == 1
    assert other.asked
    await station.close()
