"""A web server with a few files, whose answers a test changes between two attempts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.server import content

OLD, NEW = content(0, 300_000), content(7_000_000, 400_000)


@dataclass
class Answer:
    """How the server answers; ``cut``: it ends the connection after so many bytes."""

    body: bytes = OLD
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    ranges: bool = True
    if_range: bool = True
    distort: Callable[[int, int, int], tuple[int, dict[str, str], slice]] | None = None
    redirect: str = ""
    status: int = 0


class Site:
    """A web server whose answers a test changes between two attempts."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []  # path, Range, If-Range
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.site = self
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def page(self, path: str, *sources: str) -> str:
        """Serve a page with a video element for each source; return its URL."""
        videos = "".join(f'<video src="{source}"></video>' for source in sources)
        page = f"<html><head><title>Clips</title></head><body>{videos}</body></html>"
        self.answers[path] = Answer(page.encode(), {"Content-Type": "text/html"})
        return self.url(path)

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the tests break connections on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Suppress the log."""

    def do_GET(self) -> None:
        self.close_connection = True
        site = self.server.site
        asked = self.headers.get("Range")
        if self.command == "GET":
            site.asked.append((self.path, asked, self.headers.get("If-Range")))
        answer = site.answers.get(urlsplit(self.path).path)
        if answer is None:
            self._head(404, {"Content-Length": "0"})
        elif answer.redirect:
            self._head(302, {"Location": answer.redirect, "Content-Length": "0"})
        elif answer.status:
            self._head(answer.status, {**answer.headers, "Content-Length": "0"})
        else:
            self._file(answer, asked)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _file(self, answer: Answer, asked: str | None) -> None:
        total = len(answer.body)
        kind = {"Content-Type": "video/mp4", **answer.headers}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
        condition = self.headers.get("If-Range")
        tags = {answer.headers.get("ETag"), answer.headers.get("Last-Modified")}
        if answer.if_range and condition and condition not in tags:
            match = None
        if not match or not answer.ranges:
            self._head(200, {**kind, "Content-Length": str(total)})
            self._write(answer.body, answer.cut)
            return
        start, end = int(match[1]), min(int(match[2] or total - 1), total - 1)
        if start >= total:
            self._head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
            return
        section = {"Content-Range": f"bytes {start}-{end}/{total}"}
        status, extra, part = 206, section, slice(start, end + 1)
        if answer.distort:
            status, extra, part = answer.distort(start, end, total)
        body = answer.body[part]
        self._head(status, {**kind, **extra, "Content-Length": str(len(body))})
        self._write(body, answer.cut)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, body: bytes, cut: int | None) -> None:
        if self.command == "GET":
            self.wfile.write(body[:cut])
