"""The card's dashboard, form and suggestion, as Home Assistant's own pages use them.

`CARD_SCREENSHOTS=DIR` keeps pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.homeassistant.real.device import found
from tests.support.browser import open_page
from tests.support.homeassistant import HomeAssistant
from tests.support.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Page

Run = Callable[..., Service]
DASHBOARD = Path(__file__).parents[3] / "homeassistant" / "dashboards" / "mediarip.yaml"


def keep(page: Page, ha: HomeAssistant, name: str) -> None:
    if folder := os.environ.get("CARD_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(1000)  # animations
        page.screenshot(path=Path(folder) / f"{name}-{ha.version}.png")


@contextmanager
def dashboard(ha: HomeAssistant, path: str, config: dict[str, Any]) -> Iterator[None]:
    """Add a dashboard, and remove it afterwards."""
    about = {"url_path": path, "title": path, "mode": "storage", "icon": "mdi:download"}
    created = ha.command("lovelace/dashboards/create", **about)
    try:
        ha.command("lovelace/config/save", url_path=path, config=config)
        yield
    finally:
        ha.command("lovelace/dashboards/delete", dashboard_id=created["id"])


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_the_strategy_makes_a_dashboard_of_the_service(
    ha: HomeAssistant,
    run: Run,
    width: int,
    dark: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    node = f"board{width}{'dark' if dark else ''}"
    run(node)
    names = found(ha, node)
    config = {"strategy": {"type": "custom:mediarip"}}
    with (
        dashboard(ha, "down-loads", config),
        open_page(ha, "/down-loads", width=width, height=1100, dark=dark) as page,
    ):
        page.get_by_role("heading", name="Downloads").first.wait_for()
        page.locator("hui-tile-card", has_text="Paused").wait_for()
        for text in ("Preset", "Quality", "Disk free", "Problem", "Subscription problem", "yt-dlp"):
            page.locator("hui-tile-card", has_text=re.compile(rf"^\s*{text}")).wait_for()
        page.locator("hui-history-graph-card").first.wait_for()
        assert page.locator("hui-error-card").count() == 0
        keep(page, ha, f"strategy-{width}{'-dark' if dark else ''}")
        page.locator("hui-tile-card", has_text="Paused").locator("ha-tile-icon").click()
        ha.wait(names["paused"], "on")


def test_the_strategy_makes_a_view_for_each_service(ha: HomeAssistant, run: Run) -> None:
    for node in ("attic", "cellar"):
        run(node)
        found(ha, node)
    config = {"strategy": {"type": "custom:mediarip"}}
    with dashboard(ha, "down-loads", config), open_page(ha, "/down-loads") as page:
        for node in ("attic", "cellar"):
            page.get_by_role("tab", name=node).or_(
                page.get_by_text(node, exact=True)
            ).first.wait_for()
        keep(page, ha, "strategy-two")


def test_without_a_service_the_dashboard_says_how_to_connect_one(ha: HomeAssistant) -> None:
    config = {"strategy": {"type": "custom:mediarip"}}
    with dashboard(ha, "down-loads", config), open_page(ha, "/down-loads") as page:
        page.get_by_text("No download service found").wait_for()
        keep(page, ha, "strategy-none")


def test_home_assistant_s_form_edits_the_card(ha: HomeAssistant, run: Run) -> None:
    run("form")
    names = found(ha, "form")
    card = {"type": "custom:mediarip-card", "entity": names["status"]}
    config = {"views": [{"title": "Home", "cards": [card]}]}
    with (
        dashboard(ha, "down-loads", config),
        open_page(ha, "/down-loads/0?edit=1", width=1280, height=1100) as page,
    ):
        page.get_by_role("heading", name="Downloads").first.wait_for()
        page.locator("hui-card-options").get_by_text("Edit", exact=True).first.click()
        dialog = page.locator("hui-dialog-edit-card")
        form = dialog.locator("ha-form").first
        form.get_by_role("heading", name="Options").click()
        for label in ("Sections (none: all)", "Thumbnails", "Media players", "Media source"):
            dialog.get_by_text(label).locator("visible=true").first.wait_for()
        keep(page, ha, "editor")
        form.locator("ha-selector-text input").first.fill("Films")
        dialog.get_by_role("heading", name="Films").wait_for()  # the preview
        dialog.get_by_text("Save", exact=True).click()
        dialog.wait_for(state="hidden")
        [saved] = ha.command("lovelace/config", url_path="down-loads")["views"][0]["cards"]
        assert saved == {**card, "title": "Films"}


def test_home_assistant_can_add_the_dashboard(ha: HomeAssistant, run: Run) -> None:
    run("offer")
    found(ha, "offer")
    if tuple(map(int, ha.version.split("."))) < (2026, 5):  # the first that lists strategies
        config = yaml.safe_load(DASHBOARD.read_text("utf-8"))
        with dashboard(ha, "down-loads", config), open_page(ha, "/down-loads") as page:
            page.get_by_role("heading", name="Downloads").first.wait_for()
        return
    with open_page(ha, "/config/lovelace/dashboards", width=1280, height=1100) as page:
        page.get_by_text("Add dashboard").first.click()
        card = page.locator("ha-dialog-new-dashboard dashboard-card", has_text="mediarip-mqtt")
        card.scroll_into_view_if_needed()
        keep(page, ha, "add-dashboard")
        card.click()
        dialog = page.locator("dialog-lovelace-dashboard-detail")
        dialog.locator("ha-form").first.wait_for()
        assert dialog.locator("input").first.input_value() == "Downloads"
        keep(page, ha, "add-dashboard-2")
