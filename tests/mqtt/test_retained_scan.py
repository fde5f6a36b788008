"""What the broker retains is read to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import Link, connect
from mediarip_mqtt.mqtt.embedded_broker import run_amqtt
from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.service import Service


def wait_compared(service: Service) -> None:
    """Wait until the service has compared its topics, and cleaned up discovery before that."""
    wait_for(lambda: "retained topics with the store" in service.log)


async def test_what_is_retained_is_read_to_its_end_also_while_others_publish(
    mosquitto: Mosquitto, client: Client
) -> None:
    client.publish("job/a/state", "{}", retain=True)
    busy = True

    def publish() -> None:
        while busy:
            client.publish("job/b/state", "{}", retain=True)
            time.sleep(0.05)  # a service that has much to tell

    publishing = asyncio.ensure_future(threads.call(publish))
    try:
        async with asyncio.timeout(10), connect(MqttSettings(port=mosquitto.port)) as link:
            found = await link.read_retained(["mediarip/job/+/state"], len)
    finally:
        busy = False
        await publishing
    assert found["mediarip/job/a/state"] == 2


async def test_messages_of_other_topics_go_on_arriving_meanwhile(
    mosquitto: Mosquitto, client: Client
) -> None:
    client.publish("job/a/state", "{}", retain=True)
    async with connect(MqttSettings(port=mosquitto.port)) as link:
        await link.subscribe("mediarip/command")
        reading = asyncio.ensure_future(link.read_retained(["mediarip/job/+/state"], len))
        await asyncio.sleep(0.1)
        await threads.call(client.publish, "command", "one")
        await threads.call(client.publish, "job/b/state", "{}")  # not retained, of the scan's
        assert await reading == {"mediarip/job/a/state": 2}
        await threads.call(client.publish, "job/b/state", "{}")  # after its end
        await threads.call(client.publish, "command", "two")
        messages = link.messages()
        assert [(await anext(messages)).payload for _ in range(2)] == [b"one", b"two"]


async def test_a_refused_scan_leaves_no_subscription_behind(
    mosquitto: Mosquitto, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(MqttSettings(port=mosquitto.port)) as link:
        subscribe = Link.subscribe

        async def refused(link: Link, *topics: str, **options: object) -> None:
            await subscribe(link, *topics)
            raise SubscriptionError("refused")

        monkeypatch.setattr(Link, "subscribe", refused)
        with pytest.raises(SubscriptionError):
            await link.read_retained(["mediarip/job/+/state"], len)
        monkeypatch.setattr(Link, "subscribe", subscribe)
        await link.subscribe("mediarip/command")
        await threads.call(client.publish, "job/a/state", "{}")
        await threads.call(client.publish, "command", "one")
        assert (await anext(link.messages())).payload == b"one"


async def test_a_broker_that_delivers_the_topics_of_others_has_none_of_them_cleared(
    run: Callable[..., Service],
) -> None:
    """amqtt 0.12 gives what is retained for one client's filters to others as well."""
    cleared: set[str] = set()
    seen: set[str] = set()
    port = free_port()
    async with (
        run_amqtt(port),
        connect(MqttSettings(port=port, protocol="3.1.1")) as observer,
    ):
        await observer.publish("mediarip/notes", "mine", retain=True)
        await observer.publish("homeassistant/device/other/config", "{}", retain=True)
        await observer.subscribe("mediarip/#", "homeassistant/#")

        async def observe() -> None:
            async for message in observer.messages():
                (seen if message.payload else cleared).add(message.topic)

        observing = asyncio.ensure_future(observe())
        try:
            for _ in range(2):
                service = await threads.call(run, port, MQTT__PROTOCOL="3.1.1", LOG__LEVEL="debug")
                await threads.call(wait_for, lambda: "mediarip/status" in seen)
                # Discovery is cleaned up before.
                await threads.call(wait_compared, service)
                await threads.call(service.stop)
        finally:
            observing.cancel()
    assert cleared == {"mediarip/setting/quiet_hours"}  # whose value is an empty text
    assert {"mediarip/info", "mediarip/state", "mediarip/jobs"} <= seen


async def test_what_others_have_retained_is_read_within_bounds(
    mosquitto: Mosquitto, client: Client
) -> None:
    for number in range(30):
        client.publish(f"job/{number}/state", "{}", retain=True)
    client.publish("status", "x" * 101, retain=True)
    client.publish(f"job/{'x' * 600}/state", "{}", retain=True)
    async with connect(MqttSettings(port=mosquitto.port)) as link:
        found = await link.read_retained(["mediarip/job/+/state"], len, most=20)
        assert len(found) == 20
        everything = await link.read_retained(["mediarip/job/+/state"], len)
        assert len(everything) == 30
        assert await link.read_retained(["mediarip/status"], len, largest=100) == {}
        assert await link.read_retained(["mediarip/status"], len, largest=101) != {}
