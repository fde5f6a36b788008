"""A web server that costs little, so that what is measured is the client.

Paths: ``/<bytes>/<name>`` is a film of that size, with Range: a few seconds and then filling;
``/hls/<count>/i.m3u8`` a list of that many fragments of a second. Standalone:
``python -m bench.media_site PORT FOLDER``, where FOLDER has what `tests.support.media` makes.
"""

from __future__ import annotations

import os
import re
import struct
import sys
import tempfile
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

LARGEST: Final = 2**31  # bytes of the sparse file that the filling is cut from
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # the headers in one packet
    film = fragment = b""
    filling = -1  # a descriptor

    def do_GET(self) -> None:
        first = self.path.strip("/").split("/")
        if first[0] == "hls":
            self._send(self._list(int(first[1])), "application/vnd.apple.mpegurl")
        elif first[0] == "fragment":
            self._send(self.fragment, "video/mp2t")
        else:
            self._send_film(int(first[0]))

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def _list(self, count: int) -> bytes:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
        for number in range(count):
            lines += ["#EXTINF:1,", f"/fragment/{number}.ts"]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()

    def _send(self, body: bytes, kind: str) -> None:
        self._head(HTTPStatus.OK, len(body), kind)
        if self.command == "GET":
            self.wfile.write(body)

    def _send_film(self, size: int) -> None:
        first, last, span = 0, size - 1, None
        if wanted := _RANGE.match(self.headers.get("Range") or ""):
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
            span = f"bytes {first}-{last}/{size}"
        status = HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK
        self._head(status, last - first + 1, "video/mp4", span)
        if self.command != "GET":
            return
        begin = self.film + struct.pack(">I4s", size - len(self.film), b"free")
        self.wfile.write(begin[first : last + 1])
        self.wfile.flush()
        first = max(first, len(begin))
        while first <= last:
            first += os.sendfile(self.connection.fileno(), self.filling, first, last - first + 1)

    def _head(self, status: HTTPStatus, length: int, kind: str, span: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()

    def handle(self) -> None:
        """Serve one connection; a client may leave in the middle of an answer."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until the process is killed."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    _Handler.film = (folder / "video.mp4").read_bytes()
    _Handler.fragment = (folder / "hls" / "s000.ts").read_bytes()
    with tempfile.TemporaryFile() as filling:
        filling.truncate(LARGEST)
        _Handler.filling = filling.fileno()
        _Server(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
