"""`healthcheck` tells apart what can fail by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from mediarip_mqtt.service.health import Signs, examine
from tests.support.broker import Client, wait_for
from tests.support.service import Service


def check(service: Service) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *service.program, "healthcheck"],
        env=service.environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def failing(now: float = 1000.0, **signs: Any) -> list[str]:
    well = {"pid": os.getpid(), "at": 1000.0, "queue_at": 999.0, "published_at": 990.0}
    return [one.name for one in examine(Signs(**{**well, **signs}), now) if not one.ok]


def test_each_failure_is_told_by_its_name() -> None:
    assert failing() == []
    assert failing(now=1040.0) == ["event loop"]
    assert failing(queue_at=800.0) == ["queue"]
    assert failing(published_at=800.0) == ["publisher"]
    assert failing(lost_broker_at=900.0, published_at=800.0) == ["broker"]
    assert failing(lost_broker_at=990.0) == []  # a broker may restart
    assert failing(store="database is locked") == ["store"]
    assert failing(volume="missing") == ["volume"]
    assert failing(lost_threads=2) == ["threads"]


@pytest.mark.slow
def test_a_service_that_was_killed_is_not_healthy_and_one_that_runs_is(
    service: Service, client: Client
) -> None:
    wait_for(lambda: check(service).stdout.count(": ok") == 8)
    assert check(service).returncode == 0
    service.kill()
    gone = check(service)
    assert gone.returncode == 1
    assert "process: The service's process is gone" in gone.stderr
    service.start()
    wait_for(lambda: check(service).returncode == 0)
    service.stop()
    assert check(service).returncode == 1
