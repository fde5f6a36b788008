"""What a media player says of what it plays, and which title it means."""

from __future__ import annotations

from typing import Any

import pytest

from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.library.archive import archive
from mediarip_mqtt.library.watched import Played, find_played, watch
from mediarip_mqtt.store import Tx
from tests.support.library import Shelf


async def put(shelf: Shelf, name: str, **library: Any) -> Title:
    job = await shelf.download(name, by_library=library, id=library.pop("id", name))
    return await shelf.title(job)


async def meant(shelf: Shelf, **said: Any) -> Title | None:
    return await shelf.store.read(lambda tx: find_played(tx, Played(**said)))


@pytest.fixture
async def tides(shelf: Shelf) -> list[Title]:
    numbers = {"show": "Tides", "season": 1}
    return [
        await put(shelf, "Low tide", **numbers, episode=1),
        await put(shelf, "High tide", **numbers, episode=2),
        await put(shelf, "Low tide", show="Storms", season=1, episode=1),
    ]


@pytest.fixture
async def film(shelf: Shelf) -> Title:
    return await put(shelf, "The Sea", content_type="movie", year=2019)


@pytest.mark.parametrize(
    "said",
    [
        {"show": "Tides", "season": 1, "episode": 1},
        {"show": "TIDES", "season": 1, "episode": 1, "title": "Something else"},
        {"show": "Tides (2019)", "season": 1, "episode": 1},
        {"show": "tides", "title": "low TIDE"},
        {"show": "Tides", "season": 1, "episode": 1, "title": "Low tide", "position": 5.0},
    ],
    ids=str,
)
async def test_an_episode_is_found(shelf: Shelf, tides: list[Title], said: dict[str, Any]) -> None:
    assert await meant(shelf, **said) == tides[0]


@pytest.mark.parametrize(
    "said",
    [
        {"title": "The Sea (2019)"},
        {"title": "the sea", "year": 2019},
        {"title": "THE SEA"},
        {"title": "The Sea [The Sea]"},
    ],
    ids=str,
)
async def test_a_movie_is_found(shelf: Shelf, film: Title, said: dict[str, Any]) -> None:
    assert await meant(shelf, **said) == film


@pytest.mark.parametrize(
    "said",
    [
        {"title": "The Sea (2020)"},
        {"title": "The"},
        {"title": "%"},
        {"title": "(2019)"},
        {"show": "The Sea", "title": "The Sea"},
        {"show": "Tides", "season": 1, "episode": 9},
        {"show": "Tides", "season": 2, "episode": 1},
        {"title": "Low tide"},  # of which show?
    ],
    ids=str,
)
async def test_what_is_unknown_or_not_sure_is_not_guessed(
    shelf: Shelf, film: Title, tides: list[Title], said: dict[str, Any]
) -> None:
    del film, tides
    assert await meant(shelf, **said) is None


async def test_a_title_that_ends_in_a_year_is_found(shelf: Shelf) -> None:
    title = await put(shelf, "Harvest (2018)", content_type="other")
    assert await meant(shelf, title="Harvest (2018)") == title


async def test_of_two_films_of_one_name_the_year_decides(shelf: Shelf, film: Title) -> None:
    other = await put(shelf, "The Sea", content_type="movie", year=2001, id="x9")
    assert await meant(shelf, title="The Sea (2001)") == other
    assert await meant(shelf, title="The Sea (2019)") == film
    assert await meant(shelf, title="The Sea") is None


async def test_an_archived_title_is_not_what_a_player_plays(shelf: Shelf, film: Title) -> None:
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, film))
    assert await meant(shelf, title="The Sea (2019)") is None


async def test_a_title_is_watched_from_nine_tenths_on_and_only_once(
    shelf: Shelf, film: Title
) -> None:
    def play(tx: Tx, position: float, *, watched: bool | None = None) -> Title:
        title = tx.title(film.id)
        assert title is not None
        played = Played(position=position, duration=1000.0)
        return watch(tx, title, played, shelf.clock(), watched=watched)

    assert (await shelf.store.write(lambda tx: play(tx, 899.0))).watched_at is None
    first = shelf.clock()
    assert (await shelf.store.write(lambda tx: play(tx, 900.0))).watched_at == first
    shelf.clock.advance(60)
    assert (await shelf.store.write(lambda tx: play(tx, 1000.0))).watched_at == first
    assert (await shelf.events()).count("watched") == 1
    assert (await shelf.store.write(lambda tx: play(tx, 0.0, watched=False))).watched_at is None
    assert (await shelf.store.write(lambda tx: play(tx, 0.0, watched=True))).watched_at
