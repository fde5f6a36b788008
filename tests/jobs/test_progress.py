"""How often progress is published; and a job without progress does not hold its slot for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

MESSAGES_PER_SECOND = 5


@pytest.fixture
def impatient(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Service]:
    one = Service(
        tmp_path, mosquitto.port, DOWNLOADS__STALL_TIMEOUT="1.5", DOWNLOADS__MAX_ATTEMPTS="2"
    ).start()
    yield one
    one.stop()


def test_a_job_sends_at_most_five_progress_messages_in_any_second_and_always_its_last_one(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__MAX_CONCURRENT="4").start()
    mp3 = {"media_type": "audio", "output_format": "mp3"}
    try:
        jobs = [
            client.download(media.url("/media/avhls/master.m3u8")),  # two streams, merged
            client.download(media.url("/media/video.mp4"), **mp3),  # converted
            client.download(media.url("/bytes/1000/a.mp4")),
            client.download(media.url("/slow/400000/bytes/800000/b.mp4")),
        ]
        for _ in range(5):  # each makes the last job begin anew, with all its phases
            client.publish("command/pause", jobs[-1], wait=False)
            client.publish("command/resume", jobs[-1], wait=False)
            client.wait_status(jobs[-1], "downloading")
        for job_id in jobs:
            client.wait_status(job_id, "completed")
            wait_for(lambda: client.json(f"job/{job_id}/progress").get("progress_percent") == 100)  # noqa: B023 - called at once
    finally:
        service.stop()  # publishes what it still holds back
    for job_id in jobs:
        times, payloads = zip(*client.arrivals(f"job/{job_id}/progress"), strict=True)
        crowded = [
            later - first
            for first, later in zip(times, times[MESSAGES_PER_SECOND:], strict=False)
            if later - first < 1
        ]
        assert not crowded, (job_id, payloads)
        percents = [json.loads(payload)["progress_percent"] for payload in payloads]
        assert percents == sorted(percents)
        assert json.loads(payloads[-1])["status"] == "completed"


def test_a_topic_that_is_cleared_waits_for_no_progress_message(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port).start()
    try:
        job_id = client.download(media.url("/media/avhls/master.m3u8"))
        client.wait_status(job_id, "completed")
        assert client.request("delete", id=job_id)["ok"]
        wait_for(lambda: client.arrivals(f"job/{job_id}/progress")[-1][1] == "", 0.7)
    finally:
        service.stop()


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_slow_download_that_moves_is_left_alone(
    impatient: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/20000/bytes/100000/x.mp4"))
    assert client.wait_status(job_id, "completed", "failed", timeout=30)["status"] == "completed"
    assert client.job(job_id)["attempt"] == 1
    assert impatient.running
