"""What titles, entities and pages may do to the card without breaking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.homeassistant.card.bench import Bench
from tests.homeassistant.card.situations import (
    FULL,
    HOSTILE_TITLES,
    SITUATIONS,
    Situation,
    downloading,
)

NAMES = {
    "status": "sensor.television_recorder",
    "last_completed": "sensor.a",
    "last_failed": "sensor.b",
    "response": "sensor.c",
    "download": "notify.fetch_it",
    "tiles": "image.d",
    "preset": "select.e",
    "paused": "switch.f",
}
ALONE = Situation(jobs=(downloading(1, "Harbour"),), status="downloading")


@pytest.mark.parametrize("name", HOSTILE_TITLES)
def test_a_hostile_title_stays_text(name: str, bench: Bench) -> None:
    title = HOSTILE_TITLES[name]
    bench.start(replace(ALONE, jobs=(downloading(1) | {"title": title, "site": title or "x"},)))
    assert bench.page.title() == "Card"
    shown = bench.page.evaluate(
        """() => {
          const row = bench.cards[0].shadowRoot.querySelector("li");
          const names = [...row.querySelectorAll("*")].map((one) => one.localName);
          const strange = names.filter((one) => ["img", "script", "b", "iframe"].includes(one));
          return { text: row.textContent, strange };
        }"""
    )
    assert shown["strange"] == []
    words = title.split()
    assert not words or words[0][:20].strip("\0") in shown["text"] or name in {"bidi", "controls"}
    # An override in a title must not turn what stands after it.
    if name == "bidi":
        isolated = bench.page.evaluate(
            "() => { const row = bench.cards[0].shadowRoot.querySelector('li');"
            " return [...row.querySelectorAll('*')]"
            ".filter((one) => [...one.childNodes].some((node) => node.data?.includes('abc')))"
            ".every((one) => one.closest('[dir=auto]') || one.localName === 'bdi' ||"
            " ['isolate', 'plaintext'].includes(getComputedStyle(one).unicodeBidi)); }"
        )
        assert isolated
    assert bench.page.evaluate("() => bench.overflows()") == []


@pytest.mark.parametrize(
    "jobs",
    [
        "nothing",
        ["text", 5, None, {}],
        [{"id": "1"}],
        [{"id": "1", "status": "dreaming", "title": "x", "site": "y", "kind": "video"}],
        [{"id": "1", "status": "queued", "title": 5, "site": {}, "kind": []}],
        [{"id": "1", "status": "downloading", "title": "x", "progress": "much", "at": "noon"}],
        [{"id": "1", "status": "downloading", "title": "x", "progress": 1e9, "eta": -5, "at": 0}],
        [downloading(1), downloading(1)],
    ],
    ids=["a string", "strange", "bare", "status", "types", "numbers", "ranges", "twice"],
)
def test_a_list_from_another_version_does_no_harm(jobs: object, bench: Bench) -> None:
    bench.start(FULL)
    states = FULL.states()
    states["sensor.mediarip_status"]["attributes"]["jobs"] = jobs
    bench.change({"sensor.mediarip_status": states["sensor.mediarip_status"]})
    bench.card.get_by_role("heading", name="Downloads").wait_for()
    bench.card.get_by_text("Private film").first.wait_for()  # of another list


def test_renamed_entities_work(bench: Bench) -> None:
    bench.start(FULL, names=NAMES)
    bench.card.get_by_role("button", name="Cancel: Harbour at night").click()
    [call] = bench.calls()
    assert call["target"] == {"entity_id": "notify.fetch_it"}
    bench.card.get_by_text("Interview", exact=True).wait_for()
    bench.card.get_by_text("Private film").wait_for()
    # Its reply, from the renamed sensor, ends the waiting.
    row = bench.card.locator("li", has_text="Harbour at night")
    row.get_by_role("button", name="Cancel: Harbour at night").and_(
        bench.card.locator(":enabled")
    ).wait_for()


@pytest.mark.parametrize(
    "missing", ["last_completed", "last_failed", "response", "download", "tiles", "preset"]
)
def test_a_missing_or_disabled_entity_takes_only_its_part(missing: str, bench: Bench) -> None:
    bench.start(replace(FULL, missing=frozenset({missing})))
    bench.card.get_by_text("Harbour at night").first.wait_for()


def test_the_resource_may_be_loaded_twice(bench: Bench) -> None:
    bench.load("/mediarip-card.js?hacstag=1")
    bench.load("/mediarip-card.js?hacstag=2")
    bench.start(FULL)
    bench.card.get_by_text("Harbour at night").first.wait_for()
    offered = bench.page.evaluate("() => window.customCards.map((one) => one.type)")
    assert offered == ["mediarip-card"]
    assert len(bench.page.evaluate("() => window.customStrategies")) == 1


def test_two_services_on_one_page_keep_apart(open_bench: Callable[..., Bench]) -> None:
    bench = open_bench(1200)
    other = replace(ALONE, jobs=(downloading(9, "Elsewhere"),))
    bench.start(ALONE, other)
    cards = bench.page.locator("mediarip-card")
    assert cards.nth(0).get_by_text("Elsewhere").count() == 0
    assert cards.nth(1).get_by_text("Harbour").count() == 0
    cards.nth(1).get_by_role("button", name="Cancel: Elsewhere").click()
    [call] = bench.calls()
    assert call["target"] == {"entity_id": "notify.mediarip2_download"}


def test_one_service_on_two_cards_sends_once(open_bench: Callable[..., Bench]) -> None:
    bench = open_bench(1200)
    bench.start(ALONE)
    entity = "sensor.mediarip_status"
    bench.page.evaluate("(entity) => bench.add({ type: 'x', entity })", entity)
    bench.page.locator("mediarip-card").nth(1).get_by_role("button", name="Cancel: Harbour").click()
    assert [one["command"] for one in bench.commands()] == ["cancel"]
    ids = bench.page.evaluate(
        "() => bench.cards.map((card) => card.shadowRoot.querySelectorAll('li').length)"
    )
    assert ids == [1, 1]


def test_a_card_without_an_entity_finds_the_service(bench: Bench) -> None:
    bench.start(FULL, cards=0)
    bench.page.evaluate("() => bench.add({ type: 'custom:mediarip-card' })")
    bench.card.get_by_text("Harbour at night").first.wait_for()


def test_a_service_that_comes_back_is_shown_at_once(bench: Bench) -> None:
    bench.start(SITUATIONS["offline"])
    assert bench.card.get_by_text("Off since").count() == 1
    bench.change(FULL.states())
    bench.card.get_by_text("Harbour at night").first.wait_for()
    assert bench.card.get_by_text("Off since").count() == 0


def test_the_last_known_list_stays_while_the_service_is_off(bench: Bench) -> None:
    bench.start(SITUATIONS["offline, known before"])
    bench.card.get_by_text("Off since").first.wait_for()
    assert bench.card.get_by_text("Harbour at night").count() >= 1


def test_a_service_that_appears_later_is_shown(bench: Bench) -> None:
    bench.start(SITUATIONS["no service"])
    states = FULL.states()
    about = {
        entity: {"entity_id": entity, "device_id": "device-mediarip", "platform": "mqtt"}
        for entity in states
    }
    bench.page.evaluate("(entities) => bench.give({ entities })", about)
    bench.change(states)
    bench.card.get_by_text("Harbour at night").first.wait_for()


def test_a_card_that_is_moved_keeps_working(bench: Bench) -> None:
    bench.start(ALONE)
    bench.page.evaluate(
        "() => { const card = bench.cards[0]; card.remove();"
        " document.querySelector('main').append(card); }"
    )
    bench.change(replace(ALONE, jobs=(downloading(1, "Lighthouse"),)).states())
    bench.card.get_by_text("Lighthouse").first.wait_for()


def test_a_wrong_configuration_is_refused_with_its_reason(bench: Bench) -> None:
    refuse = (
        "() => { try { document.createElement('mediarip-card').setConfig({ entity: 5 }); }"
        " catch (error) { return String(error.message); } }"
    )
    assert "entity" in bench.page.evaluate(refuse)
