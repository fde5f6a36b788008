"""A service that hangs and a broker that is gone are told apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.service.test_health import check
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import program, seize
from tests.support.service import Service


def test_a_stuck_event_loop_and_a_lost_broker_are_told_apart(
    service: Service, mosquitto: Mosquitto
) -> None:
    def told(name: str) -> Callable[[], bool]:
        return lambda: (
            (found := check(service)).returncode == 1 and found.stderr.startswith(f"{name}: ")
        )

    wait_for(lambda: check(service).returncode == 0)
    os.kill(service.pid, signal.SIGSTOP)
    try:
        wait_for(told("event loop"), 60)
    finally:
        os.kill(service.pid, signal.SIGCONT)
    wait_for(lambda: check(service).returncode == 0, 20)
    mosquitto.stop()
    wait_for(told("broker"), 100)
    mosquitto.start()
    wait_for(lambda: check(service).returncode == 0, 60)


def test_a_frozen_process_ends_and_its_successor_carries_out_the_command(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    service = Service(tmp_path, mosquitto.port)
    own = service.program
    patience = {"mediarip_mqtt.service.health:FROZEN": 3.0}
    service.program = program(seize("command-received"), constants=patience)
    service.start()
    client.publish("command/pause", {"request_id": "p"})
    wait_for(lambda: not service.running, 30, "the frozen service to end")
    assert "Timeout (0:00:03)!" in service.log
    service.program = own
    service.start()
    try:
        wait_for(lambda: client.replies("p"))
    finally:
        service.stop()
