"""A recording is one job's from its begin to its end: no restart, pause or failure loses a part."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.live import LiveServer
from tests.support.service import Service

pytestmark = pytest.mark.slow


@pytest.fixture
def service(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Service]:
    settings: dict[str, Any] = {
        "DOWNLOADS__STALL_TIMEOUT": "4",
        "DOWNLOADS__MAX_ATTEMPTS": "2",
    }
    service = Service(tmp_path, mosquitto.port, **settings).start()
    yield service
    service.stop()


def begun(service: Service, client: Client, url: str) -> str:
    job_id = client.download(url)
    wait_for(lambda: service.largest_temporary() > 40_000, 30)
    return job_id


def ended(client: Client, job_id: str) -> dict[str, Any]:
    return client.wait_status(job_id, "completed", "failed", timeout=60)


def seconds(path: Path) -> float:
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True)
    return float(json.loads(done.stdout)["format"]["duration"])


def test_a_stream_that_stops_growing_completes_its_job(
    service: Service, client: Client, live: LiveServer
) -> None:
    live.until = 4
    job = ended(client, client.download(live.url("live.m3u8")))
    assert job["status"] == "completed", job
    assert job["attempt"] == 1
    assert seconds(service.root / job["filename"]) > 2
    assert "without saying that it has ended" in job["warning"]


@pytest.mark.parametrize("how", ["restart", "kill", "pause"])
def test_a_recording_goes_on_after_an_interruption_and_its_parts_are_joined(
    how: str, service: Service, client: Client, live: LiveServer
) -> None:
    job_id = begun(service, client, live.url("live.m3u8"))
    interrupted = live.age
    if how == "pause":
        assert client.request("pause", id=job_id)["ok"]
        wait_for(lambda: live.age > interrupted + 2, 10)
        assert client.request("resume", id=job_id)["ok"]
    else:
        service.stop() if how == "restart" else service.kill()
        service.start()
    since = live.age
    wait_for(lambda: live.age > since + 8, 20)
    live.until, live.ended = live.age, True
    job = ended(client, job_id)
    assert job["status"] == "completed", job
    assert len(service.media()) == 1
    assert seconds(service.root / job["filename"]) > 7
    assert "are missing" in job["warning"]
    wait_for(lambda: not service.temporary())


def test_a_stream_that_is_gone_after_a_restart_completes_with_what_was_recorded(
    service: Service, client: Client, live: LiveServer
) -> None:
    job_id = begun(service, client, live.url("live.m3u8"))
    service.stop()
    live.status = 404
    service.start()
    job = ended(client, job_id)
    assert job["status"] == "completed", job
    assert seconds(service.root / job["filename"]) >= 2
    assert "There is nothing at this URL (404)" in job["warning"]


def test_a_cancelled_recording_leaves_nothing(
    service: Service, client: Client, live: LiveServer
) -> None:
    job_id = begun(service, client, live.url("live.m3u8"))
    assert client.request("cancel", id=job_id)["ok"]
    client.wait_status(job_id, "cancelled")
    wait_for(lambda: not service.temporary())
    assert not service.media()
