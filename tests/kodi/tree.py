"""A tree of titles of all kinds with hostile names, organized by the library's own code."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.titles import Show, Title
from mediarip_mqtt.store import TitleFilter, Tx
from tests.support.library import Shelf
from tests.support.stores import store_on_volume

# What sites have in titles, and what parsers of names stumble over.
HOSTILE: Final = (
    "Low tide",
    'What? A: B | C <D> "E" / F \\ G * H',
    "Salt & pepper; Tom's",
    "x S01E09 y",
    "[S01E09]",
    "x 1x07 y",
    "x 1×07 y",
    "x 2023-02-03 y",
    "E05 x",
    "Ep. 12",
    "part 2",
    "s1 e9",
    "S1E9-E10",
    "x - E10 - y",
    "24 hours",
    "1080p x264 BluRay REMUX-GROUP",
    "Season 3 Episode 4",
    "Folge 3 Staffel 2",
    "2001",
    "The Sea (1999) trailer",
    "🌊🏖️ 👩‍🚀",
    "潮汐と海 ～第１話～",
    "مد وجزر",
    "Ebbe und Flut – Ümläute ß",
    "e\u0301 combining a\u030a",
    "...",
    ".hidden",
    " - dash first",
    "CON",
    "trailing dots...",
    "../../etc/passwd",
    "%(title)s %s {0} $HOME `id`",
    "<title>not XML</title> &amp; ]]> <!-- x -->",
    "two\nlines\tand tabs",
    "\u202eright to left\u202c \u200bzero width",
    "long " * 80,
    "海" * 200,
    "🌊" * 120,
    "sample",
    "cd1",
    "Disc 2 Track 7",
)
SHOWS: Final = (
    "Harbour TV",
    "Tides & <Tales>",
    "24 heures / 7 jours",
    "Subs",
    "S01E02",
    "Ｗide：Ｎame？ 🌊",
    "2020",
)
ARTISTS: Final = ("Anna", "AC/DC", "Sigur Rós & 友だち")
ALBUMS: Final = ("Sea", "What? (Live)", "CD1")
PLOT: Final = 'One & <two>.\n\nÜmläut 🌊 "three" ]]> https://e.com/?a=1&b=2\nEnd.'


@dataclass(frozen=True)
class Kept:
    """A title as the store holds it, with its show and files."""

    title: Title
    show: Show | None
    files: dict[FileRole, list[str]]


async def build(root: Path, made: Mapping[str, bytes]) -> list[Kept]:
    """Download into a library below ``root``; return what the store has of it.

    ``made`` are a picture and media by their extensions.
    """
    async with store_on_volume(root) as store:
        shelf = Shelf(store, root, nfo=True, artwork=True)
        shelf.engine.thumbnail = "https://e.com/picture.jpg"
        shelf.engine.jpeg = made["jpg"]
        for number, page in enumerate(_pages()):
            shelf.engine.extension = page.pop("ext")
            shelf.engine.content = made[shelf.engine.extension]
            shelf.engine.fields = {}
            title = texts.clean(page.pop("title"), 300)  # as the engine does
            fields = {"id": f"id{number}", "plot": PLOT, "full_title": title, **page}
            job = await shelf.download("page", **fields)
            assert (job.status, job.warning) == (JobStatus.COMPLETED, None), (title, job)

        def read(tx: Tx) -> list[Kept]:
            kept = []
            for title in tx.titles(TitleFilter(), 1000):
                files: dict[FileRole, list[str]] = {}
                for file in tx.title_files(title.id):
                    files.setdefault(file.role, []).append(file.filename)
                show = tx.show(title.show_id) if title.show_id else None
                kept.append(Kept(title, show, files))
            return kept

        return await store.read(read)


def _pages() -> list[dict[str, Any]]:
    """Return what pages say, with the extension of their media."""
    pages: list[dict[str, Any]] = []
    for number, title in enumerate(HOSTILE):
        channel = SHOWS[number % len(SHOWS)]
        moment = 1700000000 + number * 86_400 * 9 + number * 977
        of_channel = {"channel": channel, "channel_id": f"UC{number % len(SHOWS)}"}
        pages.append(
            {"title": title, "ext": "mp4", "timestamp": moment, **of_channel}
            | {"extractor_key": "Youtube", "id": f"id-{number}_x"}
        )
        pages.append(
            {"title": title, "ext": "mp4", "series": f"{channel} numbered", "episode": title}
            | {"season_number": number % 3, "episode_number": number + 1}
            | {"upload_date": "20240229"}
        )
        kind = ("movie", "other")[number % 2]
        if kind == "movie":
            pages.append(
                {"title": f"{title[:150]} ({1950 + number})", "ext": "mp4", "duration": 5400}
            )
        else:
            pages.append({"title": title, "ext": "mp4", "upload_date": "20250711"})
        artist = ARTISTS[number % len(ARTISTS)]
        pages.append(
            {"title": title, "ext": ("mp3", "m4a", "flac", "ogg")[number % 4], "track": title}
            | {"artist": f"{artist}, Guest", "artists": [artist, "Guest"]}
            | {"album": ALBUMS[number % len(ALBUMS)], "album_artist": artist}
            | {"track_number": number + 1, "release_year": 1990 + number % len(ALBUMS)}
        )
        if number % 3 == 0:
            pages.append(
                {"title": title, "ext": "mp3", "timestamp": moment, **of_channel}
                | {"extractor_key": "ApplePodcasts", "categories": ["Podcast"]}
            )
    return pages


def materials(folder: Path) -> dict[str, bytes]:
    """Make a picture, a film and songs; return them by extension."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = {"jpg": "testsrc=size=1280x720"} | {"mp4": "testsrc=size=160x90:rate=5:duration=2"}
    sources |= dict.fromkeys(("mp3", "m4a", "flac", "ogg"), "sine=duration=1")
    for extension, source in sources.items():
        frames = ["-frames:v", "1"] if extension == "jpg" else []
        command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *frames]
        subprocess.run([*command, str(folder / f"a.{extension}")], check=True)
    return {extension: (folder / f"a.{extension}").read_bytes() for extension in sources}
