"""The library in the card: what waits for a review, and a search."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.homeassistant.card.bench import BUNDLES, LANGUAGES, Bench
from tests.homeassistant.card.situations import (
    FILED,
    FULL,
    NEWEST,
    TAKEN,
    UNKNOWN,
    UNSURE,
    Situation,
    library,
    review,
    title,
)
from tests.homeassistant.card.test_states import WIDTHS, axe_source, keep, violations

if TYPE_CHECKING:
    from playwright.sync_api import Locator

FIRST, SECOND = "/mediarip-card.js", "/mediarip-library.js"
WAITING = Situation(library=library(UNSURE, TAKEN, UNKNOWN, newest=NEWEST))
QUIET = Situation(library=library(newest=NEWEST))


def press(bench: Bench, name: str) -> None:
    bench.card.get_by_role("button", name=name, exact=True).click()
    bench.settle()


def row(bench: Bench, name: str) -> Locator:
    return bench.card.locator("li", has=bench.page.get_by_text(name, exact=True))


def answered(bench: Bench) -> dict[str, Any]:
    """Return the one answer that was sent."""
    [command] = bench.commands()
    assert command.pop("command") == "review"
    return command


def open_library(bench: Bench) -> None:
    press(bench, "Details: Library")
    bench.card.get_by_role("searchbox").wait_for()


def search(bench: Bench, words: str) -> None:
    bench.card.get_by_role("searchbox").fill(words)
    bench.card.get_by_role("searchbox").press("Enter")


def names(bench: Bench, kind: str = "titles") -> list[str]:
    found: list[str] = bench.card.locator(f"ul[data-list={kind}] .name").all_inner_texts()
    return found


# The second file


def test_the_second_file_is_loaded_only_where_it_is_needed(bench: Bench) -> None:
    bench.start(replace(FULL, library=library(newest=NEWEST)))
    assert bench.loaded == [FIRST]
    open_library(bench)
    assert bench.loaded == [FIRST, SECOND]


def test_something_that_waits_is_shown_without_a_click(bench: Bench) -> None:
    bench.start(replace(FULL, library=library(newest=NEWEST)))
    assert bench.card.get_by_text("To review").count() == 0
    bench.change(FILED.states())
    row(bench, "Tides 3 - The harbour").wait_for()
    assert bench.loaded == [FIRST, SECOND]
    # Its job is not listed a second time, as one that waits.
    assert bench.card.get_by_text("Waits for a decision").count() == 0


def test_without_a_library_there_is_none_in_the_card(bench: Bench) -> None:
    bench.start(FULL)
    assert bench.card.get_by_text("Library").count() == 0
    assert bench.loaded == [FIRST]


@pytest.mark.parametrize("fault", ["missing", "of another version"])
def test_a_second_file_that_does_not_fit_is_named_and_tried_again(fault: str, bench: Bench) -> None:
    whole = BUNDLES[SECOND]
    if fault == "missing":
        bench.gone.add(SECOND)
    else:
        text = re.sub(r'="[0-9a-f]{8}";export', '="00000000";export', whole.read_text("utf-8"))
        bench.page.route(
            f"**{SECOND}?*",
            lambda route: route.fulfill(body=text, content_type="text/javascript"),
        )
    bench.start(WAITING)
    bench.card.get_by_text("“mediarip-library.js” must lie beside the card's file.").wait_for()
    assert bench.card.get_by_role("textbox", name="Link or search words").is_enabled()
    bench.errors.clear()  # the browser tells of the missing file


def test_the_sections_of_the_library_can_be_chosen(bench: Bench) -> None:
    bench.start(replace(WAITING, config={"sections": ["running", "library"]}))
    assert bench.card.get_by_role("heading").all_inner_texts() == [
        "Downloads",
        "Library\n1,240",
    ]
    assert bench.loaded == [FIRST]


# Reviews


def test_a_guess_is_accepted_with_one_press(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Accept: Tides 3 - The harbour")
    assert answered(bench) == {"id": UNSURE["id"], "accept": True}
    bench.card.get_by_text("Accepted: Tides 3 - The harbour.").wait_for(state="attached")


def test_what_has_no_guess_can_only_be_corrected(bench: Bench) -> None:
    bench.start(WAITING)
    one = row(bench, "VID_2026_01_02")
    assert one.get_by_role("button").count() == 1
    press(bench, "Details: VID_2026_01_02")
    assert one.get_by_label("Title").input_value() == "VID_2026_01_02"
    assert one.get_by_label("Also for what comes from this channel").count() == 0
    one.get_by_role("button", name="Save").click()
    said = {"content_type": "other", "title": "VID_2026_01_02"}
    assert answered(bench) == {"id": UNKNOWN["id"], **said}


def test_a_taken_number_is_accepted_as_a_second_one(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Keep both: The long night")
    assert answered(bench) == {"id": TAKEN["id"], "accept": True, "conflict": "rename"}


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("Episode", {"Season": "2", "Number": "5"}, {"season": 2, "episode": 5}),
        ("Episode", {"Show": "Tide"}, {"show": "Tide", "season": 1, "episode": 3}),
        ("Episode", {}, {}),
        ("Film", {"Title": "The tides", "Year": "2026"}, {"title": "The tides", "year": 2026}),
        (
            "Music",
            {"Artist": "Brass", "Album": "Sea", "Track": "7"},
            {"artist": "Brass", "album": "Sea", "track": 7, "title": "The harbour"},
        ),
        ("Podcast", {"Show": "The week"}, {"show": "The week", "title": "The harbour"}),
        ("Other", {"Title": "Harbour"}, {"title": "Harbour"}),
    ],
)
def test_each_kind_has_its_own_fields(
    kind: str, fields: dict[str, str], said: dict[str, Any], bench: Bench
) -> None:
    bench.start(WAITING)
    press(bench, "Details: Tides 3 - The harbour")
    one = row(bench, "Tides 3 - The harbour")
    one.get_by_label("Kind").select_option(kind)
    for label, value in fields.items():
        one.get_by_label(label, exact=True).fill(value)
    one.get_by_role("button", name="Save").click()
    sent = answered(bench)
    kinds = {"Episode": "tv", "Film": "movie", "Music": "music", "Podcast": "podcast"}
    known = {"id": UNSURE["id"], "choice": 1, "content_type": kinds.get(kind, "other")}
    assert sent == known | said


def test_a_title_that_the_list_has_cut_is_not_sent_back(bench: Bench) -> None:
    cut = "x" * 120
    one = review(61, cut, {"content_type": "tv", "show": "Tides", "title": cut, "confidence": 0.4})
    bench.start(replace(WAITING, library=library(one)))
    press(bench, f"Details: {cut}")
    form = bench.card.locator("li form")
    form.get_by_label("Kind").select_option("Film")
    form.get_by_role("button", name="Save").click()
    assert answered(bench) == {"id": one["id"], "choice": 1, "content_type": "movie"}


def test_another_guess_fills_the_form_and_an_answer_is_remembered(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Details: Tides 3 - The harbour")
    one = row(bench, "Tides 3 - The harbour")
    one.get_by_label("Title", exact=True).fill("Typed before")
    one.get_by_role("button", name="Film · Tides 3 - The harbour · 2026").click()
    bench.settle()
    assert one.get_by_label("Year").input_value() == "2026"
    assert one.get_by_label("Show", exact=True).is_hidden()
    one.get_by_label("Also for what comes from this channel").check()
    one.get_by_role("button", name="Save").click()
    said = {"choice": 2, "content_type": "movie", "remember": True}
    assert answered(bench) == {"id": UNSURE["id"], **said}


def test_discarding_asks_first(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Details: Tides 3 - The harbour")
    press(bench, "Discard: Tides 3 - The harbour")
    assert bench.calls() == []
    assert bench.page.evaluate(
        "() => bench.cards[0].shadowRoot.activeElement.textContent.trim()"
    ) == ("Do not discard")
    bench.page.keyboard.press("Escape")
    bench.settle()
    press(bench, "Discard: Tides 3 - The harbour")
    press(bench, "Discard: Tides 3 - The harbour")
    assert answered(bench) == {"id": UNSURE["id"], "discard": True}


def test_a_number_that_is_taken_meanwhile_can_be_kept_twice(bench: Bench) -> None:
    bench.start(WAITING)
    bench.reply({"ok": False, "error_code": "conflict", "error": "taken"})
    press(bench, "Accept: Tides 3 - The harbour")
    row(bench, "Tides 3 - The harbour").get_by_text("Another title has this number").wait_for()
    bench.commands()
    bench.reply({"ok": True})
    press(bench, "Keep both")
    assert answered(bench) == {"id": UNSURE["id"], "accept": True, "conflict": "rename"}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("title_not_found", "This title is no longer there."),
        ("storage_unavailable", "The storage is not available."),
        ("sun_spots", "The sun had spots."),
    ],
)
def test_a_refusal_stands_in_its_row(code: str, text: str, bench: Bench) -> None:
    bench.start(WAITING)
    bench.reply({"ok": False, "error_code": code, "error": "The sun had spots."})
    press(bench, "Accept: Tides 3 - The harbour")
    row(bench, "Tides 3 - The harbour").get_by_text(text).wait_for()


def test_what_is_typed_stays_while_the_list_changes(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Details: The long night")
    field = row(bench, "The long night").get_by_label("Title", exact=True)
    field.fill("The longest night")
    other = library(review(60, "New"), TAKEN, newest=NEWEST)
    bench.change(replace(WAITING, library=other).states())
    assert names(bench, "review") == ["New", "The long night"]
    assert field.input_value() == "The longest night"
    assert field.evaluate("(field) => field.getRootNode().activeElement === field")


def test_the_focus_goes_to_the_next_review(bench: Bench) -> None:
    bench.start(WAITING)
    press(bench, "Accept: Tides 3 - The harbour")
    bench.change(replace(WAITING, library=library(TAKEN, UNKNOWN, newest=NEWEST)).states())
    focused = "() => bench.cards[0].shadowRoot.activeElement.getAttribute('aria-label')"
    assert bench.page.evaluate(focused) == "Keep both: The long night"


def test_the_reviews_that_do_not_fit_are_counted(bench: Bench) -> None:
    waiting = [review(number, f"Part {number}") for number in range(10)]
    bench.start(Situation(library=library(*waiting, waiting=31)))
    bench.card.get_by_text("and 21 more").wait_for()
    assert bench.card.get_by_role("heading", name="To review 31").count() == 1


def test_who_may_only_look_sees_what_waits(bench: Bench) -> None:
    bench.start(WAITING)
    bench.refuse()
    press(bench, "Accept: Tides 3 - The harbour")
    bench.card.get_by_text("You can look, but not change anything.").first.wait_for()
    press(bench, "Details: Tides 3 - The harbour")
    one = row(bench, "Tides 3 - The harbour")
    assert one.get_by_text("Harbour films").count() == 1
    assert one.get_by_role("button").count() == 1


def test_the_last_known_reviews_stay_while_the_service_is_off(bench: Bench) -> None:
    bench.start(WAITING)
    open_library(bench)
    bench.go_offline(WAITING)
    bench.card.get_by_text("Off since").first.wait_for()
    assert names(bench, "review") == ["Tides 3 - The harbour", "The long night", "VID_2026_01_02"]
    assert len(names(bench)) == len(NEWEST)
    assert bench.card.get_by_role("button", name="Accept: Tides 3").is_disabled()
    assert bench.card.get_by_role("searchbox").is_disabled()
    bench.change(WAITING.states())
    assert bench.card.get_by_role("button", name="Accept: Tides 3").is_enabled()


# The search


def test_the_newest_titles_are_shown_until_words_are_searched(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    assert names(bench) == [one["title"] for one in NEWEST]
    told = row(bench, "The lighthouse").locator(".meta").inner_text()
    assert told == "Walks · S01E71 · Oct 1, 2026 · 734 MB · watched"


def test_words_are_searched_and_the_results_shown(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(title(5, "Tide one"), title(6, "Tide two"))
    search(bench, "tide")
    bench.card.get_by_text("Found for “tide”").first.wait_for()
    assert names(bench) == ["Tide one", "Tide two"]
    assert bench.commands() == [{"command": "titles", "limit": 15, "query": "tide"}]
    bench.find()
    search(bench, "ship")
    bench.card.get_by_text("Nothing found for “ship”.").first.wait_for()
    assert names(bench) == []
    search(bench, "")
    bench.card.get_by_text("The newest titles").wait_for()
    assert len(names(bench)) == len(NEWEST)


def test_further_results_follow_page_by_page(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(*(title(number) for number in range(1, 16)))
    search(bench, "walk")
    bench.card.get_by_role("button", name="Show more").wait_for()
    bench.commands()
    bench.find(title(16))
    press(bench, "Show more")
    row(bench, "Evening walk, part 16").wait_for()
    assert len(names(bench)) == 16
    assert bench.card.get_by_role("button", name="Show more").count() == 0
    [sent] = bench.commands()
    assert sent["before"] == title(15)["id"]


def test_a_reply_that_another_one_replaced_is_asked_for_again(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(title(5, "Tide one"))
    bench.page.evaluate(
        """() => {
          const change = bench.change.bind(bench);
          bench.change = (states) => {
            bench.change = change;
            const [[id, state]] = Object.entries(states);
            const { titles, ...kept } = state.attributes;
            bench.change({ [id]: { ...state, attributes: { ...kept, request_id: "other" } } });
          };
        }"""
    )
    search(bench, "tide")
    row(bench, "Tide one").wait_for()
    assert [one["query"] for one in bench.commands()] == ["tide", "tide"]


def test_a_late_answer_does_not_replace_a_later_search(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(title(5, "Tide one"))
    search(bench, "tide")
    search(bench, "")
    bench.page.wait_for_timeout(100)
    bench.settle()
    assert len(names(bench)) == len(NEWEST)


def test_a_search_that_is_refused_says_why(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.reply({"ok": False, "error_code": "storage_unavailable", "error": ""})
    search(bench, "tide")
    bench.card.get_by_text("The storage is not available.").first.wait_for()
    assert len(names(bench)) == len(NEWEST)


def test_a_search_without_an_answer_ends(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.reply(None)
    search(bench, "tide")
    bench.card.get_by_text("Searching…").wait_for()
    bench.page.clock.run_for(11_000)
    bench.card.get_by_text("The service does not answer.").first.wait_for()


def test_a_title_is_played_here(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    press(bench, "Play: Mountain song")
    bench.card.locator("audio").or_(bench.card.locator("video")).wait_for()
    [asked] = bench.page.evaluate("() => bench.messages")
    root = "media-source://media_source/local/mediarip"
    assert asked["media_content_id"] == f"{root}/{NEWEST[3]['organized_to']}"


def test_a_title_in_the_library_is_corrected(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(title(5, "Tide one", state="completed"))
    search(bench, "tide")
    press(bench, "Details: Tide one")
    press(bench, "Correct: Tide one")
    bench.commands()
    one = row(bench, "Tide one")
    one.get_by_label("Number").fill("6")
    one.get_by_role("button", name="Save").click()
    bench.card.get_by_text("Saved: Tide one.").wait_for(state="attached")
    bench.settle()
    correction, again = bench.commands()
    said = {"content_type": "tv", "episode": 6}
    assert correction == {"command": "review", "id": title(5)["id"], **said}
    assert again == {"command": "titles", "limit": 15, "query": "tide"}


@pytest.mark.parametrize(
    ("title", "button", "watched"),
    [("The lighthouse", "Mark as not watched", False), ("Mountain song", "Mark as watched", True)],
)
def test_a_title_is_marked_as_watched_or_not(
    title: str,
    button: str,
    watched: bool,  # noqa: FBT001 - a parameter of the test
    bench: Bench,
) -> None:
    bench.start(QUIET)
    open_library(bench)
    press(bench, f"Details: {title}")
    press(bench, button)
    [command] = bench.commands()
    number = 0 if title == "The lighthouse" else 3
    assert command == {"command": "watched", "id": NEWEST[number]["id"], "watched": watched}


def test_a_title_whose_file_is_away_is_neither_played_nor_corrected(bench: Bench) -> None:
    bench.start(QUIET)
    open_library(bench)
    bench.find(title(5, "Tide one", state="missing"))
    search(bench, "tide")
    press(bench, "Details: Tide one")
    assert row(bench, "Tide one").get_by_role("button").count() == 1


@pytest.mark.parametrize("attributes", [{"reviews": [None, 1, "x", {}, {"id": 5}, {"id": "a"}]}])
def test_what_is_no_review_is_left_out(attributes: dict[str, Any], bench: Bench) -> None:
    states = WAITING.states()
    states["sensor.mediarip_reviews_waiting"]["attributes"] |= attributes
    bench.start(WAITING)
    bench.change(states)
    assert names(bench, "review") == ["Untitled"]


# How it looks


@pytest.mark.parametrize("language", LANGUAGES)
def test_forms_and_results_are_readable_and_accessible(
    language: str, open_bench: Callable[..., Bench]
) -> None:
    bench = open_bench()
    bench.page.add_script_tag(content=axe_source())
    bench.start(WAITING, language=language)
    bench.find(*NEWEST, title(9, "A long title of an episode that goes on and on " * 3))
    bench.card.locator("li .expander").first.click()
    bench.settle()
    bench.card.locator("#section-library ~ .expander").click()
    bench.card.locator("#library-words").fill("x")
    bench.card.locator("#library-words").press("Enter")
    bench.card.get_by_text("A long title").first.wait_for()
    bench.card.locator("ul[data-list=titles] .expander").first.click()
    bench.settle()
    faults = []
    for dark in (False, True):
        bench.page.evaluate("(dark) => bench.theme(dark)", dark)
        for width in WIDTHS:
            bench.page.set_viewport_size({"width": width, "height": 900})
            bench.settle()
            where = f"library-opened-{language}-{width}{'-dark' if dark else ''}"
            keep(bench, where)
            for kind in ("overflows", "cut"):
                found = bench.page.evaluate(f"() => bench.{kind}()")
                faults += [f"{where}: {kind}: {one}" for one in found]
            if (language == "en" and not dark) or width == (480 if dark else 320):
                faults += [f"{where}: {one}" for one in violations(bench)]
    bench.card.locator(".discard").first.click()
    bench.settle()
    faults += violations(bench)
    assert faults == []
