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
    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Home Assistant's page is loaded, and no part of it shows a loading indicator.
READY = """() => {
  const all = (node) => [...node.querySelectorAll("*")]
    .flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  const names = all(document).map((one) => one.localName);
  return names.includes("ha-sidebar") && !names.some((one) =>
    ["hass-loading-screen", "ha-spinner", "ha-circular-progress"].includes(one));
}"""


@contextmanager
def open_page(
    ha: HomeAssistant,
    path: str = "/",
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
) -> Iterator[Page]:
    """Open a page of Home Assistant as administrator; fail on JavaScript errors.

    CSS selectors and texts also match inside shadow roots.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make test` imports this module without playwright

    failures: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale="en-US",
            timezone_id="UTC",
        )
        page.on("pageerror", lambda error: failures.append(str(error)))
        token = json.dumps(json.dumps(_token(ha)))
        page.add_init_script(f"localStorage.setItem('hassTokens', {token})")
        page.goto(ha.url + path)
        page.wait_for_function(READY, timeout=60_000)
        yield page
        browser.close()
    assert failures == []


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
