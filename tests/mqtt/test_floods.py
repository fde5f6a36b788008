"""Whoever may publish can't fill the service's memory, or keep others waiting.

Other programs hold whatever a broker sends: LN4CY/mqtt-proxy#24 (a queue without a bound),
emqx/emqx#12344 (memory for each large payload). A bound that is too low loses what is right:
domoticz/domoticz#6754 (1,100 messages, and room for 1,000).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.flood import Flood
from tests.support.service import Service

Run = Callable[..., Service]
MEMORY = 200 * 2**20


class Peak:
    """The most memory that a process takes while the block runs."""

    def __init__(self, service: Service) -> None:
        self._process = psutil.Process(service.pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, self._process.memory_info().rss)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that does not write each message to disk: then a flood would delay all at once."""
    broker = Mosquitto(tmp_path / "broker")
    broker.saves_each_change = False
    yield broker.start()
    broker.stop()


@pytest.fixture
def flood(mosquitto: Mosquitto) -> Iterator[Flood]:
    one = Flood(mosquitto.port)
    yield one
    one.close()


def errors(client: Client) -> list[dict[str, Any]]:
    replies = [json.loads(payload) for _, payload in client.messages]
    return [one["error"] for one in replies if not one["ok"]]


def test_messages_of_qos_0_wait_within_a_bound_and_the_log_counts_the_others(
    run: Run, mosquitto: Mosquitto, flood: Flood
) -> None:
    mallory = Client(mosquitto.port, "mediarip/session/mallory/response")
    service = run(mosquitto.port, SESSION__MODE="isolated")
    with Peak(service) as peak:
        flood.send("mediarip/session/mallory/command/list", b"x" * 20, 200_000)
        wait_for(lambda: "more than can be handled, of the session 'mallory'" in service.log, 60)
    assert peak.bytes < MEMORY
    told = wait_for(lambda: [one for one in errors(mallory) if "were dropped" in one["message"]])
    assert told[0]["code"] == "rate_limited"
    mallory.close()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_flood_of_one_session_does_not_delay_another_s_commands(
    qos: int, run: Run, mosquitto: Mosquitto, flood: Flood
) -> None:
    run(mosquitto.port, SESSION__MODE="isolated")
    anna = Client(mosquitto.port, "mediarip/session/anna")
    send = flood.send_acknowledged if qos else flood.send
    arguments = ("mediarip/session/mallory/command/list", b"{}", 30_000)
    flooding = threading.Thread(target=send, args=arguments)
    start = time.monotonic()
    flooding.start()
    took: list[float] = []
    while flooding.is_alive() or len(took) < 3:
        began = time.monotonic()
        assert anna.request("list", 60)["ok"]
        took.append(time.monotonic() - began)
        time.sleep(0.1)
    flooding.join()
    flood_took = time.monotonic() - start
    anna.close()
    # Behind the flood each would wait for as long as it takes.
    assert sorted(took)[len(took) // 2] < max(1.0, flood_took / 2)


def test_a_burst_of_commands_of_qos_0_is_not_a_flood(
    run: Run, mosquitto: Mosquitto, client: Client
) -> None:
    run(mosquitto.port)
    for number in range(1100):
        client.publish("command/list", {"request_id": f"r{number}"}, qos=0, wait=False)
    wait_for(lambda: len(client.payloads("response")) == 1100, 60)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_large_messages_take_no_memory_and_get_a_reply(
    protocol: str, run: Run, mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port, MQTT__PROTOCOL=protocol)
    large = b'{"url": "' + b"x" * (3 * 2**20) + b'", "request_id": "large"}'
    with Peak(service) as peak:
        for _ in range(20):
            client.publish("command/download", large)
        if protocol != "5":  # with MQTT 5 the broker drops it
            client.publish("command/download", b'{"request_id": "huge", "url": "' + b"x" * 2**26)
            reply = wait_for(lambda: client.replies("huge"), 30)[0]
            assert reply["error"]["code"] == "payload_too_large"
        wait_for(lambda: len(client.replies("large")) == 20, 60)
    assert client.replies("large")[0]["error"]["code"] == "payload_too_large"
    assert peak.bytes < MEMORY
    assert client.request("list")["ok"]
