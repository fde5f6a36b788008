"""The card while the broker and Home Assistant come and go.

These tests have a Home Assistant and a broker of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from scripts.homeassistant import Installation
from tests.homeassistant.real.conftest import own_broker, own_home
from tests.homeassistant.real.dashboards import Screens, add_dashboard, card_view, screens, until
from tests.homeassistant.real.device import found
from tests.support.broker import Client, Mosquitto
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    yield from own_broker(tmp_path_factory)


@pytest.fixture(scope="module")
def home(
    installation: Installation, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    yield from own_home(installation, broker, tmp_path_factory)


@pytest.fixture(scope="module")
def browser() -> Iterator[Screens]:
    yield from screens()


def test_the_card_comes_back_with_the_broker_and_with_home_assistant(
    ha: HomeAssistant,
    broker: Mosquitto,
    run: Callable[..., Service],
    client_of: Callable[[str], Client],
    media: MediaServer,
    browser: Screens,
) -> None:
    service, _ = run("cut"), client_of("cut")
    names = found(ha, "cut")
    add_dashboard(ha, "card-cut", card_view({"entity": names["status"]}))
    page = browser.open(ha.member(), "/card-cut/0")
    card = page.locator("mediarip-card")
    field = card.locator("#source")

    def add(name: str) -> None:
        field.fill(media.url(f"/bytes/1000/{name}.mp4"))
        field.press("Enter")
        card.get_by_role("region", name=re.compile("^Finished")).locator(
            "li", has_text=name
        ).wait_for(timeout=60_000)
        until(lambda: f"{name}.mp4" in service.media(), page)

    add("before")
    broker.stop()
    card.get_by_text(re.compile("^Off since")).first.wait_for(timeout=60_000)
    card.locator("li", has_text="before").wait_for()  # the last that was known
    assert field.is_disabled()
    broker.start()
    field.and_(page.locator(":enabled")).wait_for(timeout=60_000)
    add("between")
    ha.stop()
    field.and_(page.locator(":disabled")).wait_for(timeout=60_000)  # what is typed now is lost
    ha.start()
    field.and_(page.locator(":enabled")).wait_for(timeout=120_000)
    add("after")
    browser.close()
