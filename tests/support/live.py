"""A server of live streams that a test steers.

HLS at ``/live.m3u8``, with separate sound at ``/master.m3u8``, radio at ``/radio.mp3``.
"""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from filelock import FileLock

LENGTH = 60  # seconds of the stream
RADIO_RATE = 8000  # bytes per second
WINDOW = 5  # segments in the list
HLS = "application/vnd.apple.mpegurl"
LISTS = {"live.m3u8": "s", "sound.m3u8": "a", "picture.m3u8": "v"}
MASTER = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",DEFAULT=YES,URI="sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=160x120,CODECS="avc1.42c00a,mp4a.40.2",AUDIO="a"
picture.m3u8
"""


def make(folder: Path) -> Path:
    """Return a folder with the segments s000.ts ... of one second, odd.ts and radio.mp3."""
    with FileLock(folder.parent / "live.lock"):
        if not (folder / "ready").exists():
            folder.mkdir(exist_ok=True)
            _make(folder)
            (folder / "ready").touch()
    return folder


def _make(folder: Path) -> None:
    video = ["-f", "lavfi", "-i", f"testsrc=size=160x120:rate=10:duration={LENGTH}"]
    audio = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={LENGTH}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac"]
    hls = ["-hls_time", "1", "-hls_list_size", "0", "-hls_segment_filename"]
    _ffmpeg(folder, *video, *audio, *codecs, *hls, "s%03d.ts", "all.m3u8")
    for name, left_out in (("v", "-an"), ("a", "-vn")):
        only = ["-i", "all.m3u8", left_out, "-c", "copy", *hls]
        _ffmpeg(folder, *only, f"{name}%03d.ts", f"{name}.m3u8")
    noise = ["-f", "lavfi", "-i", f"anoisesrc=duration={LENGTH}"]
    _ffmpeg(folder, *noise, "-c:a", "libmp3lame", "-b:a", "64k", "radio.mp3")
    _ffmpeg(folder, "-i", "s000.ts", "-an", "-c:v", "mpeg2video", "odd.ts")


def _ffmpeg(folder: Path, *arguments: str) -> None:
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *arguments], cwd=folder, check=True)


class LiveServer:
    """The streams begin when the server starts; attributes change what it says from then on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self.until = float(LENGTH - WINDOW)  # seconds for which the stream grows
        self.ended = False  # the list says that the stream has ended
        self.status = 200  # of the list
        self.segment: str | None = None  # sent in place of every segment
        self.icy = True  # the radio has Icecast's headers
        self.radio_limit: int | None = None  # bytes of the radio after which ...
        self.silent = False  # ... nothing is sent, instead of the connection's end
        self.from_begin = False  # the radio sends a file: each connection starts it over
        self.requests: list[str] = []
        self.closing = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{path}"

    def stop(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def age(self) -> float:
        return time.monotonic() - self.began

    def playlist(self, kind: str = "s") -> bytes:
        newest = int(min(self.age, self.until)) + WINDOW
        first = newest - WINDOW
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for number in range(first, newest):
            lines += ["#EXTINF:1.0,", f"{kind}{number:03d}.ts"]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.ended else []), ""]).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: LiveServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        owner, name = self.server.owner, self.path.lstrip("/").partition("?")[0]
        owner.requests.append(name)
        with suppress(OSError):
            if name == "master.m3u8":
                self._send(200, HLS, MASTER)
            elif name in LISTS:
                body = owner.playlist(LISTS[name]) if owner.status == 200 else b""
                self._send(owner.status, HLS, body)
            elif name == "radio.mp3":
                self._radio(owner)
            elif (owner.folder / name).is_file():
                name = owner.segment or name
                self._send(200, "video/mp2t", (owner.folder / name).read_bytes())
            else:
                self._send(404, "text/plain", b"")

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _radio(self, owner: LiveServer) -> None:
        """Send what is on air now, in chunks: an end without the last chunk is an error."""
        if owner.status != 200:
            self._send(owner.status, "text/plain", b"")
            return
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        self.send_header("Transfer-Encoding", "chunked")
        if owner.icy:
            self.send_header("icy-name", "A radio")
        self.end_headers()
        self.close_connection = True
        if self.command == "HEAD":
            return
        data = (owner.folder / "radio.mp3").read_bytes()
        sent = 0
        position = 0 if owner.from_begin else int(owner.age * RADIO_RATE)
        while not owner.closing.is_set():
            limit = owner.radio_limit
            if limit is not None and sent >= limit:
                owner.radio_limit = None
                if owner.silent:
                    owner.closing.wait()
                return
            block = data[position : position + RADIO_RATE // 10]
            if not block:
                self.wfile.write(b"0\r\n\r\n")
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            position, sent = position + len(block), sent + len(block)
            if not owner.from_begin:
                owner.closing.wait(0.1)
