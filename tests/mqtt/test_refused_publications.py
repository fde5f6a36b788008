"""The service at brokers that refuse, limit, or end connections: everything else goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import LinkError, RefusedError, SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import Will, open_link
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.scripted_broker import CLOSE, ScriptedBroker
from tests.support.service import Service

NOT_AUTHORIZED = 0x87
CALM = 4.0  # seconds in which a service that comes and goes would do so


@pytest.fixture
def scripted() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker()
    yield broker
    broker.stop()


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[[str], Mosquitto]]:
    brokers = []

    def start(limit: str) -> Mosquitto:
        brokers.append(Mosquitto(tmp_path / "limited", limit).start())
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.stop()


def answers(broker: ScriptedBroker, request_id: str) -> bool:
    return any(
        one.topic == "mediarip/response" and request_id.encode() in one.payload
        for one in broker.published
    )


def link_to(broker: ScriptedBroker) -> MqttSettings:
    return MqttSettings(port=broker.port, keepalive=5)


# Publications


def test_one_message_that_ends_connections_is_left_out_and_named(
    run: Callable[..., Service], limited: Callable[[str], Mosquitto]
) -> None:
    broker = limited("max_packet_size 8192")  # the discovery message has 13 KiB
    service = run(broker.port, MQTT__PROTOCOL="3.1.1", HOMEASSISTANT__ENABLED="true")
    client = Client(broker.port)
    try:
        wait_for(lambda: "left out: homeassistant/device/mediarip/config" in service.log)
        wait_for(lambda: client.kept("status") == "online")
        assert client.request("list")["ok"]
        time.sleep(CALM)
        assert service.log.count("connected to") == 2
        assert service.log.count("left out") == 1
    finally:
        client.close()


@pytest.mark.parametrize(
    ("limit", "protocol", "connections"),
    [
        ("max_packet_size 60000", "3.1.1", 2),
        ("max_packet_size 60000", "5", 1),
        # A PUBACK with a code that MQTT does not list for it (eclipse-mosquitto/mosquitto#1654).
        ("message_size_limit 60000", "5", 1),
    ],
)
def test_a_reply_that_is_too_large_for_the_broker_is_shortened(
    limit: str,
    protocol: str,
    connections: int,
    run: Callable[..., Service],
    limited: Callable[[str], Mosquitto],
) -> None:
    broker = limited(limit)
    service = run(broker.port, MQTT__PROTOCOL=protocol)
    client = Client(broker.port)
    try:
        for number in range(2):
            jobs = [
                {
                    "url": f"https://videos.example/{number}-{index}",
                    "title": "An ordinary title " + "t" * 60,
                    "status": "completed",
                    "completed_at": "2026-01-02T03:04:05Z",
                }
                for index in range(40)
            ]
            assert client.request("import", jobs=jobs)["imported"] == 40
        first = client.request("list", limit=200)
        assert first["truncated"]
        assert 10 < first["count"] == len(first["jobs"]) < 80
        following = client.request("list", limit=200, before=first["jobs"][-1]["id"])
        assert following["jobs"][0]["id"] not in {job["id"] for job in first["jobs"]}
        assert service.log.count("connected to") == connections
        assert service.log.count("left out: mediarip/response") == 1
    finally:
        client.close()


@pytest.mark.parametrize("way", ["answer", "disconnect", "close"])
def test_what_the_broker_does_not_allow_is_told_once_and_everything_else_is_published(
    way: str, run: Callable[..., Service], scripted: ScriptedBroker
) -> None:
    scripted.disconnects = way == "disconnect"
    code = CLOSE if way == "close" else NOT_AUTHORIZED
    scripted.on_publish = lambda topic, _: code if topic == "mediarip/info" else 0
    service = run(scripted.port)
    wait_for(lambda: "left out: mediarip/info" in service.log)
    wait_for(lambda: "mediarip/jobs" in scripted.topics())
    scripted.send("mediarip/command/list", json.dumps({"request_id": "r1"}))
    wait_for(lambda: answers(scripted, "r1"))
    time.sleep(CALM)
    assert scripted.connections == (1 if way == "answer" else 2)
    assert service.log.count("left out") == 1
    assert (way != "answer") == ("closes the connection when" in service.log)
    assert (way != "close") == ("0x87" in service.log)


def test_a_refused_reply_is_no_endless_reconnect_and_the_command_is_acknowledged(
    run: Callable[..., Service], scripted: ScriptedBroker
) -> None:
    scripted.on_publish = lambda topic, _: CLOSE if topic == "mediarip/response" else 0
    service = run(scripted.port)
    wait_for(lambda: "mediarip/jobs" in scripted.topics())
    scripted.send("mediarip/command/list", b"")
    wait_for(lambda: "left out: mediarip/response" in service.log)
    time.sleep(CALM)
    assert scripted.connections == 2


def test_a_subscription_that_ends_connections_is_left_out(
    run: Callable[..., Service], scripted: ScriptedBroker
) -> None:
    # AWS IoT closes the connection for a topic filter that its policy does not allow
    # (aws/aws-iot-device-sdk-js#191): a loop of reconnects without a reason.
    scripted.on_subscribe = lambda topic: CLOSE if "session/" in topic else 1
    service = run(scripted.port)
    wait_for(lambda: scripted.topics().count("mediarip/jobs") > 0)
    scripted.send("mediarip/command/list", json.dumps({"request_id": "r1"}))
    wait_for(lambda: answers(scripted, "r1"))
    # One for each filter: two of commands, three of retained topics.
    wait_for(lambda: service.log.count("left out: SUBSCRIBE") == 5, 30)
    connections = scripted.connections
    time.sleep(CALM)
    assert scripted.connections == connections <= 7
    assert service.log.count("mediarip/session/+/command:") == 1
    assert "same id" not in service.log


# Incoming


@pytest.mark.parametrize("topic", [b"mediarip/command/\xff", b"mediarip/command/+"])
def test_a_message_that_can_t_be_read_is_discarded_and_ends_no_connection(
    topic: bytes, run: Callable[..., Service], scripted: ScriptedBroker
) -> None:
    # eclipse-mosquitto/mosquitto#2168: "causing a never ending reconnect loop".
    service = run(scripted.port)
    wait_for(lambda: "mediarip/jobs" in scripted.topics())
    scripted.send(topic, b"{}", packet_id=1)
    scripted.send("mediarip/command/list", json.dumps({"request_id": "r1"}), packet_id=2)
    wait_for(lambda: answers(scripted, "r1"))
    wait_for(lambda: {1, 2} <= scripted.acknowledged)
    assert scripted.connections == 1
    assert "discarded a message" in service.log


# Limits


async def test_no_more_messages_wait_for_an_answer_than_the_broker_allows(
    scripted: ScriptedBroker,
) -> None:
    # HiveMQ's default is 10 (eclipse-mosquitto/mosquitto#1822).
    scripted.connack = {"ReceiveMaximum": 3}
    async with open_link(link_to(scripted), "5") as link:
        await link.publish("a", "known")
        scripted.holds_answers = True
        sending = [asyncio.create_task(link.publish("a", str(number))) for number in range(9)]
        await threads.call(wait_for, lambda: len(scripted.published) == 4)
        await asyncio.sleep(0.2)
        assert len(scripted.published) == 4
        scripted.holds_answers = False
        scripted.release()
        await asyncio.gather(*sending)
    assert scripted.most_unanswered <= 3
    assert [one.payload for one in scripted.published[1:]] == [
        str(number).encode() for number in range(9)
    ]


async def test_quality_of_service_and_retain_flag_are_what_the_broker_allows(
    scripted: ScriptedBroker,
) -> None:
    scripted.connack = {"MaximumQoS": 0, "RetainAvailable": 0}
    async with open_link(link_to(scripted), "5") as link:
        for _ in range(2):
            await link.publish("a", "b", qos=1, retain=True)
        await threads.call(wait_for, lambda: len(scripted.published) == 2)
    assert [(one.qos, one.retain) for one in scripted.published] == [(0, False)] * 2


async def test_a_packet_larger_than_the_broker_takes_is_not_sent(
    scripted: ScriptedBroker,
) -> None:
    scripted.connack = {"MaximumPacketSize": 1000}
    async with open_link(link_to(scripted), "5") as link:
        with pytest.raises(RefusedError, match="1000 bytes") as refused:
            await link.publish("a", "x" * 1000)
        assert refused.value.room == 1000
        await link.publish("a", "x" * 950)
    assert len(scripted.published) == 1


async def test_the_broker_s_keep_alive_replaces_the_client_s(scripted: ScriptedBroker) -> None:
    scripted.connack = {"ServerKeepAlive": 1}
    async with open_link(link_to(scripted), "5"):
        await threads.call(wait_for, lambda: scripted.pings >= 2)


async def test_a_refused_subscription_says_why(scripted: ScriptedBroker) -> None:
    scripted.on_subscribe = lambda topic: NOT_AUTHORIZED if topic == "b" else 1
    async with open_link(link_to(scripted), "5") as link:
        with pytest.raises(SubscriptionError, match=r"b \(Not authorized \(0x87\)\)") as refused:
            await link.subscribe("a", "b")
        assert refused.value.granted


async def test_no_matching_subscribers_is_a_success(scripted: ScriptedBroker) -> None:
    scripted.on_publish = lambda *_: 0x10
    async with open_link(link_to(scripted), "5") as link:
        await link.publish("a", "b")


@pytest.mark.parametrize("code", [0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x97, 0x99, 0xC3])
async def test_no_refused_publication_is_a_success(code: int, scripted: ScriptedBroker) -> None:
    scripted.on_publish = lambda *_: code
    async with open_link(link_to(scripted), "5") as link:
        with pytest.raises(RefusedError, match=f"0x{code:02X}"):
            await link.publish("a", "b")
        assert link.connected


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0x8B, "shutting down"),
        (0x95, "max_packet_size"),
        (0x97, "quota"),
        (0x9D, "other server: broker2.example"),
        (0xC3, "0xC3"),
    ],
)
async def test_the_reason_of_a_disconnect_is_told(
    code: int, said: str, scripted: ScriptedBroker
) -> None:
    async def watch() -> None:
        async with asyncio.timeout(10), open_link(link_to(scripted), "5") as link:
            scripted.disconnect(code, ServerReference="broker2.example")
            await link.watch()

    with pytest.raises(LinkError, match=said):
        await watch()


async def test_the_reason_of_a_refused_connection_is_told(scripted: ScriptedBroker) -> None:
    for code, said in ((0x85, "node_id"), (0x8A, "banned"), (0x9F, "connections per second")):
        scripted.refused = [code]
        with pytest.raises(LinkError, match=said):
            async with open_link(link_to(scripted), "5", will=Will("a", "b")):
                pass


def test_a_broker_without_retained_messages_and_wildcards_is_served(
    run: Callable[..., Service], scripted: ScriptedBroker
) -> None:
    scripted.connack = {"RetainAvailable": 0, "WildcardSubscriptionAvailable": 0}
    service = run(scripted.port)
    wait_for(lambda: "mediarip/jobs" in scripted.topics())
    assert scripted.wills[:2] == [(1, True), (1, False)]
    assert not any(one.retain for one in scripted.published)
    assert {"mediarip/command", "mediarip/command/list", "mediarip/setting/max_concurrent/set"} <= {
        *scripted.subscribed
    }
    scripted.send("mediarip/command/list", json.dumps({"request_id": "r1"}))
    wait_for(lambda: answers(scripted, "r1"))
    assert "retains no messages" in service.log
    assert "allows no wildcards" in service.log
    assert not [topic for topic in scripted.subscribed if topic.startswith("mediarip/session/+/c")]
