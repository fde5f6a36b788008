"""One Home Assistant of each version for all tests of a file, and a broker.

A test takes `ha`, starts a service with a node id of its own by `run`, and looks up its entities by
`tests.homeassistant.device.found`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.homeassistant import VERSIONS, Installation, install
from tests.support.broker import Client, Mosquitto
from tests.support.homeassistant import HomeAssistant
from tests.support.service import Service

# An empty one takes all: no version would mean that pytest skips everything.
CHOSEN = os.environ.get("HA_VERSIONS", "").split() or VERSIONS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real" in item.path.parts:
            item.add_marker(pytest.mark.homeassistant)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", params=CHOSEN)
def installation(request: pytest.FixtureRequest) -> Installation:
    return install(request.param)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path_factory.mktemp("ha-broker") / "broker")
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture(scope="module")
def home(
    installation: Installation, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    one = HomeAssistant(installation, tmp_path_factory.mktemp("ha") / "config", broker.port)
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture
def ha(home: HomeAssistant) -> HomeAssistant:
    """Return the file's Home Assistant; its complaints begin with this test."""
    home.mark()
    return home


@pytest.fixture
def run(broker: Mosquitto, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services, each with a node id, base topic and volume of its own; end them after."""
    services: list[Service] = []

    def run(node_id: str = "mediarip", **settings: str) -> Service:
        folder = tmp_path / node_id
        folder.mkdir(exist_ok=True)
        topics = {"MQTT__NODE_ID": node_id, "MQTT__BASE_TOPIC": node_id}
        services.append(Service(folder, broker.port, fresh=True, **{**topics, **settings}))
        return services[-1].start()

    try:
        yield run
    finally:
        for one in services:
            one.stop()


@pytest.fixture
def client_of(broker: Mosquitto) -> Iterator[Callable[[str], Client]]:
    clients: list[Client] = []

    def client_of(node_id: str) -> Client:
        clients.append(Client(broker.port, node_id))
        return clients[-1]

    yield client_of
    for one in clients:
        one.close()
