"""Two services on one store: the second is refused, and what is left of a dead one taken over."""

from __future__ import annotations

from pathlib import Path

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service


def test_a_second_service_on_the_same_store_is_refused_and_changes_nothing(
    service: Service, mosquitto: Mosquitto, client: Client, media: MediaServer, tmp_path: Path
) -> None:
    job_id = client.download(media.url("/slow/300000/bytes/1500000/a.mp4"))
    client.wait_status(job_id, "downloading")
    second = Service(tmp_path, mosquitto.port, MQTT__NODE_ID="second", MQTT__BASE_TOPIC="second")
    second.start(wait=False)
    try:
        wait_for(lambda: not second.running, 20)
    finally:
        second.kill()
    assert "Another mediarip-mqtt runs on" in second.log
    assert "Traceback" not in second.log
    assert client.wait_status(job_id, "completed", "failed")["status"] == "completed"
    assert client.job(job_id)["attempt"] == 1


def test_the_store_of_a_service_that_was_killed_is_taken_over_at_once(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/300000/bytes/1500000/a.mp4"))
    client.wait_status(job_id, "downloading")
    service.kill()
    service.start()
    assert client.wait_status(job_id, "completed", "failed")["status"] == "completed"
