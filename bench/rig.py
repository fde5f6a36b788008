"""What all benchmarks run on: a media server, Mosquitto, the service and a client, on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.media import make
from tests.support.service import Service

PATIENCE: Final = 600.0  # seconds for one measurement


@dataclass(frozen=True)
class Measured:
    """Seconds of the clock, and of processor time of all processes."""

    seconds: float
    processor: float


@dataclass
class Rig:
    """The parts; `running` starts the service."""

    folder: Path
    port: int  # of the media server
    broker: Mosquitto
    client: Client
    _seen: int = 0  # messages that were looked at
    _done: int = 0

    def url(self, path: str) -> str:
        """Return the URL of a path of the media server."""
        return f"http://127.0.0.1:{self.port}/{path}"

    @contextmanager
    def running(self, name: str, **settings: str) -> Iterator[Service]:
        """Run the service on a volume of its own, in an interpreter of its own."""
        service = Service(self.folder / name, self.broker.port, fresh=True, **settings)
        service.folder.mkdir(exist_ok=True)
        service.start()
        try:
            yield service
        finally:
            service.kill()
            self._forget()

    def completed(self) -> int:
        """Return how many events `completed` have arrived so far."""
        messages = self.client.messages
        while self._seen < len(messages):
            topic, payload = messages[self._seen]
            self._seen += 1
            self._done += topic.endswith("/event") and '"event_type":"completed"' in payload
        return self._done

    def download(self, urls: list[str], **options: object) -> None:
        """Have the service download all of them; return when they are completed."""
        wanted = self.completed() + len(urls)
        for url in urls:
            self.client.publish("command", {"url": url, **options})
        wait_for(lambda: self.completed() >= wanted, PATIENCE, f"{wanted} jobs")

    def _forget(self) -> None:
        """Clear what the service has retained, for the next one."""
        for topic in list(self.client.retained):
            self.client.publish(topic.removeprefix("mediarip/"), "", retain=True)
        wait_for(lambda: not self.client.retained)


@contextmanager
def rig() -> Iterator[Rig]:
    """Start media server and broker, and stop them at the end."""
    with TemporaryDirectory(prefix="mediarip-bench-") as name:
        folder, port = Path(name), free_port()
        media = make(folder / "media")
        command = [sys.executable, "-m", "bench.media_site", str(port), str(media)]
        site = subprocess.Popen(command)  # noqa: S603 - this interpreter
        broker = Mosquitto(folder / "broker")
        broker.saves_each_change = False  # as in usual installations
        broker.start()
        client = Client(broker.port)
        try:
            yield Rig(folder, port, broker, client)
        finally:
            client.close()
            broker.stop()
            site.kill()
            site.wait()


def processor_time(pid: int) -> float:
    """Return the processor time that a process and its children have used, in seconds."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    used = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            used += times.user + times.system
    return float(used)


def run(command: list[str]) -> Measured:
    """Run a program and return what it took; raise `CalledProcessError` if it fails."""
    before, began = psutil.Process().cpu_times(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own commands
    seconds, after = time.monotonic() - began, psutil.Process().cpu_times()
    processor = sum(
        getattr(after, name) - getattr(before, name)
        for name in ("children_user", "children_system")
    )
    return Measured(seconds, processor)
