"""The service starts and ends in order, with a broker and without."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import ConfigError, Stopped, StoreInUseError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobStatus, now
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Control, Extraction, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.service import health
from mediarip_mqtt.service.app import App
from mediarip_mqtt.service.storage import Storage, open_storage
from tests.support.broker import Client, Mosquitto, free_port

SHUTDOWN = 10.0  # seconds, of which systemd and Docker give so many


class WaitingEngine(YtdlpEngine):
    """Reads each page until it is stopped."""

    def __init__(self) -> None:
        super().__init__(DownloadSettings(), SecuritySettings())
        self.loop = asyncio.get_running_loop()
        self.reading = asyncio.Event()

    def extract(self, task: Task, control: Control) -> Extraction:  # noqa: ARG002 - the engine's
        self.loop.call_soon_threadsafe(self.reading.set)
        while not control.stopped:
            time.sleep(0.01)
        raise Stopped


def configured(tmp_path: Path, port: int) -> Settings:
    return Settings.model_validate(
        {
            "mqtt": {"port": port},
            "storage": {"root": tmp_path / "volume", "min_free": 0},
            "updates": {"check_interval": 0},
        }
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Storage]:
    """Open the storage of a service that does not run."""
    async with open_storage(settings.storage, Topics("mediarip")) as storage:
        yield storage


async def add_job(settings: Settings) -> Job:
    async with opened(settings) as storage:
        jobs, url = Jobs(Topics("mediarip"), Preferences(settings)), "https://example.com/x"
        return await storage.store.write(
            lambda tx: jobs.add(tx, url, DownloadOptions(), session_id="default")
        )


@pytest.fixture
def offline(tmp_path: Path) -> Settings:
    """Settings of a service whose broker is not there."""
    return configured(tmp_path, free_port())


async def test_a_service_without_a_broker_works_on_its_queue_and_ends_in_order(
    offline: Settings,
) -> None:
    job = await add_job(offline)
    engine, stop = WaitingEngine(), asyncio.Event()
    serving = asyncio.create_task(App(offline, engine).serve(stop=stop), name="service")
    async with asyncio.timeout(20):
        await engine.reading.wait()
        began = time.monotonic()
        stop.set()
        assert await serving is False
    assert time.monotonic() - began < SHUTDOWN
    assert not any(path.exists() for path in health.signs_paths(offline))
    async with opened(offline) as storage:  # its lock is free
        after = await storage.store.read(lambda tx: tx.job(job.id))
        assert after is not None
        assert (after.status, after.attempt) == (JobStatus.QUEUED, 0)


async def test_the_last_thing_a_broker_hears_is_offline_after_the_jobs_are_put_back(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    settings = configured(tmp_path, mosquitto.port)
    job = await add_job(settings)
    engine, ready, stop = WaitingEngine(), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(App(settings, engine).serve(ready=ready, stop=stop), name="app")
    async with asyncio.timeout(20):
        await ready.wait()
        await engine.reading.wait()
        stop.set()
        await serving
        while client.kept("status") != "offline":  # noqa: ASYNC110 - the client has threads
            await asyncio.sleep(0.01)
    topics = [topic for topic, _ in client.messages]
    assert topics[-1] == "mediarip/status"
    assert client.job(job.id)["status"] == "queued"
    state = json.loads(client.payloads("state")[-1])
    assert (state["status"], state["active"]) == ("idle", 0)


async def test_what_the_store_keeps_is_in_force_before_anything_begins(offline: Settings) -> None:
    await add_job(offline)

    async with opened(offline) as storage:
        await storage.store.write(
            lambda tx: tx.set_config(PREFIX + "quiet_hours", '"00:00-23:59"', now())
        )
    engine, stop = WaitingEngine(), asyncio.Event()
    serving = asyncio.create_task(App(offline, engine).serve(stop=stop), name="service")
    async with asyncio.timeout(20):
        while health.read(health.signs_paths(offline)) is None:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
        stop.set()
        await serving
    assert not engine.reading.is_set()


async def test_a_second_service_on_the_same_storage_is_refused(offline: Settings) -> None:
    async with opened(offline):
        with pytest.raises(StoreInUseError):
            await App(offline, WaitingEngine()).serve(stop=asyncio.Event())


async def test_a_volume_that_must_be_there_and_is_not_is_refused(offline: Settings) -> None:
    storage = offline.storage.model_copy(update={"create": False})
    settings = offline.model_copy(update={"storage": storage})
    with pytest.raises(ConfigError, match="is it mounted"):
        await App(settings, WaitingEngine()).serve(stop=asyncio.Event())
    assert not (offline.storage.root / ".mediarip" / "store.db").exists()


def test_an_option_that_yt_dlp_does_not_know_is_refused(offline: Settings) -> None:
    downloads = DownloadSettings(ytdlp_options={"no_such_option": True})
    with pytest.raises(ConfigError):
        App(offline.model_copy(update={"downloads": downloads}))


async def test_no_task_is_left_behind(offline: Settings) -> None:
    stop = asyncio.Event()
    before = asyncio.all_tasks()
    serving = asyncio.create_task(App(offline, WaitingEngine()).serve(stop=stop), name="service")
    async with asyncio.timeout(20):
        while health.read(health.signs_paths(offline)) is None:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
        stop.set()
        await serving
    assert asyncio.all_tasks() == before
