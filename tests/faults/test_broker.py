"""The broker stops, dies, freezes and comes back: what was accepted is done, and told."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.proxy import FreezingProxy
from tests.support.server import MediaServer
from tests.support.service import Service

BURST = 60


@pytest.fixture(params=["with persistence", "without persistence"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path / "broker")
    one.persistence = request.param == "with persistence"
    yield one.start()
    one.stop()


def restart(broker: Mosquitto, how: str) -> None:
    (broker.kill if how == "kill" else broker.stop)()
    time.sleep(0.3)  # away for a moment, so that everybody notices
    broker.start()


def equal(service: Service, client: Client) -> bool:
    """Whether the broker retains of every job what the store says."""
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    rows = dict(store.execute("SELECT id, status FROM jobs").fetchall())
    store.close()
    shown = {
        topic.split("/")[2]: json.loads(payload)["status"]
        for topic, payload in dict(client.retained).items()
        if topic.endswith("/state") and "/job/" in topic
    }
    return shown == rows


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_burst_over_restarts_of_the_broker_is_carried_out_once_each(
    how: str, broker: Mosquitto, tmp_path: Path, media: MediaServer
) -> None:
    client = Client(broker.port)
    service = Service(tmp_path, broker.port).start()
    try:
        wanted = {f"r{n}": media.url(f"/bytes/{1000 + n}/{n}.mp4") for n in range(BURST)}
        for number, (request_id, url) in enumerate(wanted.items()):
            client.publish("command", {"url": url, "request_id": request_id}, wait=False)
            if number in {15, 35, 50}:
                restart(broker, how)
        # What a broker forgets in its own crash, a sender who must know sends again.
        deadline = time.monotonic() + 60
        while missing := [one for one in wanted if not client.replies(one)]:
            assert time.monotonic() < deadline, missing
            time.sleep(2)
            for request_id in missing:
                content = {"url": wanted[request_id], "request_id": request_id}
                client.publish("command", content, wait=False)
        wait_for(
            lambda: client.json("state").get("counts", {}).get("completed") == BURST,
            30,
            "all downloads",
        )
        # A fresh client sees what is retained, not what this one remembers.
        fresh = Client(broker.port)
        wait_for(lambda: equal(service, fresh), 10)
        fresh.close()
        assert len(service.media()) == BURST
        if how == "stop" and broker.persistence:
            told = {one["job"]["id"] for one in client.events("completed")}
            assert len(told) == BURST
        assert "Traceback" not in service.log
        assert "never retrieved" not in service.log
    finally:
        service.stop()
        client.close()


def test_a_connection_that_freezes_is_given_up_and_made_anew(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    proxy = FreezingProxy(mosquitto.port).start()
    service = Service(tmp_path, proxy.port, MQTT__KEEPALIVE="5").start()
    try:
        wait_for(lambda: client.kept("status") == "online")
        proxy.freeze()
        for number in range(20):
            client.publish("command", media.url(f"/bytes/1000/{number}.mp4"))
        wait_for(lambda: len(client.events("completed")) == 20, 45, "all downloads")
        assert len(service.media()) == 20
        assert proxy.connections <= 12  # no storm of reconnects
        assert service.log.count("reconnected to") >= 1
    finally:
        service.stop()
        proxy.stop()


def test_without_a_broker_the_queue_works_on_and_nothing_piles_up_in_memory(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__MAX_CONCURRENT="4").start()
    try:
        for number in range(300):
            client.publish("command", media.url(f"/bytes/1000/{number}.mp4"), wait=False)
        wait_for(lambda: sum(client.json("state").get("counts", {}).values()) == 300, 30)
        process = psutil.Process(service.pid)
        mosquitto.stop()
        before = process.memory_info().rss
        wait_for(lambda: len(service.media()) == 300, 240, "the queue to go on")
        grown = process.memory_info().rss - before
        assert grown < 30 * 2**20
        assert service.log.count("can't be reached") <= 2  # said once, not at every try
        mosquitto.start()
        wait_for(lambda: len({one["event_id"] for one in client.events("completed")}) == 300, 60)
        wait_for(lambda: equal(service, client), 10)
    finally:
        service.stop()


def test_refused_credentials_are_said_once_and_not_tried_in_a_storm(
    tmp_path: Path,
) -> None:
    broker = Mosquitto(tmp_path / "broker", anonymous=False).start()
    service = Service(
        tmp_path, broker.port, MQTT__USERNAME="somebody", MQTT__PASSWORD="hunter2hunter2"
    ).start(wait=False)
    try:
        wait_for(lambda: "refused the user name or password" in service.log, 20)
        said = service.log.count("refused the user name")
        time.sleep(10)  # the time in which a storm would be seen
        assert service.running
        assert service.log.count("refused the user name") == said == 1
        tried = (broker.folder / "mosquitto.log").read_text().count("not authorised")
        assert tried <= 2
        assert "hunter2" not in service.log
    finally:
        service.stop()
        broker.stop()
