"""One Home Assistant of each version, and its broker, for all tests.

A test takes `ha`, starts a service with a node id of its own by `run`, and looks up its entities by
`tests.homeassistant.real.device.found`. A test that would disturb the others (it stops Home
Assistant or the broker, or needs another configuration) is in a file that overrides `broker` and
`home` with `own_broker` and `own_home`.

The versions run side by side: see `tests/homeassistant/conftest.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.homeassistant import Installation, install
from tests.homeassistant.conftest import CHOSEN
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.service import Service


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real" in item.path.parts:
            item.add_marker(pytest.mark.homeassistant)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", params=CHOSEN)
def installation(request: pytest.FixtureRequest) -> Installation:
    return install(request.param)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    yield from own_broker(tmp_path_factory)


@pytest.fixture(scope="session")
def home(
    installation: Installation, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    yield from own_home(installation, broker, tmp_path_factory)


def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path_factory.mktemp("ha-broker") / "broker")
    try:
        yield one.start()
    finally:
        one.stop()


def own_home(
    installation: Installation, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    one = HomeAssistant(installation, tmp_path_factory.mktemp("ha") / "config", broker.port)
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture
def ha(home: HomeAssistant) -> HomeAssistant:
    """Return the shared Home Assistant; its complaints and calls begin with this test."""
    home.mark()
    return home


@pytest.fixture
def run(home: HomeAssistant, broker: Mosquitto, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services, each with a node id, base topic and volume of its own.

    ``playable``: the volume is in Home Assistant's media folder, as `<node id>/volume`.

    Afterwards they are stopped, and their devices and the test's automations removed.
    """
    services: dict[str, Service] = {}

    def run(node_id: str = "mediarip", *, playable: bool = False, **settings: str) -> Service:
        folder = (home.folder / "media" if playable else tmp_path) / node_id
        folder.mkdir(exist_ok=True)
        topics = {"MQTT__NODE_ID": node_id, "MQTT__BASE_TOPIC": node_id}
        if playable:
            source = f"media-source://media_source/local/{node_id}/volume"
            topics["HOMEASSISTANT__MEDIA_SOURCE"] = source
        services[node_id] = Service(folder, broker.port, fresh=True, **{**topics, **settings})
        return services[node_id].start()

    try:
        yield run
    finally:
        for one in services.values():
            one.stop()
        if home.running:  # a failed test may have left it stopped
            home.remove_added()
            for node_id in services:
                _remove_device(home, broker, node_id)


def _remove_device(home: HomeAssistant, broker: Mosquitto, node_id: str) -> None:
    """Remove a device as `homeassistant.enabled: false` does."""
    client = Client(broker.port, "homeassistant")
    client.publish(f"device/{node_id}/config", "", retain=True)
    client.close()
    wait_for(lambda: not home.entities(node_id), what=f"the device {node_id} to be removed")


@pytest.fixture
def client_of(broker: Mosquitto) -> Iterator[Callable[[str], Client]]:
    clients: list[Client] = []

    def client_of(node_id: str) -> Client:
        clients.append(Client(broker.port, node_id))
        return clients[-1]

    yield client_of
    for one in clients:
        one.close()
