"""Dashboards with the card, opened in a browser as a member of the household."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.support.browser import chromium, logged_in, page_in
from tests.support.homeassistant import HomeAssistant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CARD = "custom:mediarip-card"


def add_dashboard(ha: HomeAssistant, path: str, config: dict[str, Any]) -> None:
    """Create a dashboard, or replace its configuration."""
    listed = ha.command("lovelace/dashboards/list")
    if path not in {one["url_path"] for one in listed}:
        ha.command(
            "lovelace/dashboards/create",
            url_path=path,
            title=path,
            mode="storage",
            require_admin=False,
            show_in_sidebar=False,
        )
    ha.command("lovelace/config/save", url_path=path, config=config)


def card_view(*cards: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard's configuration: one view with one or more of the card."""
    shown = [{"type": CARD, **one} for one in cards]
    return {"views": [{"title": "Downloads", "cards": shown}]}


class Screens:
    """A browser in which several users are logged in; it keeps Home Assistant's files cached."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: dict[str, BrowserContext] = {}
        self._pages = ExitStack()

    def open(self, user: HomeAssistant, path: str, **options: Any) -> Page:
        """Open a page of Home Assistant as a user; `close` fails on its JavaScript errors."""
        if user.token not in self._contexts:
            self._contexts[user.token] = logged_in(self._browser, user)
        page = page_in(self._contexts[user.token], user.url + path, **options)
        return self._pages.enter_context(page)

    def close(self) -> None:
        """Close the pages."""
        self._pages.close()


def screens() -> Iterator[Screens]:
    with chromium() as browser:
        yield Screens(browser)


def until(condition: Callable[[], Any], page: Page, timeout: float = 30) -> Any:
    """Return the condition's result once it is true; the page goes on meanwhile."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"timed out; the card shows:\n{shown(page)}"
        page.wait_for_timeout(50)
    return result


def shown(page: Page) -> str:
    """Return the card's text."""
    return "\n---\n".join(page.locator("mediarip-card ha-card").all_inner_texts())
