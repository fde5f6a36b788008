"""Feeds and lists are read as sites serve them: growing, failing, slow, lying, and hostile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.contract.subscription_models import ItemState, SubscriptionItem
from mediarip_mqtt.engine import list_items
from mediarip_mqtt.engine.list_reader import YtdlpListReader
from mediarip_mqtt.engine.page_readers import PageReaders
from mediarip_mqtt.engine.protocol import FeedAnswer, ListAnswer, Listed, ListedItem, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.feed_site import BEGAN, Channel, FeedSite, Upload, upload
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)


class Desk:
    """A reader of lists with a process, and what tests do with it."""

    def __init__(
        self, folder: Path, settings: DownloadSettings, security: SecuritySettings = OPEN
    ) -> None:
        self.folder = folder
        (folder / "cache").mkdir()
        self.processes = PageReaders(settings, security, folder / "cache")
        self.engine = YtdlpEngine(settings, security, None, self.processes)
        self.reader = YtdlpListReader(self.engine, security, self.processes)
        self.control = self.engine.control()

    def task(self, url: str, **more: Any) -> Task:
        return Task("job", url, self.folder, **more)

    def feed(self, url: str, before: FeedAnswer | None = None, **more: Any) -> FeedAnswer:
        etag, since = (before.etag, before.last_modified) if before else (None, None)
        return self.reader.read_feed(self.task(url, **more), self.control, etag, since)

    def list(self, url: str, known: set[str] | None = None, limit: int = 1000) -> ListAnswer:
        """Read a list up to an item that is known."""
        task = self.task(url, playlist_limit=limit)
        return self.reader.read_list(task, self.control, lambda item: item.key in (known or ()))


@pytest.fixture
def site() -> Iterator[FeedSite]:
    site = FeedSite()
    yield site
    site.stop()


@pytest.fixture
def desk(tmp_path: Path, site: FeedSite) -> Iterator[Desk]:
    desk = Desk(tmp_path, site.settings())
    yield desk
    desk.processes.close()


def titles(answer: FeedAnswer | ListAnswer) -> list[str | None]:
    return [item.title for item in answer.items]


def channel(*numbers: int, **how: Any) -> Channel:
    """A channel with these uploads, the first one newest."""
    return Channel([upload(number) for number in numbers], **how)


# Feeds


@pytest.mark.parametrize("kind", ["atom", "rss", "podcast"])
def test_a_feed_tells_its_items(desk: Desk, site: FeedSite, kind: str) -> None:
    site.channels["one"] = Channel([Upload("a" * 22, "Tom & Jerry <3", BEGAN, 3600 + 62)])
    answer = desk.feed(site.feed_url("one", kind))
    (item,) = answer.items
    assert (answer.status, answer.title) == ("new", "A channel")
    assert (item.key, item.title) == (f"urn:item:{'a' * 22}", "Tom & Jerry <3")
    assert item.published_at == BEGAN
    if kind == "podcast":
        assert item.url == site.url(f"media/{'a' * 22}.mp4")
        assert item.duration == 62 + 60 * (3600 // 60)
    else:
        assert item.url == f"https://framatube.org/w/{'a' * 22}"


def test_an_unchanged_feed_is_not_sent_again(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1)
    first = desk.feed(site.feed_url("one"))
    again = desk.feed(site.feed_url("one"), first)
    assert (again.status, again.etag, again.last_modified) == (
        "unchanged",
        first.etag,
        first.last_modified,
    )
    site.channels["one"].grow(2)
    grown = desk.feed(site.feed_url("one"), again)
    assert titles(grown) == ["Item 2", "Item 1"]
    assert [asked.status for asked in site.asked] == [200, 304, 200]


def test_a_site_that_forgets_its_tags_is_read_each_time(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1, forgets=True)
    first = desk.feed(site.feed_url("one"))
    assert (first.etag, first.last_modified) == (None, None)
    assert desk.feed(site.feed_url("one"), first).status == "new"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, ErrorCode.NOT_FOUND),
        (429, ErrorCode.RATE_LIMITED),
        (500, ErrorCode.UNAVAILABLE),
    ],
)
def test_a_feed_that_fails_says_why_and_names_no_item(
    desk: Desk, site: FeedSite, status: int, code: ErrorCode
) -> None:
    site.channels["one"] = channel(1, status=status, headers={"Retry-After": "90"})
    answer = desk.feed(site.feed_url("one"), FeedAnswer("new", etag='"x"'))
    assert (answer.status, answer.items, answer.etag) == ("failed", (), '"x"')
    assert answer.error is not None
    assert (answer.error.code, answer.error.retry_after) == (code, 90)


def test_a_304_that_nobody_asked_for_is_a_failure(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1, status=304)
    assert desk.feed(site.feed_url("one")).status == "failed"


def test_a_page_instead_of_the_feed_is_a_failure(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1, page=True)
    answer = desk.feed(site.feed_url("one"))
    assert answer.error is not None
    assert answer.error.message == "The site sent a web page instead of the feed."


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE rss>",
        "<?x?> <!-- <feed> --> <!doctype feed [<!ENTITY a 'b'>]>",
    ],
)
def test_a_document_type_is_refused(desk: Desk, site: FeedSite, prolog: str) -> None:
    site.channels["one"] = channel(1, prolog=prolog)
    answer = desk.feed(site.feed_url("one"))
    assert answer.error is not None
    assert "document type" in answer.error.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "iso-8859-15"])
def test_encodings_are_read_and_hide_no_document_type(
    desk: Desk, media: MediaServer, encoding: str
) -> None:
    def answer(prolog: str) -> FeedAnswer:
        text = (
            f"<?xml version='1.0' encoding='{encoding}'?>{prolog}<rss version='2.0'><channel>"
            "<title>Café</title><item><title>Naïve</title><link>http://127.0.0.1/é</link></item>"
            "</channel></rss>"
        )
        return desk.feed(media.text("a.xml", text.encode(encoding)))

    assert (answer("").title, titles(answer(""))) == ("Café", ["Naïve"])
    assert answer("<!DOCTYPE x>").status == "failed"


def test_a_feed_larger_than_the_limit_is_refused(desk: Desk, media: MediaServer) -> None:
    text = "<rss version='2.0'><channel><title>x</title>" + "<!-- -->" * 2**20
    for url in (media.text("a.xml", text), media.url(f"packed/{50 * 2**20}")):
        answer = desk.feed(url)
        assert answer.error is not None
        assert "more than 8 MiB" in answer.error.message


def test_what_a_feed_says_is_checked(desk: Desk, media: MediaServer) -> None:
    items = "".join(
        f"<item><guid>{number}</guid><title>{title}</title><link>{link}</link>"
        f"<pubDate>{date}</pubDate></item>"
        for number, (title, link, date) in enumerate(
            [
                ("a\u202eb", "http://127.0.0.1/a", "Thu, 01 Jan 9999 00:00:00 GMT"),
                ("file", "file:///etc/passwd", ""),
                ("script", "javascript:alert(1)", ""),
                ("none", "", ""),
                ("login", "http://user:secret@127.0.0.1/b", "nonsense"),
                ("relative", "/c", ""),
                ("x" * 5000, "http://127.0.0.1/d", ""),
            ]
        )
    )
    url = media.text("a.xml", f"<rss version='2.0'><channel>{items}</channel></rss>")
    found = desk.feed(url).items
    assert [item.url for item in found] == [
        "http://127.0.0.1/a",
        "http://127.0.0.1/b",
        media.url("c"),
        "http://127.0.0.1/d",
    ]
    assert [len(item.title or "") for item in found] == [2, 5, 8, 300]
    assert {item.published_at for item in found} == {None}


def test_items_with_the_same_guid_are_told_apart(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(2, 1, same_guid=True)
    first = desk.feed(site.feed_url("one", "rss"))
    assert len({item.key for item in first.items}) == 2


def test_a_youtube_feed_has_the_keys_of_yt_dlp_s_archive(desk: Desk, media: MediaServer) -> None:
    text = (
        '<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom">'
        "<title>Uploads</title><author><name>Some One</name></author><entry>"
        "<id>yt:video:abcdefghijk</id><yt:videoId>abcdefghijk</yt:videoId><title>A clip</title>"
        '<link rel="alternate" href="https://www.youtube.com/shorts/abcdefghijk"/>'
        "<published>2026-11-01T10:00:00+00:00</published><updated>2026-11-02T10:00:00+00:00"
        "</updated><media:group><media:content "
        'url="https://www.youtube.com/v/abcdefghijk?version=3" duration="9" '
        'type="application/x-shockwave-flash"/></media:group></entry></feed>'
    )
    (item,) = desk.feed(media.text("videos.xml", text)).items
    assert item == ListedItem(
        key="youtube abcdefghijk",
        url="https://www.youtube.com/shorts/abcdefghijk",
        title="A clip",
        duration=9,
        published_at=datetime(2026, 11, 1, 10, tzinfo=UTC),
        channel="Some One",
    )


def test_a_private_address_is_not_asked_even_by_a_redirect(
    tmp_path: Path, media: MediaServer, site: FeedSite
) -> None:
    guarded = Desk(tmp_path, DownloadSettings(), SecuritySettings(allowed_hosts=("localhost",)))
    site.channels["one"] = channel(1)
    inside = site.feed_url("one")
    to_inside = media.url(f"redirect?to={inside}", host="localhost")
    for url in (inside, to_inside):
        answer = guarded.feed(url)
        assert answer.error is not None
        assert answer.error.code is ErrorCode.BLOCKED_ADDRESS
    assert site.asked == []
    guarded.processes.close()


def test_a_feed_behind_a_password_is_read_with_it(desk: Desk, media: MediaServer) -> None:
    media.login = "user:secret"
    try:
        url = media.feed("private", [media.url("a.mp4")])
        assert desk.feed(url, login="user:secret").status == "new"
        refused = desk.feed(url)
        assert refused.error is not None
        assert refused.error.code is ErrorCode.LOGIN_REQUIRED
    finally:
        media.login = None


def test_a_slow_feed_can_be_stopped(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1, slow=20)
    desk.feed(site.url("nothing"))  # starts the process
    stopper = threading.Timer(0.5, desk.control.stop)
    stopper.start()
    with pytest.raises(Stopped):
        desk.feed(site.feed_url("one"))
    stopper.join()


# Lists


def test_a_channel_is_read_only_to_what_is_known(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(*range(100, 0, -1))
    newest = desk.list(site.channel_url("one"), {f"peertube {98:022d}"})
    assert titles(newest) == ["Item 100", "Item 99", "Item 98"]
    assert (newest.whole, newest.title, newest.channel_id) == (False, "A channel", "3")
    assert newest.extractor == "PeerTubePlaylist"
    assert len(site.paths("start=")) == 1  # of four pages


def test_a_whole_list_says_so_and_has_each_item_once(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(*range(65, 0, -1))
    site.channels["one"].uploads.append(upload(65))
    answer = desk.list(site.channel_url("one"))
    assert titles(answer) == [f"Item {number}" for number in range(65, 0, -1)]
    assert answer.whole
    assert answer.items[0].url == site.item_url(upload(65))


def test_a_list_longer_than_the_limit_is_not_whole(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(*range(65, 0, -1))
    answer = desk.list(site.channel_url("one"), limit=40)
    assert (len(answer.items), answer.whole) == (40, False)


@pytest.mark.parametrize(
    ("status", "code"), [(429, ErrorCode.RATE_LIMITED), (404, ErrorCode.NOT_FOUND)]
)
def test_a_list_that_fails_on_its_way_is_no_shorter_list(
    desk: Desk, site: FeedSite, status: int, code: ErrorCode
) -> None:
    site.channels["one"] = channel(*range(65, 0, -1), list_status={2: status})
    with pytest.raises(DownloadError) as caught:
        desk.list(site.channel_url("one"))
    assert caught.value.code is code


def test_an_empty_list_is_an_answer(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel()
    assert desk.list(site.channel_url("one")).items == ()


def test_a_list_s_keys_are_those_of_a_download(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1)
    (item,) = desk.list(site.channel_url("one")).items
    page = desk.engine.extract(desk.task(item.url), desk.control)
    assert item.key == f"{str(page.info.extractor).lower()} {page.fields['id']}"


def test_a_feed_is_a_list_that_is_never_whole(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(2, 1)
    url = site.feed_url("one", "rss")
    answer = desk.list(url)
    assert (titles(answer), answer.whole, answer.feed_url) == (["Item 2", "Item 1"], False, url)
    assert answer.items == desk.feed(url).items


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("page/video.html", ErrorCode.NOT_A_LIST),
        ("media/video.mp4", ErrorCode.NOT_A_LIST),
        ("page/nothing.html", ErrorCode.UNSUPPORTED_URL),
    ],
)
def test_what_is_no_list_is_refused(
    desk: Desk, media: MediaServer, path: str, code: ErrorCode
) -> None:
    with pytest.raises(DownloadError) as caught:
        desk.list(media.url(path))
    assert caught.value.code is code


def test_an_error_in_the_service_s_own_check_is_not_the_list_s(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(1)

    def broken(_: ListedItem) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.reader.read_list(desk.task(site.channel_url("one")), desk.control, broken)
    assert len(desk.list(site.channel_url("one")).items) == 1


@pytest.mark.slow
def test_ten_thousand_items_take_seconds(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = channel(*range(10_000, 0, -1))
    answer = desk.list(site.channel_url("one"), limit=20_000)
    assert (len(answer.items), answer.whole) == (10_000, True)


# What is derived from them

CHANNEL = "UC" + "a" * 22
FEEDS = "https://www.youtube.com/feeds/videos.xml"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.youtube.com/@one", ["channel_id=UC"]),
        ("https://www.youtube.com/@one/videos", ["playlist_id=UULF", "channel_id=UC"]),
        ("https://youtube.com/c/one/shorts/", ["playlist_id=UUSH", "channel_id=UC"]),
        ("https://m.youtube.com/channel/x/streams", ["playlist_id=UULV", "channel_id=UC"]),
        ("https://www.youtube.com/playlist?list=PLx", []),
        ("https://youtube.com.example.org/@one", []),
        ("https://vimeo.com/@one", []),
    ],
)
def test_a_youtube_channel_has_feeds(url: str, expected: list[str]) -> None:
    urls = [f"{FEEDS}?{part}{'a' * 22}" for part in expected]
    assert list(list_items.feed_urls(url, CHANNEL)) == urls
    assert list_items.feed_urls(url, "no channel") == ()


def test_an_episode_s_job_gets_the_feed_s_title(desk: Desk, site: FeedSite) -> None:
    site.channels["one"] = Channel([Upload("a" * 22, "The first one", BEGAN + timedelta(days=1))])
    feed = desk.feed(site.feed_url("one", "podcast"))
    (item,) = feed.items
    known = SubscriptionItem(
        item_key=item.key,
        rank=1,
        url=item.url,
        title=item.title,
        published_at=item.published_at,
        first_seen_at=BEGAN,
        state=ItemState.WAITING,
    )
    listed = list_items.listed(known, str(feed.title), of_feed=True)
    stored = Listed.model_validate_json(listed.model_dump_json(exclude_defaults=True))
    page = desk.engine.extract(desk.task(item.url, listed=stored), desk.control)
    assert page.info.title == "The first one"
    assert (page.fields["upload_date"], page.fields["playlist"]) == ("20260102", "A channel")
