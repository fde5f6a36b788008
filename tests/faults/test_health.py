"""A service that hangs and a broker that is gone are told apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.support.broker import Mosquitto, wait_for
from tests.support.service import Service
from tests.test_health import check


def test_a_stuck_event_loop_and_a_lost_broker_are_told_apart(
    service: Service, mosquitto: Mosquitto
) -> None:
    def told(name: str) -> Callable[[], bool]:
        return lambda: (
            (found := check(service)).returncode == 1 and found.stderr.startswith(f"{name}: ")
        )

    wait_for(lambda: check(service).returncode == 0)
    os.kill(service.pid, signal.SIGSTOP)
    wait_for(told("event loop"), 60)
    os.kill(service.pid, signal.SIGCONT)
    wait_for(lambda: check(service).returncode == 0, 20)
    mosquitto.stop()
    wait_for(told("broker"), 100)
    mosquitto.start()
    wait_for(lambda: check(service).returncode == 0, 60)
