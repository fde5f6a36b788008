"""What a server may send where no medium is expected."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from yt_dlp.networking import Request

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import response_limits
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.engine.ytdlp_session import YtdlpSession
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)
VIDEO = b"\0\0\0\x20ftypisom" + b"x" * 999
MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="/packed/subtitles.vtt"
#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42001e,mp4a.40.2",SUBTITLES="s"
/media.m3u8
"""


class Site(BaseHTTPRequestHandler):
    """Redirects with a body without an end; responses that grow when they are unpacked."""

    protocol_version = "HTTP/1.1"
    sent: ClassVar[list[int]] = []  # bytes of each redirect's body
    texts: ClassVar[dict[str, bytes]] = {}

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/redirect"):
            self._redirect()
        elif self.path.startswith("/packed"):
            self._reply(gzip.compress(b"WEBVTT\n\n" + b"\n" * 40_000_000, 1), packed=True)
        else:
            self._reply(self.texts.get(self.path, VIDEO))

    def _reply(self, body: bytes, *, packed: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4" if body is VIDEO else "text/plain")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/clip.mp4")
        self.send_header("Connection", "close")
        self.end_headers()
        count = 0
        try:
            while count < 10**9:
                count += self.wfile.write(b"x" * 2**16)
        except OSError:
            self.sent.append(count)


@pytest.fixture
def site() -> Iterator[str]:
    Site.sent.clear()
    Site.texts.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def session(*, reading: bool) -> Iterator[YtdlpSession]:
    with YtdlpSession({"quiet": True}, OPEN, reading=reading) as opened:
        yield opened


def test_the_body_of_a_redirect_is_not_read(site: str) -> None:
    with session(reading=True) as opened:
        assert opened.urlopen(f"{site}/redirect").read() == VIDEO
        assert opened.urlopen(f"{site}/redirect").read() == VIDEO
    assert all(count < 50 * 2**20 for count in Site.sent)  # what the kernel's buffers take


@pytest.mark.parametrize("lines", [100_000, 100_001])
def test_a_playlist_has_a_number_of_fragments(site: str, lines: int) -> None:
    Site.texts["/list"] = b"#EXTM3U\n" + b"#EXTINF:2,\na\n" * lines
    with session(reading=False) as opened:
        response = opened.urlopen(Request(f"{site}/list"))
        if lines == response_limits.FRAGMENT_LIMIT:
            assert response.read() == Site.texts["/list"]
        else:
            with pytest.raises(DownloadError, match="more than 100000 fragments"):
                response.read()


def test_subtitles_that_grow_are_left_out_with_a_warning(
    site: str, media: MediaServer, tmp_path: Path
) -> None:
    Site.texts["/master.m3u8"] = MASTER.encode()
    Site.texts["/media.m3u8"] = b"#EXTM3U\n#EXTINF:1,\nclip.ts\n#EXT-X-ENDLIST\n"
    Site.texts["/clip.ts"] = (media.media / "hls" / "s000.ts").read_bytes()
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    options = DownloadOptions.model_validate({"subtitles": "en"})
    task = Task("job", f"{site}/master.m3u8", tmp_path, options)
    control = engine.control()
    made = engine.download(task, engine.extract(task, control), control, lambda _: None)
    assert "subtitles in en could not be downloaded" in (made.warning or "")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20 * 2**20


def test_what_is_a_medium_has_no_limit(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAGE_LIMIT", "LIST_LIMIT", "EXTRA_LIMIT"):
        monkeypatch.setattr(response_limits, name, 100)
    with session(reading=False) as opened:
        response: Any = opened.urlopen(f"{site}/clip.mp4")
        assert b"".join(iter(lambda: response.read(64), b"")) == VIDEO
