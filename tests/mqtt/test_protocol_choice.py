"""The version of MQTT: 5 wherever the broker speaks it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import LinkError
from mediarip_mqtt.mqtt.connection_errors import ProtocolVersionError, SilentError, UnprovenError
from mediarip_mqtt.mqtt.protocol_choice import ProtocolChoice
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import program
from tests.support.proxy import FreezingProxy
from tests.support.service import Service

FAST = program(
    constants={
        "mediarip_mqtt.mqtt.connection:CONNECT_TIMEOUT": 1.0,
        "mediarip_mqtt.mqtt.session:BACKOFF_LIMIT": 1.0,
    }
)


@pytest.mark.slow
def test_a_broker_that_was_frozen_is_spoken_to_in_mqtt_5_and_its_silence_is_logged_once(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    service = Service(tmp_path, mosquitto.port, MQTT__KEEPALIVE="5", LOG__LEVEL="debug")
    service.program = FAST
    service.start()
    process = mosquitto._process  # noqa: SLF001 - to freeze it
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: "does not answer to MQTT 5" in service.log, 40)
        wait_for(lambda: service.log.count("Trying again") >= 5, 60)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    try:
        wait_for(lambda: "reconnected to" in service.log)
        assert "(MQTT 3.1.1)" not in service.log
        warnings = [line for line in service.log.splitlines() if " WARNING " in line]
        assert sum("does not answer" in line for line in warnings) == 1
        client.publish("command/settings", "", response_topic="reply/me", correlation=b"1")
        wait_for(lambda: [one for one, _ in client.messages if one == "reply/me"])
    finally:
        service.stop()


@pytest.mark.slow
@pytest.mark.parametrize("silent", [1, 2, 3])
def test_a_broker_that_is_frozen_at_the_start_is_spoken_to_in_mqtt_5_as_well(
    silent: int, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    proxy = FreezingProxy(mosquitto.port).start()
    proxy.silent = silent
    service = Service(tmp_path, proxy.port)
    service.program = FAST
    try:
        service.start()
        assert "(MQTT 5)" in service.log
        assert "(MQTT 3.1.1)" not in service.log
    finally:
        service.stop()
        proxy.stop()


def test_a_broker_that_never_answers_to_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    choice = ProtocolChoice("5")
    silence = SilentError("silent")
    tried: list[str] = []
    for _ in range(10):
        tried.append(choice.version)
        if choice.version == "5":
            assert choice.failed(silence, was_online=False)
        elif choice.answered():
            break
        else:
            assert choice.failed(UnprovenError(""), was_online=False)
    assert tried == ["5", "5", "3.1.1", "5", "3.1.1"]
    choice.failed(LinkError("lost"), was_online=True)
    assert choice.version == "5"  # another broker may come back
    assert choice.failed(silence, was_online=False)
    assert choice.version == "3.1.1"
    assert choice.answered()


def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1_at_once() -> None:
    choice = ProtocolChoice("5")
    assert choice.answered()
    assert choice.failed(ProtocolVersionError("refused"), was_online=False)
    assert choice.version == "3.1.1"
    assert choice.answered()


def test_a_broker_that_has_spoken_mqtt_5_is_not_asked_for_3_1_1_because_it_is_silent() -> None:
    choice = ProtocolChoice("5")
    assert choice.answered()
    choice.failed(LinkError("lost"), was_online=True)
    for _ in range(5):
        assert not choice.failed(SilentError("silent"), was_online=False)  # waits before the next
        assert choice.version == "5"
