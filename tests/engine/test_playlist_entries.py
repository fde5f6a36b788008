"""Items of lists keep what their list says of them, and are found again by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import MediaInfo
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Extraction, Listed, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)
PLACE = "%(playlist_title)s/%(playlist_index)s of %(n_entries)s - %(title)s"


class Reader:
    """Reads lists and their items as jobs do; only what can be stored is passed on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.engine = YtdlpEngine(DownloadSettings(), OPEN)
        self.limit = 1000

    def read(self, url: str, listed: Listed | None = None, **options: Any) -> Extraction:
        stored = (listed or Listed()).model_dump_json(exclude_defaults=True)
        task = Task(
            "job",
            url,
            self._folder,
            DownloadOptions(**options),
            playlist_limit=self.limit,
            listed=Listed.model_validate_json(stored),
        )
        return self.engine.extract(task, self.engine.control())

    def items(self, found: Extraction) -> list[Extraction]:
        return [
            self.read(entry.url, listed, playlist_items=entry.items)
            for entry, listed in zip(found.info.entries, found.listed, strict=True)
        ]

    def names(self, template: str, found: Extraction) -> list[str]:
        return [
            self.engine.fill_template(template, item.fields, "mp4") for item in self.items(found)
        ]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def feed(media: MediaServer, *items: str, title: str = "My show") -> str:
    return media.text(
        "show.xml",
        f'<?xml version="1.0"?><rss version="2.0" xmlns:itunes='
        f'"http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>{title}</title>'
        f"{''.join(items)}</channel></rss>",
    )


def item(title: str, url: str, *more: str) -> str:
    return f'<item><title>{title}</title><enclosure url="{url}"/>{"".join(more)}</item>'


def test_an_episode_has_the_feed_s_title_date_and_duration_behind_a_redirect(
    reader: Reader, media: MediaServer
) -> None:
    # All episodes of some hosts are `default.mp3`, behind a redirect that counts the listeners;
    # tags of the production instead of the feed's: akhilrex/podgrab#327.
    episode = item(
        "1/2: Pilot",
        media.url("/redirect?to=/media/audio.mp3"),
        "<guid>g-1</guid><pubDate>Wed, 01 May 2024 12:00:00 +0000</pubDate>",
        "<itunes:duration>01:02:03</itunes:duration>",
    )
    found = reader.read(feed(media, episode, item("2", media.url("/bytes/1000/default.mp3"))))
    first, second = found.info.entries
    assert "smuggle" not in first.url
    assert (first.title, first.duration) == ("1/2: Pilot", 3723)
    read = reader.items(found)
    assert [one.info.title for one in read] == ["1/2: Pilot", second.title]
    assert read[0].info.duration == 3723
    assert read[0].handle.info["title"] == "1/2: Pilot"  # what is embedded as metadata
    template = "%(upload_date)s %(title)s %(duration)d %(id)s"
    name = reader.engine.fill_template(template, read[0].fields, "mp3")
    assert name == "20240501 1⧸2: Pilot 3723 g-1.mp3"


@pytest.mark.parametrize(
    ("count", "selection", "names"),
    [
        (3, None, ["1 of 3 - a", "2 of 3 - b", "3 of 3 - c"]),
        # playlist_index counted anew: ytdl-org/youtube-dl#10591
        (4, "3:4", ["3 of 4 - c", "4 of 4 - d"]),
        (12, "2,12", ["02 of 12 - b", "12 of 12 - l"]),
        # a list of one item, whose index was 0: kieraneglin/pinchflat#409
        (1, None, ["1 of 1 - a"]),
    ],
)
def test_an_item_of_a_feed_has_its_place_in_the_list(
    count: int, selection: str | None, names: list[str], reader: Reader, media: MediaServer
) -> None:
    letters = "abcdefghijkl"[:count]
    items = [item(one, media.url(f"/bytes/1000/{one}.mp4")) for one in letters]
    found = reader.read(feed(media, *items), playlist_items=selection)
    assert reader.names(PLACE, found) == [f"My show/{name}.mp4" for name in names]
    assert [entry.index for entry in found.info.entries] == [int(name.split()[0]) for name in names]


def test_videos_of_one_page_have_their_place_too(reader: Reader, media: MediaServer) -> None:
    videos = "".join(f"<video src='/bytes/1000/{one}.mp4'></video>" for one in "abc")
    page = media.text("page.html", f"<title>Talks</title>{videos}")
    found = reader.read(page, playlist_items="2:3")
    assert [(entry.url, entry.items) for entry in found.info.entries] == [(page, "2"), (page, "3")]
    assert [name.split(" -")[0] for name in reader.names(PLACE, found)] == [
        "Talks/2 of 3",
        "Talks/3 of 3",
    ]


def test_a_feed_of_feeds_gives_each_item_its_own_list(reader: Reader, media: MediaServer) -> None:
    inner = feed(media, item("x", media.url("/bytes/1000/x.mp4")), title="Inner")
    media.texts["inner.xml"] = media.texts.pop("show.xml")
    inner = inner.replace("show.xml", "inner.xml")
    outer = reader.read(feed(media, item("one", inner), item("two", inner), title="Outer"))
    lists = reader.items(outer)
    assert [one.info.is_playlist for one in lists] == [True, True]
    assert [one.info.title for one in lists] == ["one", "two"]
    assert reader.names(PLACE, lists[1]) == ["two/1 of 1 - x.mp4"]


def test_a_url_that_only_yt_dlp_understands_is_not_shown(
    reader: Reader, media: MediaServer
) -> None:
    embeds = "".join(
        f"<script>kWidget.embed({{'wid': '_{number}', 'entry_id': '1_{number}abc'}})</script>"
        for number in (101, 102)
    )
    page = media.text("embeds.html", f"<html><title>Two</title>{embeds}</html>")
    found = reader.read(page)
    assert len(found.info.entries) == 2
    assert [(entry.url, entry.items) for entry in found.info.entries] == [(page, "1"), (page, "2")]
    assert [str(listed.url).partition(":")[0] for listed in found.listed] == ["kaltura"] * 2


def test_a_feed_s_address_which_may_hold_a_token_is_no_field(
    reader: Reader, media: MediaServer
) -> None:
    url = feed(media, item("a", media.url("/bytes/1000/a.mp4")), title="")
    template = "%(playlist)s%(playlist_id)s%(playlist_title)s%(title)s"
    assert reader.names(template, reader.read(url)) == ["a.mp4"]


LEFT_OUT: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 30, "Only 20 of 30 items were taken (playlist_limit)"),
    ({"playlist_items": "5:"}, 30, "Only 20 of 26 items were taken (playlist_limit)"),
    ({"playlist_items": "1:20"}, 30, None),
    ({}, 20, None),
]


@pytest.mark.parametrize(("options", "count", "warning"), LEFT_OUT)
def test_items_beyond_the_limit_are_counted_and_said(
    options: dict[str, Any],
    count: int,
    warning: str | None,
    reader: Reader,
    media: MediaServer,
) -> None:
    # Lists that end at a limit without a word: ebb-earl-co/tidal-wave#155.
    reader.limit = 20
    items = [item(str(n), media.url(f"/bytes/1000/{n}.mp4")) for n in range(count)]
    info: MediaInfo = reader.read(feed(media, *items), **options).info
    assert len(info.entries) <= 20
    assert info.entry_count == count
    assert (info.warning or "").startswith(warning or "")
    assert bool(info.warning) is bool(warning)
