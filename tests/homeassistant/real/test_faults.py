"""Home Assistant, the broker and the service come and go in any order; the picture stays true.

These tests have a Home Assistant and a broker of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from scripts.homeassistant import Installation
from tests.homeassistant.real.conftest import own_broker, own_home
from tests.homeassistant.real.device import found
from tests.support.broker import Client, Mosquitto
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

PARTS = ("home", "broker", "service")
ORDERS = list(itertools.permutations(PARTS))
# What Home Assistant says of a broker that is not there.
GONE = r"MQTT server|Error talking to MQTT|\[paho\.mqtt\.client\]"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    yield from own_broker(tmp_path_factory)


@pytest.fixture(scope="module")
def home(
    installation: Installation, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    yield from own_home(installation, broker, tmp_path_factory)


@pytest.mark.parametrize("at_once", [False, True], ids=["one-by-one", "all-down"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_restarts_in_any_order_bring_everything_back(
    order: tuple[str, ...],
    at_once: bool,  # noqa: FBT001 - a parameter of the test
    ha: HomeAssistant,
    broker: Mosquitto,
    run: Callable[..., Service],
    client_of: Callable[[str], Client],
    media: MediaServer,
) -> None:
    node = "_".join([*order, "down"] if at_once else order)
    service, client = run(node), client_of(node)
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    names = found(ha, node)
    ha.wait(names["completed_today"], "1")

    stops: dict[str, Callable[[], object]] = {
        "home": ha.stop,
        "broker": broker.stop,
        "service": service.stop,
    }
    # None waits for another, which may be down.
    starts: dict[str, Callable[[], object]] = {
        "home": partial(ha.start, broker=False),
        "broker": broker.start,
        "service": partial(service.start, wait=False),
    }
    if at_once:
        for part in PARTS:
            stops[part]()
        for part in order:
            starts[part]()
    else:
        for part in order:
            stops[part]()
            starts[part]()
    ha.wait_broker()
    # What was asked for right behind is done, and everything says so.
    found(ha, node)
    ha.wait(names["completed_today"], "1")
    ha.call("notify.send_message", entity_id=names["download"], message=media.url("/bytes/9/b.mp4"))
    ha.wait(names["completed_today"], "2")
    ha.wait(names["status"], "idle")
    assert client.kept("status") == "online"
    assert ha.complaints(expected=GONE) == []


def test_a_service_that_dies_is_shown_as_unavailable_until_it_is_back(
    ha: HomeAssistant, run: Callable[..., Service]
) -> None:
    service = run("mortal")
    names = found(ha, "mortal")
    service.kill()
    ha.wait(names["status"], "unavailable")
    ha.wait(names["paused"], "unavailable")
    service.start()
    ha.wait(names["status"], "idle")
    ha.wait(names["paused"], "off")
    assert ha.complaints() == []
