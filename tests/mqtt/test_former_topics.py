"""A base topic that was changed: what the service retained below the former one is cleared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

BASE = "MEDIARIP__MQTT__BASE_TOPIC"


@pytest.fixture
def moved(mosquitto: Mosquitto) -> Iterator[Client]:
    client = Client(mosquitto.port, base="nas/media")
    yield client
    client.close()


def start_again(service: Service, base: str) -> None:
    service.stop()
    service.environment[BASE] = base
    service.start()


def test_nothing_stays_below_the_former_base_topic_but_what_is_another_s(
    run: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
    moved: Client,
    media: MediaServer,
) -> None:
    service = run(mosquitto.port, SESSION__MODE="isolated")
    client.publish("notes", "mine", retain=True)
    client.publish("sensor/nas/state", "on", retain=True)
    job_id = client.download(media.url("/bytes/1000/x.mp4"))
    client.wait_status(job_id, "completed")
    client.publish("session/bob/command", media.url("/bytes/1000/y.mp4"))
    wait_for(lambda: client.kept("session/bob/jobs"))
    start_again(service, "nas/media")
    wait_for(lambda: set(client.retained) == {"mediarip/notes", "mediarip/sensor/nas/state"})
    assert moved.wait_status(job_id, "completed")
    client.publish("command/pause", "")  # nobody takes it
    moved.request("list")
    assert not moved.json("state")["paused"]
    start_again(service, "mediarip")
    wait_for(lambda: client.kept("status") == "online")
    wait_for(lambda: not moved.retained)
    assert client.wait_status(job_id, "completed")


@pytest.mark.slow
def test_a_service_that_now_uses_the_former_base_topic_is_left_alone(
    run: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
    moved: Client,
    media: MediaServer,
    tmp_path: Path,
) -> None:
    service = run(mosquitto.port)
    client.wait_status(client.download(media.url("/bytes/1000/x.mp4")), "completed")
    service.stop()
    (tmp_path / "new").mkdir()
    successor = Service(tmp_path / "new", mosquitto.port, MQTT__NODE_ID="new").start()
    try:
        job_id = client.download(media.url("/bytes/1000/y.mp4"))
        client.wait_status(job_id, "completed")
        service.environment |= {BASE: "nas/media"}
        service.start()
        wait_for(lambda: "another service now uses the base topic mediarip" in service.log)
        assert client.job(job_id)["status"] == "completed"
        assert client.kept("status") == "online"
        assert moved.kept("status") == "online"
    finally:
        successor.stop()


@pytest.mark.slow
def test_of_base_topics_inside_each_other_the_new_one_keeps_its_topics(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = run(mosquitto.port)
    job_id = client.download(media.url("/bytes/1000/x.mp4"))
    client.wait_status(job_id, "completed")
    start_again(service, "mediarip/setting")  # `mediarip/setting/+` was the service's, too
    wait_for(lambda: client.kept("status") is None)
    wait_for(lambda: client.kept(f"job/{job_id}/state") is None)
    assert client.kept("setting/status") == "online"
    assert client.kept(f"setting/job/{job_id}/state")
