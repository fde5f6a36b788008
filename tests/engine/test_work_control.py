"""A stop ends a thread within a second, wherever it is, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings, Settings
from mediarip_mqtt.engine.protocol import Control, Extraction, Report, Task
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.service.app import App
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer

LIMIT = 1.0  # seconds; the contract's


class Work:
    """A job in a thread, as the runner runs it."""

    def __init__(self, engine: YtdlpEngine, task: Task) -> None:
        self.engine = engine
        self.task = task
        self.control = engine.control()
        self.reports: list[Report] = []
        self.outcome: Any = None
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        try:
            found = self.engine.extract(self.task, self.control)
            self.outcome = self.engine.download(self.task, found, self.control, self.reports.append)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.outcome = error

    def start(self) -> Work:
        self.thread.start()
        return self

    def stop(self) -> float:
        began = time.monotonic()
        self.control.stop()
        self.thread.join(10)
        return time.monotonic() - began


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., Work]:
    def begin(
        url: str, options: DownloadOptions | None = None, rate_limit: int = 0, **extra: Any
    ) -> Work:
        downloads = DownloadSettings(ytdlp_options=extra)
        engine = YtdlpEngine(downloads, SecuritySettings(allow_private_addresses=True))
        temp = tmp_path / "temp"
        temp.mkdir()
        task = Task("job", url, temp, options or DownloadOptions())
        work = Work(engine, task)
        work.control.limit(rate_limit)
        return work.start()

    return begin


def assert_ends(work: Work, server: MediaServer, phase: str) -> None:
    assert work.thread.is_alive(), f"ended too early: {work.outcome!r}"
    took = work.stop()
    assert isinstance(work.outcome, Stopped), work.outcome
    assert not work.thread.is_alive()
    assert took < LIMIT, f"{phase}: {took:.2f} s"
    wait_for(lambda: not server.open, 2, "the connections to close")
    children = psutil.Process(os.getpid()).children(recursive=True)
    assert not [one for one in children if "ffmpeg" in one.name()]
    print(f"cancel {phase}: {took * 1000:.0f} ms")  # noqa: T201 - the figure for the notes


def asked(server: MediaServer, path: str) -> Callable[[], bool]:
    return lambda: any(path in one.path for one in server.requests)


PHASES = {
    "silent server, extraction": ("/silent/x.mp4", {}),
    "transfer": ("/slow/100000/bytes/9000000/x.mp4", {}),
    "rate limit": ("/bytes/90000000/x.mp4", {}),
    "stalled body": ("/stall/200000/bytes/9000000/x.mp4", {}),
    "sleep before a transfer": ("/bytes/90000/x.mp4", {"sleep_interval": 60}),
    "fragments": ("/slowhls/0.4/hls/i.m3u8", {}),
    "fragments in four threads": (
        "/slowhls/0.4/hls/i.m3u8",
        {"concurrent_fragment_downloads": 4},
    ),
    "live stream by ffmpeg": ("/live/i.m3u8", {}),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_stop_is_heard_in_every_phase_of_the_network(
    phase: str,
    secure: bool,  # noqa: FBT001 - a parameter of the test
    begin: Callable[..., Work],
    media: MediaServer,
    media_tls: MediaServer,
    monkeypatch: pytest.MonkeyPatch,
    ca_file: Path,
) -> None:
    server = media_tls if secure else media
    path, extra = PHASES[phase]
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    limit = 200_000 if phase == "rate limit" else 0
    work = begin(server.url(path), rate_limit=limit, nocheckcertificate=secure, **extra)
    needle = {"fragments": "s001", "live stream by ffmpeg": "/media/hls/s"}.get(phase, path[:7])
    wait_for(asked(server, needle), 10, phase)
    if phase in {"transfer", "stalled body", "rate limit"}:
        wait_for(lambda: work.reports, 10, "bytes to arrive")
    if phase.startswith("sleep"):
        wait_for(lambda: not server.open, 10, "the page to be read")
    assert_ends(work, server, f"{phase} {'https' if secure else 'http'}")


def test_a_stop_ends_post_processing(
    begin: Callable[..., Work], media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = WorkControl.add_child

    def slow(control: WorkControl, child: Any) -> None:
        os.kill(child.pid, signal.SIGSTOP)  # an ffmpeg that takes for ever
        original(control, child)

    monkeypatch.setattr(WorkControl, "add_child", slow)
    work = begin(
        media.url("/media/video.mp4"),
        DownloadOptions(media_type=MediaType.AUDIO, output_format="mp3"),
    )
    wait_for(lambda: psutil.Process(os.getpid()).children(), 10, "ffmpeg")
    assert_ends(work, media, "post-processing")


def test_a_stop_before_the_start_is_heard(begin: Callable[..., Work], media: MediaServer) -> None:
    work = begin(media.url("/silent/x.mp4"))
    assert work.stop() < LIMIT
    assert isinstance(work.outcome, Stopped)


def test_other_threads_sleep_and_connect_as_ever(media: MediaServer) -> None:
    began = time.monotonic()
    time.sleep(0.05)
    assert time.monotonic() - began >= 0.05
    assert media.port


class Deaf(YtdlpEngine):
    """Hears no stop while it reads the first page, as in a blocking DNS lookup."""

    def __init__(self) -> None:
        super().__init__(DownloadSettings(), SecuritySettings())
        self.gate = threading.Event()

    def extract(self, task: Task, control: Control) -> Extraction:  # noqa: ARG002 - the engine's
        self.gate.wait(60)
        raise DownloadError(ErrorCode.NOT_FOUND, "gone")


@pytest.mark.slow
async def test_a_job_whose_thread_was_lost_begins_as_soon_as_that_has_ended(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    def meanwhile() -> None:
        job_id = client.download("https://example.com/x")
        client.wait_status(job_id, "extracting")
        client.request("pause", id=job_id)
        wait_for(lambda: client.json("state").get("lost_threads") == 1, 50)
        client.request("resume", id=job_id)
        engine.gate.set()
        client.wait_status(job_id, "failed", timeout=20)  # the queue is looked at once a minute

    engine, ready, stop = Deaf(), asyncio.Event(), asyncio.Event()
    settings = Settings.model_validate(
        {"mqtt": {"port": mosquitto.port}, "storage": {"root": tmp_path / "volume", "min_free": 0}}
    )
    serving = asyncio.create_task(App(settings, engine).serve(ready=ready, stop=stop))
    try:
        await ready.wait()
        await threads.call(meanwhile)
    finally:
        engine.gate.set()
        stop.set()
        await serving
