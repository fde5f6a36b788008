"""Whether a yt-dlp works with this service: `python -m mediarip_mqtt.smoke VERSION`.

Run in a fresh interpreter by `mediarip_mqtt.updates`, before a version is used. It downloads a file
from a server of its own on loopback, through the service's engine; exit code 0 where that works.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from packaging.version import Version

SIZE: Final = 300_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main(version: str) -> None:
    """Raise where something does not work."""
    from mediarip_mqtt.engine.base import Task  # noqa: PLC0415 - a failing import is a finding
    from mediarip_mqtt.engine.ytdlp import YtdlpEngine  # noqa: PLC0415 - the same
    from mediarip_mqtt.settings import DownloadSettings, SecuritySettings  # noqa: PLC0415 - the same

    engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allow_private_addresses=True))
    engine.check()
    found = engine.facts().ytdlp
    if Version(found) != Version(version):  # 2026.08.19 is 2026.8.19
        raise SystemExit(f"it says that it is {found[:40]}, not {version[:40]}")
    with tempfile.TemporaryDirectory() as name:
        served, taken = Path(name, "served"), Path(name, "taken")
        served.mkdir()
        taken.mkdir()
        content = os.urandom(SIZE)
        (served / "clip.mp4").write_bytes(content)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/clip.mp4"
        task = Task(job_id="smoke", url=url, temp_dir=taken)
        control = engine.control()
        page = engine.extract(task, control)
        files = engine.download(task, page, engine.control(), lambda _: None)
        if Path(files[0].temp_path).read_bytes() != content:
            raise SystemExit("a downloaded file is not what the server sent")
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
