"""A job that makes no progress does not hold its slot for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

pytestmark = pytest.mark.slow


@pytest.fixture
def impatient(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Service]:
    one = Service(
        tmp_path, mosquitto.port, DOWNLOADS__STALL_TIMEOUT="1.5", DOWNLOADS__MAX_ATTEMPTS="2"
    ).start()
    yield one
    one.stop()


@pytest.mark.parametrize(
    "path",
    ["/silent/page.html", "/stall/100000/bytes/9000000/x.mp4", "/live/i.m3u8"],
    ids=["extraction", "transfer", "live stream"],
)
def test_an_attempt_without_progress_is_ended_retried_and_failed_with_a_reason(
    path: str, impatient: Service, client: Client, media: MediaServer
) -> None:
    job = client.wait_status(client.download(media.url(path)), "failed", timeout=30)
    assert job["error_code"] == "timeout"
    assert "Nothing moved" in job["error_message"]
    assert job["attempt"] == 2
    assert client.events("retrying")
    wait_for(lambda: not media.open)
    assert impatient.running


def test_a_slow_download_that_moves_is_left_alone(
    impatient: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/20000/bytes/100000/x.mp4"))
    assert client.wait_status(job_id, "completed", "failed", timeout=30)["status"] == "completed"
    assert client.job(job_id)["attempt"] == 1
    assert impatient.running
