"""Imported subscriptions go on where the other program was: nothing twice, and nothing missed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.subscription_models import Subscription
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions import following
from mediarip_mqtt.subscriptions.subscription_import import RecordResult, SubscriptionImport
from mediarip_mqtt.subscriptions.subscription_records import SubscriptionRecord
from tests.support.simulated_site import Page, Site, Station

DAY = timedelta(days=1)


async def taken(station: Station, *records: dict[str, Any], dry_run: bool = False) -> Any:
    models = [SubscriptionRecord.model_validate(each) for each in records]
    importing = SubscriptionImport(station.following, station.settings, "default", dry_run=dry_run)
    return await station.store.write(lambda tx: importing.take(tx, models))


async def only(station: Station) -> Subscription:
    (found,) = await station.store.read(Tx.subscriptions)
    return found


def known(page: Page, *, state: str = "done", first: int = 0, last: int = 100) -> list[Any]:
    return [
        {"item_key": item.key, "title": item.title, "state": state}
        for item in page.items[first:last]
    ]


async def test_what_the_other_program_had_not_is_downloaded(station: Station, site: Site) -> None:
    page = site.page("one")
    for _ in range(30):
        site.publish(page, "Item")
        station.time.passed += DAY
    missing = page.items[28:]
    record = {"url": page.url, "name": "One", "items": known(page, last=28)}
    (result,) = await taken(station, record)
    assert (result.result, result.items) == ("new", 28)
    await station.pass_time(minutes=15)

    jobs = await station.waiting_jobs()
    assert {job.url for job in jobs} == {item.url for item in missing}
    followed = await only(station)
    assert followed.counts == {"done": 28, "queued": 2}
    # What the list tells fills in what the import did not know.
    items = await station.store.read(lambda tx: tx.items_in(followed.id, limit=100))
    assert {item.url for item in items} == {item.url for item in page.items}


async def test_without_known_items_all_that_is_there_stays(station: Station, site: Site) -> None:
    page = site.page("one")
    site.publish(page, "Item")
    await taken(station, {"url": page.url, "name": "One"})
    await station.pass_time(minutes=15)
    assert await station.waiting_jobs() == []
    assert (await only(station)).counts == {"baseline": 1}


async def test_a_partial_import_of_a_channel_does_not_take_what_is_older(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    for _ in range(100):
        site.publish(page, "Item")
        station.time.passed += DAY
    record = {"url": page.url, "items": known(page, state="baseline", first=70), "partial": True}
    new = site.publish(page, "New")
    await taken(station, record)
    await station.pass_time(minutes=15)
    await station.pass_time(days=2)
    assert [job.url for job in await station.waiting_jobs()] == [new.url]


async def test_no_check_begins_before_all_records_are_there(station: Station, site: Site) -> None:
    page = site.page("one")
    for _ in range(10):
        site.publish(page, "Item")
    first = {"url": page.url, "items": known(page, last=5), "complete": False}
    await taken(station, first)
    await station.pass_time(hours=1)
    assert page.asked == []
    rest = {"url": page.url, "items": known(page, first=5), "first_rank": 6}
    (result,) = await taken(station, rest)
    assert (result.result, result.items) == ("known", 5)
    await station.pass_time(minutes=15)
    assert await station.waiting_jobs() == []
    ranks = await station.store.read(lambda tx: tx.items_in(tx.subscriptions()[0].id, limit=20))
    assert [item.rank for item in ranks] == list(range(10, 0, -1))


async def test_the_same_import_again_changes_nothing(station: Station, site: Site) -> None:
    page = site.page("one")
    site.publish(page, "Item")
    record = {"url": page.url, "name": "One", "items": known(page), "duration_min": 5}
    await taken(station, record)
    before = await only(station)
    (again,) = await taken(station, record | {"name": "Two", "duration_min": 9})
    assert (again.result, again.items, again.subscription_id) == ("known", 0, before.id)
    after = await only(station)
    assert (after.name, after.duration_min, after.counts) == ("One", 5, {"done": 1})


async def test_an_archive_makes_known_items_done_and_ends_no_job(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    for _ in range(3):
        site.publish(page, "Item")
        station.time.passed += DAY
    await station.follow(page, backfill=1)
    await station.look()
    (result,) = await taken(station, {"url": page.url, "items": known(page)})
    assert (result.result, result.items) == ("known", 2)
    assert (await only(station)).counts == {"done": 2, "queued": 1}


async def test_a_dry_run_says_the_same_and_writes_nothing(station: Station, site: Site) -> None:
    page = site.page("one")
    site.publish(page, "Item")
    record = {"url": page.url, "items": known(page)}
    (preview,) = await taken(station, record, dry_run=True)
    assert await station.store.read(Tx.subscriptions) == []
    (real,) = await taken(station, record)
    assert (preview.result, preview.items) == (real.result, real.items)


async def test_what_can_t_be_followed_is_refused_by_itself(
    station: Station, site: Site, monkeypatch: Any
) -> None:
    page = site.page("one")
    bad: list[RecordResult] = await taken(
        station,
        {"url": "file:///etc/passwd"},
        {"url": "http://user:secret@127.0.0.1/"},
        {"url": page.url},
    )
    assert [each.result for each in bad] == ["refused", "refused", "new"]
    assert bad[0].code is ErrorCode.INVALID_URL
    assert bad[1].code is ErrorCode.BLOCKED_ADDRESS
    assert "secret" not in str(bad)
    monkeypatch.setattr(following, "MAX_SUBSCRIPTIONS", 1)
    (full,) = await taken(station, {"url": "https://two.example/"})
    assert full.code is ErrorCode.TOO_MANY_SUBSCRIPTIONS


async def test_an_imported_item_has_no_url_that_download_would_refuse(
    station: Station, site: Site
) -> None:
    page = site.page("one")
    items = [
        {"item_key": "a", "url": "https://anna:secret@films.example/a"},
        {"item_key": "b", "url": "http://192.168.1.1/b"},
        {"item_key": "c", "url": "file:///etc/passwd"},
    ]
    await taken(station, {"url": page.url, "items": items})
    followed = await only(station)
    kept = await station.store.read(lambda tx: tx.items_in(followed.id, limit=10))
    assert {item.item_key: item.url for item in kept} == {
        "a": "https://films.example/a",
        "b": page.url,
        "c": page.url,
    }
