"""Runs the real service as a child process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.broker import wait_for
from tests.support.forked import Forked

USUAL = ["-m", "mediarip_mqtt"]


class Service:
    """`mediarip-mqtt run` with settings from the environment.

    ``fresh``: start a new interpreter; required if the service restarts itself (exec).
    """

    def __init__(
        self, folder: Path, broker_port: int, *, fresh: bool = False, **settings: str
    ) -> None:
        self.folder = folder
        self.root = folder / "volume"
        self._log = folder / "service.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDIARIP__")}
        self.environment = {
            **kept,
            "MEDIARIP__MQTT__PORT": str(broker_port),
            "MEDIARIP__STORAGE__ROOT": str(self.root),
            "XDG_DATA_HOME": str(folder / "machine"),
            "MEDIARIP__STORAGE__MIN_FREE": "0",
            "MEDIARIP__DOWNLOADS__RETRY_DELAY": "0.2",
            "MEDIARIP__SECURITY__ALLOW_PRIVATE_ADDRESSES": "true",
            **{f"MEDIARIP__{key}": value for key, value in settings.items()},
        }
        self.program = USUAL
        self.options: list[str] = []
        self._fresh = fresh
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        assert self._process is not None
        return self._process

    @property
    def fetched(self) -> Path:
        """Where this service keeps the versions of yt-dlp that it fetched."""
        key = hashlib.blake2b(bytes(self.root), digest_size=8).hexdigest()
        return self.folder / "machine" / "mediarip-mqtt" / key / "ytdlp"

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start(self, *, wait: bool = True) -> Service:
        lines = self.log.count("connected to")
        if self._fresh or self.program != USUAL:
            self._process = self._popen()
        else:
            arguments = ["run", *self.options]
            self._process = Forked(arguments, self.environment, self.folder, self._log)
        if wait:
            wait_for(lambda: self._connected(lines), 60, "the service to connect")
        return self

    def _popen(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *self.program, "run", *self.options],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _connected(self, lines: int) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the service ended with {self._process.returncode}:\n{self.log}")
        return self.log.count("connected to") > lines

    def stop(self) -> float:
        """Stop it with SIGTERM, as systemd and Docker do; return the seconds it took.

        It must shut down cleanly; it may kill itself only if its volume is lost.
        """
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> float:
        began = time.monotonic()
        if self._process is not None:
            ran = self._process.poll() is None
            self._process.send_signal(number)
            code = self._process.wait(20)
            self._process = None
            hard = ran and number == signal.SIGTERM and code == -signal.SIGKILL
            assert not hard or "storage: the volume" in self.log, f"unclean shutdown:\n{self.log}"
        return time.monotonic() - began

    def temporary(self) -> list[Path]:
        """Return the files in the jobs' temporary folders."""
        return _files(self.root / ".mediarip" / "tmp")

    def largest_temporary(self) -> int:
        """Return the size of the largest of them; they may vanish meanwhile."""
        sizes = [0]
        for path in self.temporary():
            with contextlib.suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        return max(sizes)

    def media(self) -> list[str]:
        """Return the files on the volume that are not the service's own."""
        names = [one.relative_to(self.root) for one in _files(self.root)]
        return sorted(str(one) for one in names if one.parts[0] != ".mediarip")


def _files(folder: Path) -> list[Path]:
    """Return all files below a folder, even while the service changes it."""
    return [Path(where) / name for where, _, names in os.walk(folder) for name in names]
