"""One library and one Kodi for all tests here; the library is scanned once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kodi.tree import Kept, build, materials
from tests.support.broker import Client, Mosquitto
from tests.support.kodi import Kodi
from tests.support.server import MediaServer
from tests.support.service import Service

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
def downloaded(
    tmp_path_factory: pytest.TempPathFactory, media_folder: Path
) -> tuple[Path, list[dict[str, Any]]]:
    """Return the volume of a real service that has downloaded some episodes, and its titles."""
    folder = tmp_path_factory.mktemp("downloaded")
    media = MediaServer(media_folder).start()
    broker = Mosquitto(folder / "broker").start()
    client = Client(broker.port)
    service = Service(folder, broker.port, LIBRARY__ENABLED="true").start()
    try:
        for number in range(1, 4):
            job_id = client.download(media.text(f"{number}.html", page(number, media)))
            job = client.wait_status(job_id, "completed", "failed", timeout=60)
            assert (job["status"], job["warning"]) == ("completed", None), service.log
        return service.root, client.request("titles")["titles"]
    finally:
        service.stop()
        client.close()
        broker.stop()
        media.stop()


def page(number: int, media: MediaServer) -> str:
    """Return a page that describes an episode as schema.org does."""
    # Each film is another one: the library would ask about a second one of the same content.
    filling = (8 + number).to_bytes(4, "big") + b"free" + bytes(number)
    film = (media.media / "video.mp4").read_bytes() + filling
    episode = {
        "@context": "https://schema.org",
        "@type": "TVEpisode",
        "name": f"Low & <tide> {number} 🌊",
        "episodeNumber": number,
        "partOfSeason": {"@type": "TVSeason", "seasonNumber": 2},
        "partOfSeries": {"@type": "TVSeries", "name": "Ebb & <flow>"},
        "video": {
            "@type": "VideoObject",
            "name": f"Low & <tide> {number} 🌊",
            "contentUrl": media.text(f"{number}.mp4", film),
            "thumbnailUrl": media.url("/media/cover.png"),
            "description": "A long text & <more>.\n" * 40,
            "uploadDate": f"2026-01-0{number}T12:00:00Z",
            "duration": "PT6S",
        },
    }
    data = json.dumps(episode).replace("<", "\\u003c")
    return f'<html><script type="application/ld+json">{data}</script><title>x</title></html>'


@pytest.fixture(scope="session")
def kodi(
    library: tuple[Path, list[Kept]],
    downloaded: tuple[Path, list[dict[str, Any]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kodi]:
    root, _ = library
    sources = {root / "Shows": "tvshows", root / "Movies": "movies", root / "Videos": "movies"}
    sources[downloaded[0] / "Shows"] = "tvshows"
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
        return {
            item["file"].removeprefix(f"{root}/").rstrip("/"): item
            for item in found
            if item["file"].startswith(f"{root}/")
        }

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
        kodi.call("VideoLibrary.GetSeasons", properties=["season", "art", "showtitle"])["seasons"],
    )
