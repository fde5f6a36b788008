"""Services on brokers that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def run(port: int, *, wait: bool = True, **extra: Any) -> Service:
        services.append(Service(tmp_path, port, **extra).start(wait=wait))
        return services[-1]

    yield run
    for service in services:
        service.stop()
