"""What each command says if the broker or the service is not there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.broker import Mosquitto
from tests.support.cli import Cli

pytestmark = pytest.mark.slow


def test_an_unreachable_broker_is_named(lone: Cli, port: int) -> None:
    with socket.socket() as held:  # taken, so that no other test's broker gets it; not listening
        held.bind(("127.0.0.1", port))
        for words in (("download", "https://example.com/x"), ("watch",), ("healthcheck",)):
            done = lone.run(*words)
            assert done.returncode == 1
            assert f"localhost:{port}" in done.stderr


def test_a_broker_without_a_service_is_told(tmp_path: Path, mosquitto: Mosquitto) -> None:
    done = Cli(tmp_path, mosquitto.port).run("download", "https://example.com/x")
    assert done.returncode == 1
    assert "No service has published below `mediarip`" in done.stderr
