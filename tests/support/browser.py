"""A real Chromium, logged in to a real Home Assistant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.homeassistant import HomeAssistant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Home Assistant's page is loaded, no part of it shows a loading indicator, and all icons are there.
READY = """() => {
  const all = (node) => [...node.querySelectorAll("*")]
    .flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  const found = all(document), names = found.map((one) => one.localName);
  return names.includes("ha-sidebar") && !names.some((one) =>
    ["hass-loading-screen", "ha-spinner", "ha-circular-progress"].includes(one)) &&
    !found.some((one) => one.localName === "ha-icon" && one.icon &&
      !one.shadowRoot?.querySelector("ha-svg-icon"));
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium; only one at a time in a process."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make test` imports this module without playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield browser
        browser.close()


def logged_in(browser: Browser, ha: HomeAssistant) -> BrowserContext:
    """Return a context whose pages are logged in as the client's user; they share a cache."""
    context = browser.new_context(locale="en-US", timezone_id="UTC")
    token = json.dumps(json.dumps(_token(ha)))
    context.add_init_script(f"localStorage.setItem('hassTokens', {token})")
    return context


@contextmanager
def page_in(
    context: BrowserContext,
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
) -> Iterator[Page]:
    """Open a page of Home Assistant; fail on JavaScript errors.

    CSS selectors and texts also match inside shadow roots.
    """
    failures: list[str] = []
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(url)
    page.wait_for_function(READY)
    try:
        yield page
    finally:
        page.close()
    assert failures == []


@contextmanager
def open_page(ha: HomeAssistant, path: str = "/", **options: Any) -> Iterator[Page]:
    """Open a page of Home Assistant in a Chromium of its own; ``options``: see `page_in`."""
    with chromium() as browser, page_in(logged_in(browser, ha), ha.url + path, **options) as page:
        yield page


def screenshot(
    ha: HomeAssistant,
    path: str,
    target: Path,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
) -> None:
    """Take a screenshot (PNG) of a page of Home Assistant."""
    with open_page(ha, path, width=width, height=height, dark=dark) as page:
        page.wait_for_load_state("networkidle")
        page.wait_for_function(READY)
        page.wait_for_timeout(1000)  # animations, and images that fade in
        page.screenshot(path=target)


def program() -> str:
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert found, "Chromium is missing. Debian: apt-get install chromium."
    return found


def _token(ha: HomeAssistant) -> dict[str, Any]:
    """Return the login data that the frontend keeps in local storage."""
    return {
        "access_token": ha.token,
        "token_type": "Bearer",
        "expires_in": 10**7,
        "hassUrl": ha.url,
        "clientId": f"{ha.url}/",
        "expires": 4 * 10**12,
        "refresh_token": "",
    }
