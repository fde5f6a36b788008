"""What the broker retains is read to its end."""

from __future__ import annotations

import asyncio
import time

from mediarip_mqtt import threads
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import connect
from tests.support.broker import Client, Mosquitto


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
