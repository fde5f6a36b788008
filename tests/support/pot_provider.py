"""A stand-in for the HTTP interface of bgutil-ytdlp-pot-provider 2: `/ping` and `/get_pot`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "cG8tdG9rZW4tYWJj"  # base64, as yt-dlp requires


class PotProvider(ThreadingHTTPServer):
    """Answers with a version and a token; ``asked`` has the path and the body of each request."""

    def __init__(self, version: str = "2.0.2", redirect: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.version, self.redirect = version, redirect
        self.asked: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PotProvider

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(None, {"version": self.server.version, "server_uptime": 1.5})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(body, {"poToken": TOKEN, "contentBinding": body["content_binding"]})

    def _answer(self, body: Any, answer: dict[str, Any]) -> None:
        self.server.asked.append((self.path, body))
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def pot_provider(version: str = "2.0.2", redirect: str | None = None) -> Iterator[PotProvider]:
    """Run the stand-in at a free port of 127.0.0.1."""
    with PotProvider(version, redirect) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
