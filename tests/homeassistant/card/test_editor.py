"""The form and the strategy, as Home Assistant's pages call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.homeassistant.card.bench import Bench
from tests.homeassistant.card.situations import FULL, SITUATIONS, Situation

APP = """(language) => {
  const app = document.createElement("home-assistant");
  app.hass = { ...bench.hass, language, locale: { ...bench.hass.locale, language } };
  document.body.append(app);
}"""
FORM = """() => {
  const form = customElements.get("mediarip-card").getConfigForm();
  const fields = form.schema.flatMap((one) => one.schema ?? [one]);
  return fields.map((one) => ({
    name: one.name,
    selector: one.selector,
    label: form.computeLabel(one, (key) => key) ?? null,
    help: form.computeHelper?.(one, (key) => key) ?? null,
  }));
}"""
GENERATE = """() => customElements.get("ll-strategy-dashboard-mediarip")
  .generate({ type: "custom:mediarip" }, bench.hass)"""
# Named by Home Assistant itself if the card does not.
GENERIC = {"entity", "title"}


def form(bench: Bench, language: str) -> dict[str, dict[str, Any]]:
    bench.start(FULL, cards=0)
    bench.page.evaluate(APP, language)
    return {one["name"]: one for one in bench.page.evaluate(FORM)}


def test_the_form_has_every_option(bench: Bench) -> None:
    fields = form(bench, "en")
    more = {"sections", "finished", "add", "thumbnails", "confirm", "players", "media"}
    assert {*fields} == GENERIC | more
    offered = fields["entity"]["selector"]["entity"]["filter"]
    assert offered == [{"integration": "mqtt", "domain": "sensor", "device_class": "enum"}]


@pytest.mark.parametrize("language", ["en", "de", "fr", "pl"])
def test_the_form_speaks_the_user_s_language(language: str, bench: Bench) -> None:
    fields = form(bench, language)
    for name in {*fields} - GENERIC:
        assert fields[name]["label"], name
    others = {"en": "Thumbnails", "pl": "Thumbnails", "de": "Vorschaubilder", "fr": "Vignettes"}
    assert fields["thumbnails"]["label"] == others[language]


def test_all_options_of_the_form_are_accepted(bench: Bench) -> None:
    fields = form(bench, "en")
    config = {
        "type": "custom:mediarip-card",
        "entity": "sensor.mediarip_status",
        "title": "Films",
        "sections": ["finished"],
        "finished": 2,
        "add": False,
        "thumbnails": False,
        "confirm": False,
        "players": ["media_player.tv"],
        "media": "media-source://media_source/local/x",
    }
    assert {*config} - {"type"} == {*fields}
    bench.page.evaluate("(config) => bench.add(config)", config)
    bench.card.get_by_role("heading", name="Films").wait_for()
    assert bench.card.locator("li").count() == 2
    assert bench.card.get_by_role("textbox").count() == 0
    assert bench.card.get_by_text("Harbour at night").count() == 0


def test_the_card_is_suggested_for_a_service_s_status_alone(bench: Bench) -> None:
    bench.start(FULL, cards=0)
    ask = "(entity) => window.customCards[0].getEntitySuggestion(bench.hass, entity)"
    found = bench.page.evaluate(ask, "sensor.mediarip_status")
    assert found["config"] == {"type": "custom:mediarip-card", "entity": "sensor.mediarip_status"}
    for entity in ("sensor.mediarip_speed", "select.mediarip_quality", "light.missing"):
        assert bench.page.evaluate(ask, entity) is None


@pytest.mark.parametrize("name", ["full", "offline"])
def test_the_strategy_shows_the_service_s_entities(name: str, bench: Bench) -> None:
    bench.start(SITUATIONS[name], cards=0)
    [view] = bench.page.evaluate(GENERATE)["views"]
    cards = [card for section in view["sections"] for card in section["cards"]]
    tiles = {one["entity"]: one["name"] for one in cards if one["type"] == "tile"}
    assert tiles == {
        "switch.mediarip_paused": "Paused",
        "select.mediarip_preset": "Preset",
        "select.mediarip_quality": "Quality",
        "sensor.mediarip_disk_free": "Disk free",
        "binary_sensor.mediarip_problem": "Problem",
        "update.mediarip_ytdlp": "Ytdlp",
    }
    [card] = [one for one in cards if one["type"] == "custom:mediarip-card"]
    assert card["entity"] == "sensor.mediarip_status"
    graphs = [one["entities"][0]["entity"] for one in cards if one["type"] == "history-graph"]
    assert graphs == ["sensor.mediarip_speed", "sensor.mediarip_disk_free"]


def test_the_strategy_has_a_view_for_each_service(bench: Bench) -> None:
    bench.start(FULL, Situation(), cards=0)
    views = bench.page.evaluate(GENERATE)["views"]
    assert {one["title"] for one in views} == {"mediarip", "mediarip2"}
    assert len({one["path"] for one in views}) == 2


def test_the_strategy_is_offered_to_home_assistant(bench: Bench) -> None:
    bench.start(FULL, cards=0)
    [offered] = bench.page.evaluate("() => window.customStrategies")
    assert (offered["type"], offered["strategyType"]) == ("mediarip", "dashboard")
    strategy = "customElements.get('ll-strategy-dashboard-mediarip')"
    suggestion = bench.page.evaluate(f"() => {strategy}.getCreateSuggestions(bench.hass)")
    assert suggestion == {"title": "Downloads", "icon": "mdi:download"}


def test_a_card_fits_a_section_of_a_dashboard(open_bench: Callable[..., Bench]) -> None:
    bench = open_bench(480)
    bench.start(FULL)
    options = bench.page.evaluate("() => bench.cards[0].getGridOptions()")
    assert options["min_columns"] <= 6 < options["columns"] == 12
    assert bench.page.evaluate("() => bench.cards[0].getCardSize()") >= 1
    # With a number of rows, Home Assistant gives the card a height; the list scrolls in it.
    bench.page.evaluate(
        "() => { const card = bench.cards[0]; const box = document.createElement('div');"
        " box.style.cssText = 'height: 400px'; card.style.height = '100%'; card.replaceWith(box);"
        " box.append(card); card.layout = 'grid'; }"
    )
    bench.settle()
    assert bench.card.evaluate("(card) => card.getBoundingClientRect().height") == 400
    assert bench.page.evaluate(
        "() => bench.cards[0].shadowRoot.querySelector('ha-card').getBoundingClientRect().height"
    ) <= 401  # fmt: skip
