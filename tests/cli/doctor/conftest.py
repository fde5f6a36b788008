from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.broker import Mosquitto

Broker = Callable[..., Mosquitto]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Start brokers with lines of their own in their configuration."""
    started: list[Mosquitto] = []

    def start(extra: str = "", *, anonymous: bool = True) -> Mosquitto:
        folder = tmp_path / f"broker-{len(started)}"
        started.append(Mosquitto(folder, extra, anonymous=anonymous).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()
