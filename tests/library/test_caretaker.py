"""The daily look at a large library: every title is looked at, and nobody waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from mediarip_mqtt import threads
from mediarip_mqtt.contract.content import ContentType
from mediarip_mqtt.contract.titles import Show, TitleState
from mediarip_mqtt.library.caretaker import Caretaker
from mediarip_mqtt.library.missing import MissingLook
from mediarip_mqtt.library.title_retention import TitleRetention
from mediarip_mqtt.library.watched import Played, find_played
from mediarip_mqtt.store import Tx
from tests.library.conftest import NewShelf
from tests.support.library import BEGIN, Shelf

FEW, MANY = 500, 10_000
BEAT = 0.005  # seconds


@dataclass
class Took:
    """How long a daily look took, and how long it ever held the event loop."""

    seconds: float
    longest_hold: float


def name(number: int) -> str:
    return f"Shows/Tides/Season {number // 1000:02}/Tides - {number}.mp4"


async def fill(shelf: Shelf, first: int, last: int) -> None:
    """Add completed titles with files; the triggers would take minutes for 100,000."""
    if not first:
        show = Show(
            id="s1", content_type=ContentType.TV, name="Tides", folder="Tides", created_at=BEGIN
        )
        await shelf.store.write(
            lambda tx: tx.insert_show(show, name_key="tides", folder_key="tides")
        )
    await threads.call(_fill, shelf.root, first, last)


def _fill(root: Path, first: int, last: int) -> None:
    for number in range(first, last):
        path = root / name(number)
        if not number % 1000 or number == first:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with closing(sqlite3.connect(root / ".mediarip" / "store.db")) as connection, connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'titles'"
        ).fetchall()
        for trigger, _ in triggers:
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.executemany(
            "INSERT INTO titles (number, id, session_id, show_id, season, episode, title, slug, "
            "content_type, state, extractor, source_id, channel, created_at, filesize) VALUES "
            "(?, ?, 'default', 's1', ?, ?, ?, ?, 'tv', 'completed', 'Youtube', ?, 'Harbour TV', "
            "'2026-02-28T12:00:00.000Z', 0)",
            [
                (n + 1, f"0199-t{n:06d}", n // 1000, n % 1000, f"Tide {n}", f"tide-{n}", f"id{n}")
                for n in range(first, last)
            ],
        )
        connection.executemany(
            "INSERT INTO files (title_id, filename, filesize, main) VALUES (?, ?, 0, 1)",
            [(f"0199-t{n:06d}", name(n)) for n in range(first, last)],
        )
        for _, sql in triggers:
            connection.execute(sql)


async def look(shelf: Shelf) -> Took:
    caretaker = Caretaker(
        TitleRetention(shelf.store, shelf.catalogue, shelf.root),
        MissingLook(shelf.store, shelf.catalogue, shelf.root),
    )
    holds = [0.0]

    async def beat() -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(BEAT)
            holds.append(time.monotonic() - begin - BEAT)

    beating = asyncio.create_task(beat(), name="beat")
    begin = time.monotonic()
    await caretaker.look_after()
    took = Took(time.monotonic() - begin, max(holds))
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    return took


@pytest.fixture
def shelf(new_shelf: NewShelf) -> Shelf:
    rule = {"match": {"channel": "harbour*"}, "content_type": "tv", "keep_days": 300}
    return new_shelf(keep_last=1_000_000, rules=[rule])


async def test_twenty_times_the_titles_take_about_as_many_times_as_long(shelf: Shelf) -> None:
    await fill(shelf, 0, FEW)
    few = min([await look(shelf) for _ in range(3)], key=lambda took: took.seconds)
    await fill(shelf, FEW, MANY)
    many = await look(shelf)
    assert many.seconds < 3 * MANY / FEW * (few.seconds + 0.01)
    assert many.longest_hold < many.seconds / 4
    (shelf.root / name(MANY - 1)).unlink()
    (shelf.root / name(7)).rename(shelf.root / "Shows" / "moved.mp4")
    for _ in range(2):
        shelf.clock.advance(86400)
        await look(shelf)
    titles = await shelf.store.read(lambda tx: tx.titles_in({TitleState.MISSING}, 10))
    assert [title.title for title in titles] == [f"Tide {7}", f"Tide {MANY - 1}"]


async def test_what_is_played_is_found_as_fast_among_many(shelf: Shelf) -> None:
    said = (
        Played(show="TIDES", season=0, episode=400),
        Played(title="tide 400"),
        Played(title="Tide 400 (2019)"),
        Played(title="unknown"),
    )
    await fill(shelf, 0, FEW)
    few = [await _seconds(shelf, played) for played in said]
    await fill(shelf, FEW, MANY)
    many = [await _seconds(shelf, played) for played in said]
    assert all(late < 5 * early + 0.0005 for early, late in zip(few, many, strict=True))


async def _seconds(shelf: Shelf, played: Played) -> float:
    def timed(tx: Tx) -> float:
        begin = time.perf_counter()
        find_played(tx, played)
        return time.perf_counter() - begin

    return min([await shelf.store.read(timed) for _ in range(15)])
