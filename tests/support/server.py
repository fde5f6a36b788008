"""A local web server with media, and with every way in which a server can misbehave.

Paths: ``/media/…`` files with Range; ``/bytes/<n>/<name>`` made-up bytes with Range;
``/slow/<bytes a second>/<path>``, ``/stall/<bytes>/<path>`` (then nothing more),
``/cut/<bytes>/<path>`` (then closed), ``/unknown/<path>`` (no length), ``/silent/…`` (never
answers), ``/status/<code>/…``, ``/flaky/<failures>/<code>/<key>/<path>``, ``/redirect?to=<url>``,
``/live/i.m3u8`` (grows, no end), ``/slowhls/<seconds>/…`` (each segment late),
``/page/video.html`` and ``/page/nothing.html``, ``/feed/good.xml``, ``/feed/onebad.xml`` and
``/feed/allbad.xml``, ``/text/<name>`` what a test has put there, ``/packed/<count>``
zeros by gzip.
Standalone: ``python -m tests.support.server --port 18080``.
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.media import make

BLOCK = 4096
FILLING = random.Random(1).randbytes(BLOCK)  # noqa: S311 - the same bytes in every run
TYPES = {
    ".mp4": "video/mp4",
    ".mp3": "audio/mpeg",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".xml": "application/rss+xml",
    ".html": "text/html",
}


_PAGE = b"<!doctype html><html><head><title>A page</title></head><body>%s</body></html>"
_FEEDS = {
    "good.xml": ["bytes/20000/one.mp4", "bytes/30000/two.mp4", "bytes/40000/three.mp4"],
    "onebad.xml": ["bytes/20000/one.mp4", "status/404/two.mp4", "bytes/40000/three.mp4"],
    "allbad.xml": ["status/404/one.mp4", "status/410/two.mp4"],
}


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    range: str | None
    cookie: str | None = None


class MediaServer:
    """Runs in threads of the test's process."""

    def __init__(self, media: Path, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.media = media
        self.requests: list[Request] = []
        self.texts: dict[str, tuple[str, bytes]] = {}
        self.failures: Counter[str] = Counter()
        self.open: set[object] = set()
        self.closing = threading.Event()
        self.began = time.monotonic()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.media_server = self
        self._scheme = "https" if context else "http"
        self._context = context
        self._http.context = context

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}/{path.lstrip('/')}"

    def text(self, name: str, content: str | bytes, content_type: str | None = None) -> str:
        """Serve a text; return its URL."""
        kind = content_type or TYPES.get(Path(name).suffix, "text/plain")
        self.texts[name] = (kind, content.encode() if isinstance(content, str) else content)
        return self.url(f"text/{name}")

    def feed(self, name: str, urls: list[str]) -> str:
        """Serve an RSS feed with an item for each URL; return its URL."""
        return self.text(f"{name}.xml", rss(name, urls))

    def ranges(self, path: str) -> list[str]:
        return [one.range for one in self.requests if path in one.path and one.range]

    def start(self) -> MediaServer:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class SilentListener:
    """Takes connections and never says a word: a TLS handshake with it does not end."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0))
        self.port = int(self._socket.getsockname()[1])

    def was_called(self) -> bool:
        self._socket.settimeout(0.2)
        with suppress(TimeoutError):
            self._socket.accept()[0].close()
            return True
        return False

    def stop(self) -> None:
        self._socket.close()


def rss(title: str, urls: list[str]) -> str:
    """Return an RSS feed with an item for each URL."""
    items = "".join(
        f"<item><title>Item {number}</title><link>{url}</link>"
        f'<enclosure url="{url}" type="video/mp4" length="1"/></item>'
        for number, url in enumerate(urls, start=1)
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>{items}'
        "</channel></rss>"
    )


def content(start: int, count: int) -> bytes:
    """Return made-up bytes: the same every time, and no block like another.

    So a file that was put together from the wrong places does not look right.
    """
    first, last = start // BLOCK, (start + count) // BLOCK
    blocks = b"".join(n.to_bytes(8, "big") + FILLING[8:] for n in range(first, last + 1))
    return blocks[start - first * BLOCK :][:count]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    media_server: MediaServer
    context: ssl.SSLContext | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: broken connections are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        if self.server.context:  # here, not at accept: a slow handshake must not block the others
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()
        self.server.media_server.open.add(self)

    def finish(self) -> None:
        self.server.media_server.open.discard(self)
        with suppress(OSError):
            super().finish()
        if self.server.context:  # the server itself knows only the plain socket below it
            self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        owner = self.server.media_server
        owner.requests.append(
            Request(self.command, self.path, self.headers.get("Range"), self.headers.get("Cookie"))
        )
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self._route(urlsplit(self.path).path.lstrip("/").split("/"), {})
            return
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _route(  # noqa: C901, PLR0912 - one case for each behaviour
        self, parts: list[str], how: dict[str, float]
    ) -> None:
        owner = self.server.media_server
        match parts:
            case ["slow", rate, *rest]:
                self._route(rest, {**how, "rate": float(rate)})
            case ["stall" | "cut" as kind, count, *rest]:
                self._route(rest, {**how, kind: float(count)})
            case ["unknown", *rest]:
                self._route(rest, {**how, "unknown": 1})
            case ["silent", *_]:
                self._wait_for_the_end()
            case ["status", code, *_]:
                self._status(int(code))
            case ["flaky", count, code, key, *rest]:
                owner.failures[key] += 1
                if owner.failures[key] <= int(count):
                    self._status(int(code))
                else:
                    self._route(rest, how)
            case ["redirect", *_]:
                self._redirect(parse_qs(urlsplit(self.path).query)["to"][0])
            case ["live", "i.m3u8"]:
                self._live()
            case ["slowhls", seconds, *rest]:
                if rest[-1].endswith(".ts"):
                    owner.closing.wait(float(seconds))
                self._route(["media", *rest], how)
            case ["packed", count, *_]:
                self._packed(int(count))
            case ["bytes", count, name]:
                self._send(Source(int(count)), Path(name).suffix, how)
            case ["page", "video.html"]:
                self._whole(TYPES[".html"], _PAGE % b'<video src="/media/video.mp4"></video>')
            case ["page", *_]:
                self._whole(TYPES[".html"], _PAGE % b"<p>Nothing to see.</p>")
            case ["feed", name]:
                urls = [owner.url(one) for one in _FEEDS.get(name, ())]
                self._whole(TYPES[".xml"], rss(name, urls).encode())
            case ["text", *rest] if "/".join(rest) in owner.texts:
                self._whole(*owner.texts["/".join(rest)])
            case ["media", *rest] if (owner.media / unquote("/".join(rest))).is_file():
                path = owner.media / unquote("/".join(rest))
                self._send(Source(path), path.suffix, how)
            case _:
                self._status(404)

    def _send(self, source: Source, suffix: str, how: dict[str, float]) -> None:
        start, end = 0, source.size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            start = int(asked[1])
            end = min(end, int(asked[2]) + 1) if asked[2] else end
            if start >= source.size:
                self._status(416)
                return
        kind = TYPES.get(suffix, "application/octet-stream")
        tag = {"ETag": f'"{source.size}"'}
        if how.get("unknown"):
            self._head(200, kind, None)
        else:
            place = {"Content-Range": f"bytes {start}-{end - 1}/{source.size}"} if asked else {}
            self._head(206 if asked else 200, kind, end - start, tag | place)
        if self.command == "HEAD":
            return
        rate = how.get("rate")
        step = int(min(65536, max(1, (rate or 1e9) / 20)))
        limit = how.get("stall", how.get("cut"))
        position = start
        while position < end and not self.server.media_server.closing.is_set():
            if limit is not None and position - start >= limit:
                if "stall" in how:
                    self._wait_for_the_end()
                break
            data = source.read(position, min(step, end - position))
            self.wfile.write(data)
            position += len(data)
            if rate:
                self.server.media_server.closing.wait(len(data) / rate)
        if how.get("unknown") or limit is not None:
            self.close_connection = True

    def _live(self) -> None:
        owner = self.server.media_server
        now = int(time.monotonic() - owner.began) + 6
        count = len(list((owner.media / "hls").glob("s*.ts")))
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{now - 5}")
        for number in range(now - 5, now):
            lines += ["#EXTINF:1.0,", f"/media/hls/s{number % count:03d}.ts"]
        self._whole(TYPES[".m3u8"], "\n".join([*lines, ""]).encode())

    def _packed(self, count: int) -> None:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        parts = [packer.compress(bytes(min(2**20, count - at))) for at in range(0, count, 2**20)]
        body = b"".join([*parts, packer.flush()])
        self._head(200, "text/plain", len(body), {"Content-Encoding": "gzip"})
        self.wfile.write(body)

    def _redirect(self, target: str) -> None:
        self._head(302, "text/plain", 0, {"Location": target})

    def _status(self, code: int) -> None:
        extra = {"Retry-After": "1"} if code in {429, 503} else {}
        self._head(code, "text/plain", 0, extra)

    def _head(
        self, code: int, kind: str, length: int | None, extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, kind: str, body: bytes) -> None:
        self._head(200, kind, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _wait_for_the_end(self) -> None:
        """Say nothing until the other side has gone or the server ends."""
        self.connection.settimeout(0.1)
        while not self.server.media_server.closing.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except (OSError, ssl.SSLError):
                break
        self.close_connection = True


class Source:
    """Bytes to send: a file's, or made up ones that are the same every time."""

    def __init__(self, what: Path | int) -> None:
        self._content = what.read_bytes() if isinstance(what, Path) else None
        self.size = len(self._content) if self._content is not None else int(str(what))

    def read(self, start: int, count: int) -> bytes:
        if self._content is not None:
            return self._content[start : start + count]
        return content(start, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve test media until interrupted.")
    parser.add_argument("folder", type=Path, nargs="?", help="media; made where none is given")
    parser.add_argument("--port", type=int, default=18080)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        server = MediaServer(chosen.folder or make(Path(made) / "media"), port=chosen.port).start()
        print(server.url("media/video.mp4"), flush=True)  # noqa: T201 - tells where it is
        with suppress(KeyboardInterrupt):
            server.closing.wait()
        server.stop()
