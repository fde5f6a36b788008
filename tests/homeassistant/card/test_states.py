"""Each state of the service, in each language, width and theme: readable, whole, accessible."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.homeassistant.card.bench import LANGUAGES, Bench
from tests.homeassistant.card.situations import FULL, SITUATIONS

WIDTHS = (320, 480, 1200)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_source() -> str:
    import axe_playwright_python  # noqa: PLC0415 - `make test` collects this file without it

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def violations(bench: Bench) -> list[str]:
    """Return what axe-core objects to."""
    run = "(rules) => axe.run('main', { runOnly: rules, resultTypes: ['violations'] })"
    found: list[dict[str, Any]] = bench.page.evaluate(run, RULES)["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def keep(bench: Bench, name: str) -> None:
    """Take a picture if someone wants to look at them."""
    if folder := os.environ.get("CARD_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        bench.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_state_is_readable_and_accessible(name: str, language: str, bench: Bench) -> None:
    bench.page.add_script_tag(content=axe_source())
    bench.start(SITUATIONS[name], language=language)
    faults = []
    for dark in (False, True):
        bench.page.evaluate("(dark) => bench.theme(dark)", dark)
        for width in WIDTHS:
            bench.page.set_viewport_size({"width": width, "height": 900})
            bench.settle()
            where = f"{name.replace(' ', '-')}-{language}-{width}{'-dark' if dark else ''}"
            keep(bench, where)
            for kind in ("overflows", "cut"):
                found = bench.page.evaluate(f"() => bench.{kind}()")
                faults += [f"{where}: {kind}: {one}" for one in found]
            # axe-core is slow; the colours depend on neither language nor width.
            if (language == "en" and not dark) or width == (480 if dark else 320):
                faults += [f"{where}: {one}" for one in violations(bench)]
    assert faults == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_older_home_assistant_s_colours_have_contrast_too(
    bench: Bench,
    dark: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bench.page.add_script_tag(content=axe_source())
    bench.start(FULL)
    bench.page.evaluate("(dark) => bench.theme(dark, true)", dark)
    bench.settle()
    assert violations(bench) == []


def test_axe_sees_into_the_card(bench: Bench) -> None:
    bench.page.add_script_tag(content=axe_source())
    bench.start(FULL)
    bench.page.evaluate(
        "() => bench.cards[0].shadowRoot.querySelector('ha-card')"
        ".append(document.createElement('button'))"
    )
    assert any(one.startswith("button-name") for one in violations(bench))


@pytest.mark.parametrize("name", ["full", "errors", "long titles"])
def test_what_a_row_holds_back_is_accessible_too(name: str, bench: Bench) -> None:
    bench.page.add_script_tag(content=axe_source())
    bench.page.set_viewport_size({"width": 320, "height": 900})
    bench.start(SITUATIONS[name])
    rows = bench.card.get_by_role("button", name=re.compile("^Details: "))
    for number in range(rows.count()):
        rows.nth(number).click()
        bench.settle()
        assert bench.page.evaluate("() => bench.overflows()") == []
        if number % 5 == 0:  # axe-core is slow
            keep(bench, f"{name.replace(' ', '-')}-opened-{number}-320")
            assert violations(bench) == []


def test_a_card_follows_the_theme_without_a_reload(open_bench: Callable[..., Bench]) -> None:
    bench = open_bench(480)
    bench.start(FULL)
    colour = "() => getComputedStyle(bench.cards[0].shadowRoot.querySelector('ha-card')).color"
    light = bench.page.evaluate(colour)
    bench.page.evaluate("() => bench.theme(true)")
    assert bench.page.evaluate(colour) != light
