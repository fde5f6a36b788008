"""Titles go when their time is over, by the rule that is for them, and never against `keep`."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest

from mediarip_mqtt.contract.subscription_models import ItemState, Subscription, SubscriptionItem
from mediarip_mqtt.contract.titles import Title, TitleState
from mediarip_mqtt.library.archive import archive, restore
from mediarip_mqtt.library.title_retention import Policy, TitleRetention
from mediarip_mqtt.store import Tx
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, Shelf

DAY = 86400
GONE = [TitleState.ARCHIVED]


async def fill(shelf: Shelf, count: int = 4, **fields: Any) -> list[Title]:
    """Download episodes, one a day, the oldest first."""
    titles = []
    for number in range(1, count + 1):
        values = {**CHANNEL, "id": f"x{number}", "upload_date": f"202601{number:02}", **fields}
        job = await shelf.download(f"tide {number}", **values)
        titles.append(await shelf.title(job))
        shelf.clock.advance(DAY)
    return titles


async def change(shelf: Shelf, title: Title, **columns: Any) -> None:
    await shelf.store.write(lambda tx: tx.update_title(title.id, **columns))


async def apply(shelf: Shelf, **given: Any) -> int:
    retention = TitleRetention(shelf.store, shelf.catalogue, shelf.root, **given)
    count = await retention.apply()
    await shelf.organizer.work()
    return count


async def left(shelf: Shelf) -> list[str]:
    """Return the titles that are still there, the oldest first."""
    titles = [one for one in await shelf.titles() if one.state is TitleState.COMPLETED]
    assert len(shelf.files()) == len(titles)
    return [one.title for one in reversed(titles)]


async def test_without_a_limit_nothing_goes(shelf: Shelf) -> None:
    await fill(shelf)
    shelf.clock.advance(1000 * DAY)
    assert await apply(shelf) == 0
    assert len(await left(shelf)) == 4


async def test_the_newest_of_each_show_stay(new_shelf: NewShelf) -> None:
    shelf = new_shelf(keep_last=2)
    await fill(shelf)
    await fill(shelf, 1, channel="Mountain TV", channel_id="UC2", id="y1")
    assert await apply(shelf) == 2
    assert await left(shelf) == ["tide 3", "tide 4", "tide 1"]
    assert (await shelf.events()).count("archived") == 2


async def test_titles_go_some_days_after_they_were_downloaded(new_shelf: NewShelf) -> None:
    shelf = new_shelf(keep_days=3)
    await fill(shelf)
    await apply(shelf)
    assert await left(shelf) == ["tide 3", "tide 4"]


async def test_watched_titles_go_some_days_later_and_unwatched_ones_stay(
    new_shelf: NewShelf,
) -> None:
    shelf = new_shelf(after_watched_days=2, keep_unwatched=True, keep_last=1)
    titles = await fill(shelf)
    moment = shelf.clock()
    for title in (titles[0], titles[3]):
        await change(shelf, title, watched_at=moment)
    await apply(shelf)
    assert await left(shelf) == ["tide 2", "tide 3", "tide 4"]  # the first is one too many
    shelf.clock.advance(2 * DAY)
    await apply(shelf)
    assert await left(shelf) == ["tide 2", "tide 3"]


async def test_kept_titles_stay_and_are_not_counted(new_shelf: NewShelf) -> None:
    shelf = new_shelf(keep_last=1, keep_days=1)
    titles = await fill(shelf)
    await shelf.store.write(lambda tx: tx.update(str(titles[3].job_id), keep=True))
    await shelf.store.write(lambda tx: tx.update_title(titles[0].id, keep=True))
    await apply(shelf)
    assert await left(shelf) == ["tide 1", "tide 4"]


async def test_a_rule_counts_before_the_library_and_a_subscription_before_both(
    new_shelf: NewShelf,
) -> None:
    rule = {"match": {"channel": "harbour*"}, "content_type": "tv", "keep_last": 3}
    shelf = new_shelf(keep_last=1, rules=[rule])
    titles = await fill(shelf)
    await apply(shelf)
    assert await left(shelf) == ["tide 2", "tide 3", "tide 4"]
    for title in titles[1:]:
        await change(shelf, title, subscription_id="s1")
    await apply(shelf, subscriptions=lambda _: {"s1": Policy(keep_last=2)})
    assert await left(shelf) == ["tide 3", "tide 4"]


async def test_a_rule_for_a_playlist_counts_when_the_job_is_long_gone(
    new_shelf: NewShelf,
) -> None:
    rule = {"match": {"playlist": "Best of*"}, "content_type": "tv", "keep_days": 1}
    shelf = new_shelf(rules=[rule])
    titles = await fill(shelf, 1, playlist_title="Best of tides")
    job = await shelf.bench.job(str(titles[0].job_id))
    await shelf.store.write(lambda tx: tx.delete(job))
    await apply(shelf)
    assert await left(shelf) == []


async def test_titles_can_be_deleted_at_once(new_shelf: NewShelf) -> None:
    shelf = new_shelf(keep_days=1, retention_action="delete")
    (title,) = await fill(shelf, 1)
    await apply(shelf)
    assert await left(shelf) == []
    assert not (shelf.root / ".mediarip" / "archive").exists()
    known = await shelf.store.read(lambda tx: tx.title_of_source("Youtube", "x1"))
    assert known is not None
    assert (known.id, known.state) == (title.id, TitleState.DELETED)


async def test_a_replaced_medium_stays_and_so_does_its_title(new_shelf: NewShelf) -> None:
    shelf = new_shelf(keep_days=1)
    (title,) = await fill(shelf, 1)
    medium = shelf.root / str(title.organized_to)
    medium.unlink()
    medium.write_bytes(b"by a person")
    assert await apply(shelf) == 0
    assert await left(shelf) == ["tide 1"]


async def test_the_archive_is_emptied_after_its_days(new_shelf: NewShelf) -> None:
    shelf = new_shelf(archive_days=30)
    (title, other) = await fill(shelf, 2)
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, title))
    retention = TitleRetention(shelf.store, shelf.catalogue, shelf.root)
    shelf.clock.advance(40 * DAY)
    assert await retention.empty_archive() == 0  # its files are not there yet
    await shelf.organizer.work()
    assert await retention.empty_archive() == 1
    await shelf.organizer.work()
    assert not list((shelf.root / ".mediarip" / "archive").iterdir())
    states = {one.id: one.state for one in await shelf.titles()}
    assert states == {title.id: TitleState.DELETED, other.id: TitleState.COMPLETED}


@pytest.mark.parametrize("purged", [False, True])
async def test_what_has_gone_from_its_source_is_archived_once(
    shelf: Shelf,
    purged: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    titles = await fill(shelf, 3)
    now = shelf.clock()
    for number, title in enumerate(titles):
        # One source is archived with what goes, one keeps it; the third title is still there.
        one = Subscription(
            id=f"s{number}",
            session_id="default",
            name="Tides",
            url=f"https://e.com/{number}",
            created_at=now,
            on_removed="keep" if number == 1 else "archive",
        )
        item = SubscriptionItem(
            item_key=f"youtube {title.source_id}",
            rank=1,
            url=one.url,
            first_seen_at=now,
            state=ItemState.DONE,
            job_id=None if purged else title.job_id,
        )
        job_id = None if purged else title.job_id
        await change(shelf, title, subscription_id=one.id, job_id=job_id)
        await shelf.store.write(partial(insert, one=one, item=item))
        for _ in range(2 * (number < 2)):  # two whole lists without it
            await shelf.store.write(
                partial(Tx.note_absence, subscription_id=one.id, listed=["other"], now=now)
            )
    retention = TitleRetention(shelf.store, shelf.catalogue, shelf.root)
    assert await retention.archive_gone() == 1
    await shelf.organizer.work()
    assert await left(shelf) == ["tide 2", "tide 3"]
    back = await shelf.store.read(lambda tx: tx.title(titles[0].id))
    await shelf.store.write(lambda tx: restore(tx, shelf.catalogue, cast("Title", back)))
    await shelf.organizer.work()
    assert await retention.archive_gone() == 0
    assert await left(shelf) == ["tide 1", "tide 2", "tide 3"]


def insert(tx: Tx, one: Subscription, item: SubscriptionItem) -> None:
    tx.insert_subscription(one)
    tx.insert_items(one.id, [item])
