"""The broker: whether the service may connect, publish and subscribe, and messages are retained."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

from mediarip_mqtt.cli.client import Client, open_client
from mediarip_mqtt.cli.doctor.findings import Finding, from_error, ok, problem, warning
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.errors import BrokerError, LinkError, RefusedError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection_errors import CredentialsError

ROUND_TRIP: Final = 3.0  # seconds until a message must come back
ANSWER_TIME: Final = 1.0  # seconds for all services below the base topic to answer


def look(settings: MqttSettings) -> list[Finding]:
    """Check the broker; blocks. Publishes one retained message, and clears it."""
    try:
        return asyncio.run(_look(settings))
    except CredentialsError as error:
        return [ok("broker", f"{_where(settings)} answers"), from_error("credentials", error)]
    except BrokerError as error:
        return [from_error("broker", error)]


def _where(settings: MqttSettings) -> str:
    return f"{settings.host}:{settings.port}"


async def _look(settings: MqttSettings) -> list[Finding]:
    async with open_client(settings) as client:
        return [_connection(settings, client), *await _topics(client, settings.base_topic)]


def _connection(settings: MqttSettings, client: Client) -> Finding:
    user = f"user {settings.username}" if settings.username else "no user name"
    secured = "TLS" if settings.tls else "no TLS"
    text = f"{_where(settings)}, MQTT {client.protocol}, {user}, {secured}"
    if client.protocol != settings.protocol:
        remedy = "Use a broker with MQTT 5 (Mosquitto 2), or set mqtt.protocol to 3.1.1."
        return warning("broker", f"{text}; it does not support MQTT {settings.protocol}", remedy)
    return ok("broker", text)


async def _topics(client: Client, base: str) -> list[Finding]:
    topic = f"{base}/doctor/{uuid.uuid4().hex}"
    remedy = f"Allow the user to read and write `{base}/#` (Mosquitto: docs/mosquitto.acl)."
    try:
        await client.subscribe(topic)
        await client.publish(topic, "doctor", retain=True)
        if not await _arrives(client, topic):
            text = (
                f"a message published below {base}/ does not come back: the user has no permission"
            )
            return [problem("permissions", text, remedy), await _service(client)]
        findings = [ok("permissions", f"may publish and subscribe below {base}/")]
        await client.unsubscribe(topic)
        await client.subscribe(topic)
        if await _arrives(client, topic):
            findings.append(ok("retained messages", "are kept"))
        else:
            text = "the broker does not keep them: the states of the jobs would be lost"
            allow = "Allow them (Mosquitto: `retain_available true`)."
            findings.append(problem("retained messages", text, allow))
        await client.unsubscribe(topic)
        await client.publish(topic, None, retain=True)
        return [*findings, await _service(client)]
    except (LinkError, RefusedError) as error:  # some brokers disconnect the client
        return [problem("permissions", f"below {base}/: {error.message}", remedy)]


async def _arrives(client: Client, topic: str) -> bool:
    deadline = asyncio.get_running_loop().time() + ROUND_TRIP
    try:
        while True:
            message = await client.receive(deadline - asyncio.get_running_loop().time())
            if message.topic == topic:
                return True
    except TimeoutError:
        return False


async def _single(client: Client) -> Finding:
    """Check that only one service answers below the base topic."""
    instances = await client.services(ANSWER_TIME)
    if len(instances) < 2:  # noqa: PLR2004 - versions without the topic `presence` don't answer
        return ok("service", "online")
    where = "; ".join(f"host {one.host}, storage {one.storage_root}" for one in instances)
    remedy = "Stop all but one, or give each its own mqtt.base_topic and mqtt.node_id."
    base = client.topics.base
    return problem("service", f"{len(instances)} are online below {base}/: {where}", remedy)


async def _service(client: Client) -> Finding:
    status = await client.retained(client.topics.status)
    if status == topics.ONLINE.encode():
        return await _single(client)
    text = "never was online" if status is None else "is offline"
    remedy = "Start it: `mediarip-mqtt run`. If it runs, compare its mqtt.base_topic."
    return warning("service", f"{text} (topic {client.topics.status})", remedy)
