"""Home Assistant, the broker and the service come and go in any order; the picture stays true."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.homeassistant.device import found
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

ORDERS = list(itertools.permutations(("home", "broker", "service")))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_restarts_in_any_order_bring_everything_back(
    order: tuple[str, ...],
    ha: HomeAssistant,
    broker: Mosquitto,
    run: Callable[..., Service],
    client_of: Callable[[str], Client],
    media: MediaServer,
) -> None:
    node = "_".join(order)
    service, client = run(node), client_of(node)
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    names = found(ha, node)
    ha.wait(names["completed_today"], "1")

    def restart_broker() -> None:
        broker.stop()
        broker.start()

    def restart_service() -> None:
        service.stop()
        service.start()

    parts = {"home": ha.restart, "broker": restart_broker, "service": restart_service}
    for part in order:
        parts[part]()
    # What was asked for right behind is done, and everything says so.
    wait_for(lambda: client.kept("status") == "online")
    found(ha, node)
    ha.wait(names["completed_today"], "1")
    ha.call("notify.send_message", entity_id=names["download"], message=media.url("/bytes/9/b.mp4"))
    ha.wait(names["completed_today"], "2")
    ha.wait(names["status"], "idle")
    assert ha.complaints("mediarip|" + node) == []


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
