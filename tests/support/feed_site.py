"""A site with channels: feeds over HTTP, and lists that the real yt-dlp reads as PeerTube's.

yt-dlp knows PeerTube by its hosts, so the site is also a proxy for `HOST`, and speaks TLS there.
Paths: `/feeds/<channel>.atom`, `.rss` and `.podcast`; the channel's list is `FeedSite.channel_url`,
in pages of 30, its items' media are `media`'s bytes. `Channel` says how the answers misbehave.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

import trustme

from mediarip_mqtt.contract.settings import DownloadSettings, SiteSettings
from tests.support.server import content

HOST = "framatube.org"
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
FEED_TYPES = {"atom": "application/atom+xml", "rss": "application/rss+xml", "podcast": "text/xml"}


@dataclass(frozen=True)
class Upload:
    """An item; `id` is PeerTube's short id of 22 letters."""

    id: str
    title: str
    published: datetime = BEGAN
    duration: int = 60


def upload(number: int, title: str | None = None, **more: Any) -> Upload:
    """Return an upload that is an hour younger than the one before."""
    published = BEGAN + timedelta(hours=number)
    return Upload(f"{number:022d}", title or f"Item {number}", published, **more)


@dataclass
class Channel:
    """What a channel has now, newest first, and how its feed and list answer.

    `status`: the answer to all requests; `list_status`: by page of the list, from 1. `slow`: bytes
    a second. `forgets`: it knows no ETag and no Last-Modified. `stuck`: it says 304 to all who send
    an ETag. `page`: a web page instead of feed and list.
    """

    uploads: list[Upload] = field(default_factory=list)
    title: str = "A channel"
    feed_length: int = 15
    status: int | None = None
    list_status: dict[int, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    slow: float | None = None
    forgets: bool = False
    stuck: bool = False
    page: bool = False
    prolog: str = ""  # after the XML declaration
    same_guid: bool = False

    def grow(self, *numbers: int) -> None:
        """Publish items, the last one newest."""
        for number in numbers:
            self.uploads.insert(0, upload(number))


@dataclass(frozen=True)
class Asked:
    """A request, and the conditions that it named."""

    at: float
    path: str
    status: int
    etag: str | None = None
    since: str | None = None
    authorization: str | None = None


class FeedSite:
    """The site, in threads of the test process."""

    def __init__(self, media: bytes | None = None) -> None:
        self.channels: dict[str, Channel] = {}
        self.asked: list[Asked] = []
        self.media = content(0, 20_000) if media is None else media
        self.redirects: dict[str, str] = {}
        self.closing = threading.Event()
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(self.context)
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.site = self
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def settings(self, **more: Any) -> DownloadSettings:
        """Return settings with which the service reaches `HOST` here."""
        options = {"nocheckcertificate": True, "socket_timeout": 5}
        sites = {HOST: SiteSettings(proxy=self.url(""))}
        return DownloadSettings(sites=sites, ytdlp_options=options, **more)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{path}"

    def feed_url(self, channel: str, kind: str = "atom") -> str:
        return self.url(f"feeds/{channel}.{kind}")

    def channel_url(self, channel: str) -> str:
        return f"https://{HOST}/c/{channel}/videos"

    def item_url(self, item: Upload) -> str:
        return f"https://{HOST}/w/{item.id}"

    def paths(self, part: str = "") -> list[str]:
        """The requested paths that hold a text."""
        return [one.path for one in self.asked if part in one.path]

    def find(self, item_id: str) -> Upload | None:
        uploads = (one for channel in self.channels.values() for one in channel.uploads)
        return next((one for one in uploads if one.id == item_id), None)

    def stop(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    site: FeedSite

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the tests break connections on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Suppress the log."""

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()  # the server only closes the plain socket

    def do_CONNECT(self) -> None:
        if self.path != f"{HOST}:443":
            self._answer(502, b"")
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.site.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False  # it was asked with HTTP/1.0

    def do_GET(self) -> None:
        with suppress(OSError, ssl.SSLError):
            self._route(urlsplit(self.path))
            return
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _route(self, url: Any) -> None:
        site, path = self.server.site, url.path.strip("/")
        if path in site.redirects:
            self._answer(302, b"", {"Location": site.redirects[path]})
        elif match := re.fullmatch(r"feeds/([\w-]+)\.(atom|rss|podcast)", path):
            self._feed(site.channels.get(match[1]), match[2])
        elif match := re.fullmatch(r"api/v1/video-channels/([\w-]+)(/videos)?", path):
            start = int((parse_qs(url.query).get("start") or ["0"])[0])
            self._list(site.channels.get(match[1]), start if match[2] else None)
        elif match := re.fullmatch(r"(?:api/v1/videos|media)/(\w{22})(?:\.mp4)?", path):
            self._item(site.find(match[1]), media=path.startswith("media"))
        else:
            self._answer(404, b"")

    def _feed(self, channel: Channel | None, kind: str) -> None:
        if channel is None or channel.status or channel.page:
            self._refuse(channel)
            return
        body = _WRITERS[kind](self.server.site, channel).encode()
        newest = max((one.published for one in channel.uploads), default=BEGAN)
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        conditions = {self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")}
        named = {} if channel.forgets else {"ETag": tag, "Last-Modified": format_datetime(newest)}
        if conditions & set(named.values()) or (channel.stuck and conditions != {None}):
            self._answer(304, b"", headers=named)
            return
        kind = f"{FEED_TYPES[kind]}; charset=utf-8"
        self._answer(200, body, {"Content-Type": kind, **named}, slow=channel.slow)

    def _list(self, channel: Channel | None, start: int | None) -> None:
        page = 0 if start is None else start // 30 + 1
        if channel is not None and page in channel.list_status:
            channel = replace(channel, status=channel.list_status[page])
        if channel is None or channel.status or channel.page:
            self._refuse(channel)
            return
        found: dict[str, Any] = {
            "displayName": channel.title,
            "id": 7,
            "ownerAccount": {"id": 3, "name": "someone"},
        }
        if start is not None:
            part = channel.uploads[start : start + 30]
            data = [{"shortUUID": one.id, "name": one.title} for one in part]
            found = {"total": len(channel.uploads), "data": data}
        self._answer(200, json.dumps(found).encode(), _JSON, slow=channel.slow)

    def _item(self, item: Upload | None, *, media: bool) -> None:
        if item is None:
            self._answer(404, b"")
        elif media:
            self._answer(200, self.server.site.media, {"Content-Type": "video/mp4"})
        else:
            file = {"fileUrl": f"https://{HOST}/media/{item.id}.mp4", "resolution": {"label": "9p"}}
            page = {
                "name": item.title,
                "duration": item.duration,
                "publishedAt": item.published.isoformat(),
                "files": [file],
            }
            self._answer(200, json.dumps(page).encode(), _JSON)

    def _refuse(self, channel: Channel | None) -> None:
        if channel is not None and channel.page:
            self._answer(200, b"<!DOCTYPE html><html><p>Are you a robot?</p></html>")
            return
        self._answer((channel and channel.status) or 404, b"", channel.headers if channel else None)

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        slow: float | None = None,
    ) -> None:
        asked, get = self.server.site.asked, self.headers.get
        conditions = get("If-None-Match"), get("If-Modified-Since"), get("Authorization")
        asked.append(Asked(time.monotonic(), self.path, status, *conditions))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        step = max(1, int(slow / 10)) if slow else max(1, len(body))
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if slow and self.server.site.closing.wait(0.1):
                return


_JSON = {"Content-Type": "application/json"}


def _atom(site: FeedSite, channel: Channel) -> str:
    entries = "".join(
        f"<entry><id>{_guid(channel, one)}</id><title>{escape(one.title)}</title>"
        f"<link rel='alternate' href={quoteattr(site.item_url(one))}/>"
        f"<published>{one.published.isoformat()}</published></entry>"
        for one in channel.uploads[: channel.feed_length]
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{channel.prolog}'
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>{escape(channel.title)}</title>'
        f"{entries}</feed>"
    )


def _rss(site: FeedSite, channel: Channel) -> str:
    return _rss_of(channel, lambda one: f"<link>{site.item_url(one)}</link>")


def _podcast(site: FeedSite, channel: Channel) -> str:
    return _rss_of(
        channel,
        lambda one: (
            f"<link>{site.item_url(one)}</link><itunes:duration>0:{one.duration // 60:02d}:"
            f"{one.duration % 60:02d}</itunes:duration>"
            f'<enclosure url={quoteattr(site.url(f"media/{one.id}.mp4"))} type="video/mp4"/>'
        ),
    )


def _rss_of(channel: Channel, body: Any) -> str:
    items = "".join(
        f'<item><guid isPermaLink="false">{_guid(channel, one)}</guid>'
        f"<title>{escape(one.title)}</title><pubDate>{format_datetime(one.published)}</pubDate>"
        f"{body(one)}</item>"
        for one in channel.uploads[: channel.feed_length]
    )
    return (
        f'<?xml version="1.0"?>{channel.prolog}<rss version="2.0" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
        f"<title>{escape(channel.title)}</title>{items}</channel></rss>"
    )


def _guid(channel: Channel, item: Upload) -> str:
    return "same" if channel.same_guid else f"urn:item:{item.id}"


_WRITERS = {"atom": _atom, "rss": _rss, "podcast": _podcast}
