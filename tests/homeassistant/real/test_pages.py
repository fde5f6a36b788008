"""What a person sees in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.homeassistant.real.device import found
from tests.support.browser import open_page
from tests.support.homeassistant import HomeAssistant
from tests.support.service import Service

WIDTHS = {"desk": 1280, "phone": 400}


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_the_device_s_page_shows_and_switches(
    width: int, ha: HomeAssistant, run: Callable[..., Service]
) -> None:
    node = f"page{width}"
    run(node)
    names = found(ha, node)
    device = ha.device(node)["id"]
    with open_page(ha, f"/config/devices/device/{device}", width=width) as page:
        page.get_by_text("Completed today").first.wait_for()
        page.locator("ha-entity-toggle").first.click()
        ha.wait(names["paused"], "on")
        page.get_by_text(
            re.compile("paused")
        ).first.wait_for()  # the status; the switch is "Paused"
