"""The card in a real Chromium, without a Home Assistant: seconds instead of minutes.

`CARD_SCREENSHOTS=DIR` keeps a picture of every state, language, width and theme.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.homeassistant.card.bench import Bench
from tests.support.browser import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests with a browser are for `make test-ha`; others of this folder are fast."""
    if "open_bench" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.homeassistant)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make test` collects this folder without playwright

    with sync_playwright() as play:
        one = play.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="package")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a picture as the service publishes it: 8 x 5 tiles."""
    target = tmp_path_factory.mktemp("tiles") / "tiles.jpg"
    source = "gradients=s=128x72:n=4:rate=1:duration=40:speed=0.9:seed=7"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-vf", "tile=8x5"]
    subprocess.run([*command, "-frames:v", "1", str(target)], check=True)
    return target.read_bytes()


@pytest.fixture
def open_bench(browser: Browser, tiles: bytes) -> Iterator[Callable[..., Bench]]:
    """Open pages with the card; a JavaScript error on one fails the test."""
    opened: list[tuple[Any, Bench]] = []

    def open_bench(width: int = 480, height: int = 900) -> Bench:
        context = browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="UTC", locale="en-US"
        )
        bench = Bench(context.new_page(), tiles).open()
        opened.append((context, bench))
        return bench

    yield open_bench
    errors = []
    for context, bench in opened:
        errors += bench.errors + bench.page.evaluate("() => bench.errors")
        context.close()
    assert errors == []


@pytest.fixture
def bench(open_bench: Callable[..., Bench]) -> Bench:
    return open_bench()
