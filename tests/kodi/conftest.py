"""One library and one Kodi for all tests here; the library is scanned once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kodi.tree import Kept, build, materials
from tests.support.kodi import Kodi

EPISODE = ("title", "showtitle", "season", "episode", "firstaired", "plot", "uniqueid", "art")
MOVIE = ("title", "year", "premiered", "plot", "uniqueid", "art", "tag")
SONG = ("title", "artist", "albumartist", "album", "track", "year", "genre", "art")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "kodi" in item.path.parts:
            item.add_marker(pytest.mark.kodi)
            item.add_marker(pytest.mark.timeout(400))


@dataclass(frozen=True)
class Scanned:
    """The library as the store has it, and as Kodi has it: items by their file or folder."""

    root: Path
    kept: list[Kept]
    episodes: dict[str, dict[str, Any]]
    movies: dict[str, dict[str, Any]]
    songs: dict[str, dict[str, Any]]
    shows: dict[str, dict[str, Any]]
    seasons: list[dict[str, Any]]

    def of(self, *types: str) -> list[Kept]:
        return [one for one in self.kept if one.title.content_type in types]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Kept]]:
    folder = tmp_path_factory.mktemp("library")
    made = materials(folder / "materials")
    (folder / "volume").mkdir()
    return folder / "volume", asyncio.run(build(folder / "volume", made))


@pytest.fixture(scope="session")
def kodi(
    library: tuple[Path, list[Kept]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kodi]:
    root, _ = library
    sources = {root / "Shows": "tvshows", root / "Movies": "movies", root / "Videos": "movies"}
    kodi = Kodi(tmp_path_factory.mktemp("kodi"), sources)
    try:
        kodi.start()
        kodi.scan()
        kodi.scan(root / "Music")
        kodi.scan(root / "Podcasts")
        yield kodi
    finally:
        kodi.stop()


@pytest.fixture(scope="session")
def scanned(library: tuple[Path, list[Kept]], kodi: Kodi) -> Scanned:
    root, kept = library

    def items(method: str, key: str, properties: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        found = kodi.call(method, properties=[*properties, "file"]).get(key, [])
        return {item["file"].removeprefix(f"{root}/").rstrip("/"): item for item in found}

    return Scanned(
        root,
        kept,
        items("VideoLibrary.GetEpisodes", "episodes", (*EPISODE, "runtime")),
        items("VideoLibrary.GetMovies", "movies", MOVIE),
        items("AudioLibrary.GetSongs", "songs", SONG),
        items(
            "VideoLibrary.GetTVShows",
            "tvshows",
            ("title", "premiered", "uniqueid", "art", "episode", "studio"),
        ),
        kodi.call("VideoLibrary.GetSeasons", properties=["season", "title", "art", "showtitle"])[
            "seasons"
        ],
    )
