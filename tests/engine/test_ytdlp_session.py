"""A page leads nowhere but to http and https, and one bad item of a feed is only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from yt_dlp.networking.common import _REQUEST_HANDLERS, Request
from yt_dlp.networking.exceptions import TransportError

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import response_limits
from mediarip_mqtt.engine.protocol import Extraction, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.engine.ytdlp_session import YtdlpSession
from tests.support.broker import Client
from tests.support.server import MediaServer, SilentListener, rss
from tests.support.service import Service

OPEN = SecuritySettings(allow_private_addresses=True)
INSIDE = SecuritySettings(allowed_hosts=("127.0.0.1",))
Extract = Callable[..., Extraction]


@pytest.fixture
def extract(tmp_path: Path) -> Extract:
    def extract(url: str, security: SecuritySettings = OPEN, **options: Any) -> Extraction:
        engine = YtdlpEngine(DownloadSettings(), security)
        task = Task("job", url, tmp_path, DownloadOptions(**options))
        return engine.extract(task, engine.control())

    return extract


def download(url: str, folder: Path, security: SecuritySettings = OPEN) -> Any:
    engine = YtdlpEngine(DownloadSettings(), security)
    task = Task("job", url, folder)
    control = engine.control()
    return engine.download(task, engine.extract(task, control), control, lambda _: None)


def open_session(security: SecuritySettings = OPEN, **params: Any) -> YtdlpSession:
    return YtdlpSession(
        {"quiet": True, "paths": {"home": "."}, **params}, security, auto_init=False
    )


# Protocols


@pytest.mark.parametrize("scheme", ["rtmp", "rtmpe", "rtsp", "mms", "ftp", "ftps", "file", "sftp"])
def test_a_page_leads_to_no_other_protocol(scheme: str, media: MediaServer, tmp_path: Path) -> None:
    inside = SilentListener()
    link = f"{scheme}://127.0.0.1:{inside.port}/x.mp4"
    page = media.text("p.html", f"<title>T</title><video><source src='{link}' type='video/mp4'>")
    with pytest.raises(DownloadError) as caught:
        download(page, tmp_path)
    assert caught.value.code in {"unsupported_url", "invalid_url"}, caught.value.message
    assert not caught.value.transient
    assert not inside.was_called()
    inside.stop()


def test_a_page_s_web_format_is_taken_where_it_has_others(
    media: MediaServer, tmp_path: Path
) -> None:
    with open_session() as opened:
        formats = [
            {"format_id": "1", "url": media.url("/media/video.mp4"), "ext": "mp4", "height": 240},
            {"format_id": "2", "url": "rtmp://127.0.0.1/x", "ext": "flv", "height": 2160},
            {"format_id": "3", "url": "ftp://127.0.0.1/x.mp4", "ext": "mp4", "height": 2160},
        ]
        info = {"id": "x", "title": "x", "extractor": "x", "formats": formats}
        found = opened.process_ie_result(info, download=False)
    assert [one["format_id"] for one in found["formats"]] == ["1"]


@pytest.mark.parametrize("protocol", ["rtmp", "rtmp_ffmpeg", "websocket_frag", "https+rtmp", "new"])
def test_no_downloader_of_another_protocol_is_started(protocol: str, tmp_path: Path) -> None:
    info = {
        "id": "x",
        "title": "x",
        "ext": "mp4",
        "url": "https://a.example/x",
        "protocol": protocol,
    }
    with open_session() as opened, pytest.raises(DownloadError) as caught:
        opened.dl(str(tmp_path / "x.mp4"), info)
    assert caught.value.code == "unsupported_url"
    merged = {**info, "protocol": "https", "requested_formats": [info]}
    with open_session() as opened, pytest.raises(DownloadError):
        opened.dl(str(tmp_path / "x.mp4"), merged)


@pytest.mark.parametrize("target", ["ftp://127.0.0.1:{}/x.mp4", "file:///etc/passwd"])
def test_a_redirect_leads_to_no_other_protocol(
    target: str, media: MediaServer, tmp_path: Path
) -> None:
    inside = SilentListener()
    with pytest.raises(DownloadError):
        download(media.url(f"/redirect/x?to={target.format(inside.port)}"), tmp_path)
    assert not inside.was_called()
    assert not list(tmp_path.iterdir())
    inside.stop()


def test_requests_are_only_sent_by_handlers_that_the_guard_reaches() -> None:
    # Stands for the one of curl_cffi, which has no sockets of Python.
    curl = type("CurlCFFIRH", (_REQUEST_HANDLERS["Requests"],), {})
    every = [*_REQUEST_HANDLERS.values(), curl]
    for allowed in (False, True):
        security = SecuritySettings(impersonate=allowed)
        with open_session(security) as opened:
            handlers = opened.build_request_director(every).handlers
            assert ("CurlCFFI" in handlers) is allowed
            assert {"Requests", "Urllib", "Websockets"} <= set(handlers)
    with open_session() as opened:
        assert opened.urlopen("data:text/plain,hello").read() == b"hello"
        for url in ("ftp://127.0.0.1/x", "file:///etc/passwd", "abematv-license://x"):
            with pytest.raises(Exception, match=r"[Uu]nsupported|disabled|handle"):
                opened.urlopen(url)


@pytest.mark.parametrize("url", ["http://127.0.0.2/x", "http://localhost/x", "http://[::1]/x"])
def test_an_inside_address_is_refused_even_where_a_proxy_would_connect(
    url: str, media: MediaServer
) -> None:
    with open_session(INSIDE, proxy=media.url("/")) as opened:
        for request in (url, Request(url)):
            with pytest.raises(TransportError, match="inside"):
                opened.urlopen(request)
    assert not media.requests


@pytest.mark.parametrize(
    "target",
    ["http://192.168.1.1/x", "http://0x7f.2/x", "//printer.local/x", "http://a.blocked.example/x"],
)
def test_a_redirect_leads_not_inside_even_where_a_proxy_would_connect(
    target: str, media: MediaServer
) -> None:
    security = SecuritySettings(allowed_hosts=("127.0.0.1",), blocked_hosts=("blocked.example",))
    with open_session(security, proxy=media.url("/")) as opened:
        last = f"http://second.example/redirect/x?to={target}"
        with pytest.raises(TransportError, match=r"inside|blocked"):
            opened.urlopen(f"http://first.example/redirect/x?to={quote(last)}")
        hosts = [urlsplit(one.path).hostname for one in media.requests]
        assert hosts == ["first.example", "second.example"]
        allowed = opened.urlopen(
            "http://first.example/redirect/x?to=http://third.example/bytes/9/x"
        )
        assert len(allowed.read()) == 9


@pytest.mark.parametrize("path", ["/bytes/{}/x", "/unknown/bytes/{}/x", "/packed/{}"])
def test_a_page_without_an_end_does_not_fill_the_memory(
    path: str, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_limits, "PAGE_LIMIT", 3_000_000)
    with open_session() as opened:
        assert len(opened.urlopen(media.url(path.format(3_000_000))).read()) == 3_000_000
        with pytest.raises(DownloadError, match="page"):
            opened.urlopen(media.url(path.format(3_000_001))).read()
        with opened.urlopen(media.url(path.format(9_000_000))) as response:
            assert len(response.read(5_000_000)) == 5_000_000


# Items


BAD = {
    "malformed": "http://[x",
    "inside": "http://127.0.0.2:9/x.mp4",
    "named inside": "http://localhost/x.mp4",
    "port": "http://a.example:99999/x",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/x.mp4",
    "words": "nothing at all",
    "script": "javascript:alert(1)",
    "empty host": "http:///x",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_item_does_not_fail_its_feed(
    kind: str, extract: Extract, media: MediaServer, tmp_path: Path
) -> None:
    good = media.url("/bytes/1000/a.mp4")
    feed = media.text("feed.xml", rss("feed", [good, BAD[kind], good + "?2"]))
    found = extract(feed, INSIDE)
    assert [one.url for one in found.info.entries][::2] == [good, good + "?2"]
    assert len(found.info.entries) == 3
    with pytest.raises(DownloadError) as caught:
        extract(found.info.entries[1].url, INSIDE)
    assert caught.value.code in {"invalid_url", "blocked_address", "unsupported_url", "network"}
    assert not caught.value.transient


def test_a_bad_video_of_a_page_with_several_does_not_fail_the_others(
    extract: Extract, media: MediaServer, tmp_path: Path
) -> None:
    page = media.text(
        "many.html",
        "<title>T</title><video src='/media/video.mp4'></video><video src='http://[x'></video>"
        "<video src='/bytes/1000/b.mp4'></video>",
    )
    entries = extract(page).info.entries
    assert len(entries) >= 2
    outcomes = []
    for one in entries:
        try:
            outcomes.append(bool(extract(one.url, playlist_items=one.items).info.formats))
        except DownloadError:
            outcomes.append(False)
    assert outcomes.count(True) >= 2


def test_a_feed_with_a_bad_item_completes(
    client: Client, service: Service, media: MediaServer
) -> None:
    urls = [media.url("/bytes/20000/a.mp4"), "http://[x", media.url("/bytes/30000/b.mp4")]
    job = client.wait_status(client.download(media.feed("mixed", urls)), "completed", "failed")
    assert job["status"] == "completed", job
    assert job["items"] == {"total": 3, "completed": 2, "failed": 1, "cancelled": 0}
    items = client.request("list", limit=10)["jobs"]
    bad = next(one for one in items if one["url"] == "http://[x")
    assert (bad["status"], bad["error_code"]) == ("failed", "invalid_url")
    assert bad["error_message"]
