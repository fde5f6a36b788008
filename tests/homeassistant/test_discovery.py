"""What Home Assistant is told: one device, true at every moment, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract import topics
from mediarip_mqtt.homeassistant.discovery_payload import device_config
from mediarip_mqtt.homeassistant.entities import ENTITIES
from mediarip_mqtt.homeassistant.entity_names import NAMES
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.service import Service

TOPIC = "device/mediarip/config"


@pytest.fixture
def discovery(mosquitto: Mosquitto) -> Iterator[Client]:
    one = Client(mosquitto.port, base="homeassistant")
    yield one
    one.close()


@pytest.fixture
def run(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def run(**extra: Any) -> Service:
        services.append(Service(tmp_path, mosquitto.port, **extra).start())
        return services[-1]

    yield run
    for service in services:
        service.stop()


def announced(discovery: Client, topic: str = TOPIC) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(lambda: discovery.json(topic))
    return found


@pytest.mark.parametrize("language", NAMES)
def test_each_language_has_its_own_name_for_every_entity(language: str) -> None:
    named = {one.key for one in ENTITIES if one.name}
    assert NAMES[language].keys() == named
    assert len(set(NAMES[language].values())) == len(named)
    config = device_config(topics.Topics("a"), "nas", CLASSES, {}, language=language)
    shown = {key: one.get("name") for key, one in config["components"].items()}
    assert {key: shown[key] for key in named} == NAMES[language]
    assert shown["status"] is None  # the device's name
    ids = {one.get("default_entity_id") for one in config["components"].values()}
    english = device_config(topics.Topics("a"), "nas", CLASSES, {})["components"].values()
    assert ids == {one.get("default_entity_id") for one in english}


def test_every_component_has_what_home_assistant_asks_for() -> None:
    config = device_config(topics.Topics("a/b"), "My-NAS", CLASSES, {})
    assert set(config) == {"device", "origin", "availability", "components"}
    assert len(config["components"]) == len(ENTITIES)
    assert len(topics.dumps(config)) < 18_000
    for key, one in config["components"].items():
        assert one["platform"], key
        assert one["qos"] == 1, key
        assert not any(str(value).startswith("~") for value in one.values()), key
        if one["platform"] != "device_automation":
            assert one["unique_id"] == f"My-NAS_{key}"
            assert one["default_entity_id"] == f"{one['platform']}.my_nas_{key}"


def test_the_device_is_announced_within_seconds_and_again_when_home_assistant_starts(
    run: Callable[..., Service], discovery: Client, client: Client
) -> None:
    run()
    config = announced(discovery)
    assert config["device"]["identifiers"] == ["mediarip"]
    assert config["components"]["status"]["state_topic"] == "mediarip/state"
    once, states = len(discovery.payloads(TOPIC)), len(client.payloads("state"))
    discovery.publish("status", "online")
    wait_for(lambda: len(discovery.payloads(TOPIC)) > once)
    wait_for(lambda: len(client.payloads("state")) > states)


def test_an_entity_that_is_gone_is_removed_once_and_then_left_out(
    run: Callable[..., Service], discovery: Client
) -> None:
    service = run()
    config = announced(discovery)
    service.stop()
    config["components"]["old"] = {"platform": "sensor", "unique_id": "mediarip_old"}
    discovery.publish(TOPIC, config, retain=True)
    seen = len(discovery.payloads(TOPIC))
    service.start()
    wait_for(lambda: len(discovery.payloads(TOPIC)) >= seen + 2)
    removal, final = (json.loads(one) for one in discovery.payloads(TOPIC)[seen : seen + 2])
    assert removal["components"]["old"] == {"platform": "sensor"}
    assert "old" not in final["components"]


@pytest.mark.slow
def test_a_new_node_id_or_prefix_takes_the_old_announcement_back(
    run: Callable[..., Service], discovery: Client
) -> None:
    service = run()
    announced(discovery)
    service.stop()
    service = run(MQTT__NODE_ID="attic")
    announced(discovery, "device/attic/config")
    wait_for(lambda: not discovery.kept(TOPIC))
    service.stop()
    run(MQTT__NODE_ID="attic", HOMEASSISTANT__DISCOVERY_PREFIX="homeassistant/other")
    announced(discovery, "other/device/attic/config")
    wait_for(lambda: not discovery.kept("device/attic/config"))


@pytest.mark.slow
def test_discovery_switched_off_leaves_nothing_behind(
    run: Callable[..., Service], discovery: Client
) -> None:
    service = run()
    announced(discovery)
    service.stop()
    run(HOMEASSISTANT__ENABLED="false")
    wait_for(lambda: not discovery.kept(TOPIC))


def test_what_an_earlier_version_announced_is_removed_and_what_is_another_s_kept(
    run: Callable[..., Service], discovery: Client
) -> None:
    ours = {"origin": {"name": "mediarip-mqtt"}, "state_topic": "x"}
    discovery.publish("sensor/mediarip/queue/config", ours, retain=True)
    discovery.publish("sensor/mediarip/other/config", {"state_topic": "x"}, retain=True)
    run()
    announced(discovery)
    wait_for(lambda: not discovery.kept("sensor/mediarip/queue/config"))
    assert discovery.kept("sensor/mediarip/other/config")


@pytest.mark.slow
def test_two_services_on_one_broker_announce_two_devices(
    run: Callable[..., Service], tmp_path: Path, mosquitto: Mosquitto, discovery: Client
) -> None:
    run()
    (tmp_path / "two").mkdir()
    second = Service(
        tmp_path / "two", mosquitto.port, MQTT__NODE_ID="two", MQTT__BASE_TOPIC="rip/two"
    ).start()
    try:
        assert announced(discovery)["availability"] == [{"topic": "mediarip/status"}]
        two = announced(discovery, "device/two/config")
        assert two["availability"] == [{"topic": "rip/two/status"}]
        assert two["components"]["preset"]["command_topic"] == "rip/two/setting/default_preset/set"
    finally:
        second.stop()
    assert announced(discovery)


def test_large_messages_below_the_discovery_prefix_take_no_memory(
    run: Callable[..., Service], discovery: Client
) -> None:
    ours = {"origin": {"name": "mediarip-mqtt"}}
    large = json.dumps({**ours, "a": [[]] * 300_000})
    for number in range(8):
        discovery.publish(f"sensor/mediarip/x{number}/config", large, retain=True)
    discovery.publish("sensor/mediarip/queue/config", ours, retain=True)
    service = run(MQTT__PROTOCOL="3.1.1")  # so the broker sends them whatever their size
    announced(discovery)
    wait_for(lambda: not discovery.kept("sensor/mediarip/queue/config"))
    assert psutil.Process(service.pid).memory_info().rss < 150 * 2**20
    assert discovery.kept("sensor/mediarip/x0/config")  # not read, so not known as ours
