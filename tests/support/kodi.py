"""A real Kodi on a virtual display, with sources of its own, and a client for its JSON-RPC."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import requests

from tests.support.broker import free_port, wait_for

PROGRAMS: Final = (
    "/usr/lib/x86_64-linux-gnu/kodi/kodi.bin",
    "/usr/lib/aarch64-linux-gnu/kodi/kodi.bin",
)
START_TIME: Final = 90  # seconds
SCAN_TIME: Final = 120
ENDLESS: Final = 2147483647  # Kodi's "scan recursively"
# No questions, no network, and no pictures taken from videos.
SETTINGS: Final = """<settings version="2">
<setting id="services.webserver">true</setting>
<setting id="services.webserverport">{port}</setting>
<setting id="services.webserverauthentication">false</setting>
<setting id="general.addonupdates">2</setting>
<setting id="musiclibrary.downloadinfo">false</setting>
<setting id="myvideos.extractflags">false</setting>
<setting id="myvideos.extractthumb">false</setting>
</settings>
"""


class Kodi:
    """An instance with its own data folder.

    ``sources`` are folders by what Kodi takes their content for: `tvshows` or `movies`.
    """

    def __init__(self, folder: Path, sources: dict[Path, str]) -> None:
        self.folder = folder
        self.version = 0
        self._sources = sources
        self._port = free_port()
        self._display = ""
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> Kodi:
        """Start it twice: the first time it makes its databases, to which the sources are added."""
        data = self.folder / "userdata"
        data.mkdir(parents=True)
        (data / "guisettings.xml").write_text(SETTINGS.format(port=self._port))
        self._show()
        self._run()
        self._end(self._processes.pop())
        self._add_sources()
        self._run()
        found = self.call("Application.GetProperties", properties=["version"])["version"]
        self.version = found["major"]
        return self

    def stop(self) -> None:
        """Stop it, and its display."""
        while self._processes:
            self._end(self._processes.pop())

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = requests.post(self._url, json=body, timeout=20).json()
        assert "result" in answer, answer
        result: Any = answer["result"]
        return result if isinstance(result, dict) else {"result": result}

    def scan(self, music: Path | None = None) -> None:
        """Scan all sources, or a folder of music."""
        if music is None:
            self.call("VideoLibrary.Scan", showdialogs=False)
        else:
            self.call("AudioLibrary.Scan", directory=f"{music}/", showdialogs=False)
        key = "Library.IsScanningMusic" if music else "Library.IsScanningVideo"
        time.sleep(1)  # until the scan has begun: Kodi has no other sign
        idle = lambda: not self.call("XBMC.GetInfoBooleans", booleans=[key])[key]  # noqa: E731 - read at once
        wait_for(idle, SCAN_TIME, "Kodi's scan")

    def screenshot(self, window: str, *parameters: str) -> Path:
        """Open a window, select its second item, and return a picture of it."""
        self.call("GUI.ActivateWindow", window=window, parameters=list(parameters))
        time.sleep(2)
        self.call("Input.Down")
        self.call("Input.Down")
        time.sleep(2)
        picture = self.folder / "screen.png"
        command = ["ffmpeg", "-v", "error", "-y", "-f", "x11grab", "-video_size", "1280x720"]
        command += ["-i", self._display, "-frames:v", "1", str(picture)]
        subprocess.run(command, check=True)
        return picture

    @property
    def log(self) -> str:
        path = self.folder / "temp" / "kodi.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}/jsonrpc"

    def _show(self) -> None:
        """Start a display whose number Xvfb chooses."""
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x720x24"]
        command += ["-nolisten", "tcp"]
        with (self.folder / "xvfb.log").open("wb") as log:
            display = subprocess.Popen(command, pass_fds=[writing], stderr=log, stdout=log)
        os.close(writing)
        self._processes.append(display)
        with os.fdopen(reading) as number:
            self._display = f":{number.readline().strip()}"
        assert self._display != ":", (self.folder / "xvfb.log").read_text()

    def _run(self) -> None:
        program = next((path for path in PROGRAMS if Path(path).exists()), None)
        assert program, "Kodi is not installed: run `scripts/setup kodi`"
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "KODI_DATA": str(self.folder),
            "DISPLAY": self._display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        with (self.folder / "kodi.out").open("ab") as log:
            process = subprocess.Popen(
                [program, "--standalone", "--windowing=x11", "--audio-backend=alsa"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        wait_for(lambda: self._answers(process), START_TIME, "Kodi's web server")

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, f"Kodi ended:\n{self.log[-3000:]}"
        with contextlib.suppress(requests.RequestException):
            body: Any = {"jsonrpc": "2.0", "id": 1, "method": "JSONRPC.Ping"}
            return requests.post(self._url, json=body, timeout=3).ok
        return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(8)

    def _add_sources(self) -> None:
        databases = sorted((self.folder / "userdata" / "Database").glob("MyVideos*.db"))
        assert databases, self.log[-3000:]
        with closing(sqlite3.connect(databases[-1])) as database, database:
            database.executemany(
                "INSERT INTO path (strPath, strContent, strScraper, scanRecursive, useFolderNames, "
                "strSettings, noUpdate, exclude, allAudio) "
                "VALUES (?, ?, 'metadata.local', ?, 0, '<settings version=\"2\"/>', 0, 0, 0)",
                [
                    (f"{folder}/", content, ENDLESS if content == "movies" else 0)
                    for folder, content in self._sources.items()
                ],
            )
