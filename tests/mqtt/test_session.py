"""The service's session at the broker, and commands that come twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.refusals import Refusals
from mediarip_mqtt.mqtt.session import Session
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import kill, program
from tests.support.server import MediaServer
from tests.support.service import Service


def test_what_was_delivered_is_forgotten_with_the_broker_s_session(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port)

    def known() -> int:
        with contextlib.closing(sqlite3.connect(service.root / ".mediarip" / "store.db")) as store:
            return int(store.execute("SELECT count(*) FROM deliveries").fetchone()[0])

    client.publish("command/pause", "")
    wait_for(lambda: known() == 1)
    mosquitto.stop()
    (mosquitto.folder / "mosquitto.db").unlink()
    mosquitto.start()
    wait_for(lambda: known() == 0)
    wait_for(lambda: service.log.count("connected to") > 1)


def test_a_command_that_is_sent_while_the_service_is_away_is_carried_out(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port)
    service.stop()
    client.publish("command/pause", {"request_id": "p"})
    service.start()
    wait_for(lambda: client.replies("p"))


@pytest.mark.slow
def test_a_command_delivered_again_after_a_kill_acts_once_and_is_answered(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port, wait=False)
    service.kill()
    service.program = program(kill("before-ack"))
    service.start()
    client.publish("command", "https://a.example/x")
    wait_for(lambda: not service.running)
    service.program = ["-m", "mediarip_mqtt"]
    service.start()
    reply = json.loads(wait_for(lambda: client.payloads("response"))[0])
    assert reply["ok"]
    assert client.request("list")["count"] == 1


@pytest.mark.slow
def test_a_probe_delivered_again_after_a_kill_is_answered_once(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = run(mosquitto.port, wait=False)
    service.kill()
    service.program = program(kill("before-ack"))
    service.start()
    client.publish("command/probe", media.url("/bytes/1000/x.mp4"))
    wait_for(lambda: not service.running)
    service.program = ["-m", "mediarip_mqtt"]
    service.start()
    wait_for(lambda: client.payloads("response"))
    assert client.request("list")["ok"]
    assert len([one for one in client.payloads("response") if '"probe"' in one]) == 1


class SlowToAnnounce:
    """In place of all parts: the first publications wait for the end."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.identifier, self.former = "mediarip-x", None

    async def publish(self, *_: object) -> None:
        await self.draining.wait()

    async def drain(self, _: object) -> None:
        self.draining.set()

    async def run(self, *_: object) -> None:
        await asyncio.Event().wait()

    async def wait(self, *_: object) -> None:
        """Do nothing."""

    def mark(self) -> None:
        """Do nothing."""

    mark_all = restart = mark
    send = subscribe = announce = look = clear = load = wait
    serve = run
    follow_births = publish


async def test_a_service_that_ends_right_after_its_connect_leaves_offline_behind(
    mosquitto: Mosquitto, client: Client
) -> None:
    parts: Any = SlowToAnnounce()
    settings, topics = MqttSettings(port=mosquitto.port), Topics("mediarip")
    handlers = (parts.wait, parts.wait, lambda _: None, lambda _: False)
    session = Session(
        settings, topics, parts, parts, Refusals(), parts, parts, parts, parts, *handlers
    )
    running = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while session.lost_at is not None:  # noqa: ASYNC110 - the session tells nobody
            await asyncio.sleep(0.01)
        await session.finish()
        await running
    client.publish("behind", "it", retain=True)  # arrives behind all that the session has sent
    wait_for(lambda: client.retained.get("mediarip/behind"))
    assert client.retained["mediarip/status"] == "offline"
