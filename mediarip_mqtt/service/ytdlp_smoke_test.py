"""Tests whether a version of yt-dlp works with this service.

`python -m mediarip_mqtt.service.ytdlp_smoke_test VERSION`, run in a fresh interpreter by
`service.ytdlp_update` before a version is used, with the service's download settings as JSON on
standard input. Exit code 0 if the version can be imported, accepts those settings, and through the
service's engine downloads a file, stops at once, and does not connect to a refused address. It
talks to a server of its own on loopback.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.version import Version

if TYPE_CHECKING:
    from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine

HOST: Final = "127.0.0.1"
REFUSED: Final = "127.0.0.2:9"
SIZE: Final = 300_000
STOP_TIME: Final = 10.0  # seconds; usually some milliseconds


class _Site(BaseHTTPRequestHandler):
    """Serves a file, one that stalls, and a redirect to a refused address of this machine."""

    content = os.urandom(SIZE)

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", f"http://{REFUSED}/clip.mp4")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        if self.path.startswith("/stalls"):
            self.wfile.write(self.content[: SIZE // 2])
            time.sleep(STOP_TIME * 2)
        elif self.command == "GET":
            self.wfile.write(self.content)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def main(version: str, downloads: str) -> None:
    """Run all checks; raise if one fails."""
    from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings  # noqa: PLC0415 - as the next
    from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine  # noqa: PLC0415 - an import that fails is a failed check

    YtdlpEngine(DownloadSettings.model_validate_json(downloads), SecuritySettings()).check()
    engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allowed_hosts=(HOST,)))
    running = engine.facts().ytdlp
    if Version(running) != Version(version):  # 2026.08.19 is 2026.8.19
        raise SystemExit(f"it reports version {running[:40]} instead of {version[:40]}")
    server = ThreadingHTTPServer((HOST, 0), _Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{HOST}:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        _downloads(engine, f"{url}/clip.mp4", Path(folder, "whole"))
        _refuses(engine, f"{url}/away.mp4", Path(folder, "away"))
        _stops(engine, f"{url}/stalls.mp4", Path(folder, "stopped"))


def _download(
    engine: YtdlpEngine, url: str, folder: Path, control: Any, report: Callable[[Any], None]
) -> bytes:
    from mediarip_mqtt.engine.protocol import Task  # noqa: PLC0415 - imports yt-dlp

    folder.mkdir()
    task = Task(job_id="smoke", url=url, temp_dir=folder)
    page = engine.extract(task, control)
    made = engine.download(task, page, control, report)
    return Path(made.files[0].path).read_bytes()


def _ignore(_: Any) -> None:
    """Ignore a progress report."""


def _downloads(engine: YtdlpEngine, url: str, folder: Path) -> None:
    if _download(engine, url, folder, engine.control(), _ignore) != _Site.content:
        raise SystemExit("a downloaded file is not what the server sent")


def _refuses(engine: YtdlpEngine, url: str, folder: Path) -> None:
    from mediarip_mqtt.contract.errors import ErrorCode, MediaripError  # noqa: PLC0415 - with the others

    try:
        _download(engine, url, folder, engine.control(), _ignore)
    except MediaripError as error:
        if error.code is ErrorCode.BLOCKED_ADDRESS:
            return
        raise
    raise SystemExit("it follows redirects to addresses that the service refuses")


def _stops(engine: YtdlpEngine, url: str, folder: Path) -> None:
    control = engine.control()
    begun, ended = threading.Event(), threading.Event()

    def download() -> None:
        try:
            _download(engine, url, folder, control, lambda _: begun.set())
        except Exception:  # noqa: BLE001 - it only has to end
            ended.set()

    threading.Thread(target=download, daemon=True).start()
    if not begun.wait(STOP_TIME):
        raise SystemExit("a download does not start")
    control.stop()
    if not ended.wait(STOP_TIME):
        raise SystemExit("a download can't be stopped")


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.read())
    sys.stdout.flush()
    os._exit(0)  # don't wait for a thread that still hangs
