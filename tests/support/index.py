"""A package index on loopback with versions of yt-dlp built from the installed one."""

from __future__ import annotations

import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from mediarip_mqtt.service import ytdlp_version

BROKEN = {
    "import": ("yt_dlp/YoutubeDL.py", 'raise ImportError("made for a test")\n'),
    "hangs": ("yt_dlp/YoutubeDL.py", "import time\ntime.sleep(600)\n"),
    "can't be stopped": (
        "yt_dlp/downloader/http.py",
        """\
import time
import urllib.request
from .common import FileDownloader


class HttpFD(FileDownloader):
    def real_download(self, filename, info_dict):
        while 'stalls' in info_dict['url']:
            try:
                self._hook_progress(
                    {'status': 'downloading', 'filename': filename, 'downloaded_bytes': 10},
                    info_dict,
                )
                time.sleep(0.1)
            except BaseException:
                pass
        with open(filename, 'wb') as file:
            file.write(urllib.request.urlopen(info_dict['url']).read())
        self._hook_progress({'status': 'finished', 'filename': filename}, info_dict)
        return True
""",
    ),
    "download": (
        "yt_dlp/downloader/http.py",
        """\
from .common import FileDownloader


class HttpFD(FileDownloader):
    def real_download(self, filename, info_dict):
        return False
""",
    ),
}


class PackageIndex:
    """Serves the wheels built by `add` with the simple API."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("yt-dlp", "yt-dlp-ejs"):
            (folder / name).mkdir(parents=True)
        handler = partial(_Quiet, directory=str(folder))
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        _wheel(folder / "yt-dlp-ejs", "yt-dlp-ejs", distribution("yt-dlp-ejs").version, {})

    def start(self) -> PackageIndex:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, version: str, broken: str | None = None) -> None:
        """Add a version; ``broken`` is a key of `BROKEN`."""
        changed = {"yt_dlp/version.py": _version_module(version)}
        if broken:
            name, content = BROKEN[broken]
            changed[name] = content
        _wheel(self.folder / "yt-dlp", "yt-dlp", version, changed)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def _version_module(version: str) -> str:
    version = ytdlp_version.shown(version)  # in it, but not in the wheel's metadata
    return (
        f"__version__ = '{version}'\nRELEASE_GIT_HEAD = None\nVARIANT = 'pip'\n"
        "UPDATE_HINT = None\nCHANNEL = 'stable'\nORIGIN = 'yt-dlp/yt-dlp'\n_pkg_version = "
        f"'{version}'\n"
    )


def _wheel(folder: Path, name: str, version: str, changed: dict[str, str]) -> None:
    installed = distribution(name)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file in installed.files or ():
            path = str(file)
            if ".dist-info" in path or ".." in path or not path.endswith((".py", ".js", ".json")):
                continue
            if path not in changed:
                wheel.write(str(file.locate()), path)
        for path, content in changed.items():
            wheel.writestr(path, content)
        metadata = installed.read_text("METADATA") or ""
        head = metadata.replace(f"Version: {installed.version}", f"Version: {version}", 1)
        wheel.writestr(f"{info}/METADATA", head)
        tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        names = "".join(f"{one},,\n" for one in [*wheel.namelist(), f"{info}/RECORD"])
        wheel.writestr(f"{info}/RECORD", names)
