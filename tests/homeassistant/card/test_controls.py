"""Every control sends the command that it names, through the one entity that members may use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.homeassistant.card.bench import Bench
from tests.homeassistant.card.situations import FULL, SITUATIONS, Situation, downloading, entry

RUNNING = downloading(1, "Harbour")
WAITING = entry(2, "queued", "Bread")
PAUSED = entry(3, "paused", "Night train", progress=20.0)
FAILED = entry(4, "failed", "Private", error_code="network", error="no route")
DONE = entry(5, title="Interview")
KEPT = entry(6, title="Kept", keep=True)
FIRST = entry(7, "queued", "First", priority="high")
CANCELLED = entry(8, "cancelled", "Never mind")
HOME = Situation(
    jobs=(RUNNING, WAITING, PAUSED, FIRST, CANCELLED),
    failed=(FAILED, entry(9, "failed", "Other", error_code="network", error="no route")),
    finished=(DONE, KEPT),
    status="downloading",
)
LIVING_ROOM = {
    "media_player.tv": {
        "entity_id": "media_player.tv",
        "state": "idle",
        "attributes": {"friendly_name": "Television", "supported_features": 512},
        "last_changed": "2026-11-29T13:58:00.000Z",
    }
}


def press(bench: Bench, name: str) -> None:
    bench.card.get_by_role("button", name=name, exact=True).click()


def open_row(bench: Bench, title: str) -> None:
    press(bench, f"Details: {title}")


def in_row(bench: Bench, title: str, action: str) -> None:
    open_row(bench, title)
    bench.card.locator("li", has_text=title).get_by_role("button", name=action, exact=True).click()


@pytest.mark.parametrize(
    ("button", "job", "command"),
    [
        ("Cancel: Harbour", RUNNING, {"command": "cancel"}),
        ("Cancel: Bread", WAITING, {"command": "cancel"}),
        ("Resume: Night train", PAUSED, {"command": "resume"}),
        ("Retry: Private", FAILED, {"command": "retry"}),
        ("Retry: Never mind", CANCELLED, {"command": "retry"}),
    ],
)
def test_a_row_s_main_button_acts_on_its_job(
    button: str, job: dict[str, Any], command: dict[str, Any], bench: Bench
) -> None:
    bench.start(HOME)
    press(bench, button)
    assert bench.commands() == [{**command, "id": job["id"]}]


@pytest.mark.parametrize(
    ("job", "action", "command"),
    [
        (RUNNING, "Pause", {"command": "pause"}),
        (WAITING, "Pause", {"command": "pause"}),
        (WAITING, "Move up", {"command": "prioritize", "priority": "high"}),
        (FIRST, "Priority: Normal", {"command": "prioritize", "priority": "normal"}),
        (PAUSED, "Cancel", {"command": "cancel"}),
        (FAILED, "Remove from list", {"command": "clear"}),
        (CANCELLED, "Remove from list", {"command": "clear"}),
        (DONE, "Remove from list", {"command": "clear"}),
        (DONE, "Keep", {"command": "keep", "keep": True}),
        (KEPT, "Do not keep", {"command": "keep", "keep": False}),
    ],
)
def test_a_row_s_other_actions_are_in_words(
    job: dict[str, Any], action: str, command: dict[str, Any], bench: Bench
) -> None:
    bench.start(HOME)
    in_row(bench, job["title"], action)
    assert bench.commands() == [{**command, "id": job["id"]}]


def test_deleting_a_file_asks_first(bench: Bench) -> None:
    bench.start(HOME)
    in_row(bench, "Interview", "Delete file")
    assert bench.calls() == []
    press(bench, "Do not delete")
    assert bench.calls() == []
    bench.card.get_by_role("button", name="Delete file", exact=True).click()
    press(bench, "Delete file: Interview")
    assert bench.commands() == [{"command": "delete", "id": DONE["id"], "files": True}]


def test_deleting_does_not_ask_where_that_is_set(bench: Bench) -> None:
    bench.start(replace(HOME, config={"confirm": False}))
    in_row(bench, "Interview", "Delete file")
    assert bench.commands() == [{"command": "delete", "id": DONE["id"], "files": True}]


def test_pause_and_resume_are_for_all_downloads(bench: Bench) -> None:
    bench.start(HOME)
    press(bench, "Pause: Downloads")
    assert bench.commands() == [{"command": "pause"}]
    bench.change(SITUATIONS["paused"].states())
    press(bench, "Resume: Downloads")
    assert bench.commands() == [{"command": "resume"}]


def test_retry_all_is_for_all_that_failed(bench: Bench) -> None:
    bench.start(HOME)
    press(bench, "Retry all")
    assert bench.commands() == [{"command": "retry", "id": "all", "status": "failed"}]


# Adding


def field(bench: Bench) -> Any:
    return bench.card.get_by_role("textbox", name="Link or search words")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("https://videos.example/1", {"url": "https://videos.example/1"}),
        ("Look: https://videos.example/1", {"url": "https://videos.example/1"}),
        ("videos.example/1", {"url": "videos.example/1"}),
        ("whales in winter", {"query": "whales in winter"}),
    ],
)
def test_enter_adds_a_link_or_search_words(typed: str, sent: dict[str, str], bench: Bench) -> None:
    bench.start(HOME)
    field(bench).fill(typed)
    field(bench).press("Enter")
    assert bench.commands() == [{"command": "download", **sent}]
    bench.page.wait_for_function(
        "() => bench.cards[0].shadowRoot.querySelector('#source').value === ''"
    )


def test_the_options_go_with_the_link(bench: Bench) -> None:
    bench.start(HOME)
    field(bench).fill("https://videos.example/1")
    bench.card.get_by_role("combobox", name="Format").select_option("1080p")
    press(bench, "Options")
    bench.card.get_by_label("Folder").fill("films/new")
    bench.card.get_by_label("Not before").fill("2026-11-30T07:30")
    bench.card.get_by_label("Priority").select_option("High")
    press(bench, "Add")
    expected = {
        "command": "download",
        "url": "https://videos.example/1",
        "preset": "1080p",
        "folder": "films/new",
        "not_before": "2026-11-30T07:30:00.000Z",
        "priority": "high",
    }
    assert bench.commands() == [expected]


def test_sound_only_is_an_option(bench: Bench) -> None:
    bench.start(HOME)
    field(bench).fill("https://videos.example/1")
    press(bench, "Options")
    bench.card.get_by_label("Sound only").check()
    press(bench, "Add")
    sent = {"command": "download", "url": "https://videos.example/1", "media_type": "audio"}
    assert bench.commands() == [sent]


def give(bench: Bench, event: str, data: dict[str, str]) -> None:
    """Paste or drop."""
    bench.page.evaluate(
        """([event, data]) => {
          const root = bench.cards[0].shadowRoot;
          const moved = new DataTransfer();
          for (const [type, text] of Object.entries(data)) moved.setData(type, text);
          const target = root.querySelector(event === "paste" ? "#source" : "ha-card");
          const more = { bubbles: true, composed: true, cancelable: true };
          target.dispatchEvent(event === "paste"
            ? new ClipboardEvent("paste", { clipboardData: moved, ...more })
            : new DragEvent("drop", { dataTransfer: moved, ...more }));
        }""",
        [event, data],
    )


def test_several_pasted_links_are_asked_about(bench: Bench) -> None:
    bench.start(HOME)
    give(bench, "paste", {"text/plain": "\n".join(f"https://v.example/{n}" for n in range(5))})
    question = bench.card.get_by_role("group", name="Add 5 links?")
    question.wait_for()
    assert bench.calls() == []
    question.get_by_role("button", name="Add").click()
    bench.page.wait_for_function("() => bench.calls.length === 5")
    assert [one["url"] for one in bench.commands()] == [f"https://v.example/{n}" for n in range(5)]


def test_a_dropped_link_is_added(bench: Bench) -> None:
    bench.start(HOME)
    give(bench, "drop", {"text/uri-list": "https://videos.example/1"})
    bench.page.wait_for_function("() => bench.calls.length === 1")
    assert bench.commands() == [{"command": "download", "url": "https://videos.example/1"}]


def test_a_refusal_stands_below_the_field_and_the_text_stays(bench: Bench) -> None:
    bench.start(HOME)
    bench.reply({"ok": False, "error_code": "queue_full", "error": "500 jobs wait"})
    field(bench).fill("https://videos.example/1")
    press(bench, "Add")
    bench.card.locator("form").get_by_text("The queue is full.").wait_for()
    assert field(bench).input_value() == "https://videos.example/1"
    bench.reply({"ok": True})
    press(bench, "Add")
    bench.page.wait_for_function(
        "() => bench.cards[0].shadowRoot.querySelector('#source').value === ''"
    )
    assert bench.card.get_by_text("The queue is full.").count() == 0


def test_an_unknown_refusal_says_the_service_s_words(bench: Bench) -> None:
    bench.start(HOME)
    bench.reply({"ok": False, "error_code": "sun_spots", "error": "The sun has spots."})
    field(bench).fill("https://videos.example/1")
    press(bench, "Add")
    bench.card.locator("form").get_by_text("The sun has spots.").wait_for()


def test_no_answer_in_ten_seconds_is_said(open_bench: Callable[..., Bench]) -> None:
    bench = open_bench()
    bench.start(HOME)
    bench.reply(None)
    field(bench).fill("https://videos.example/1")
    press(bench, "Add")
    bench.card.get_by_text("Sending…").wait_for()
    bench.page.clock.run_for(10_100)
    bench.card.locator("form").get_by_text("The service does not answer.").wait_for()
    assert field(bench).input_value() == "https://videos.example/1"


def test_another_s_reply_is_not_mistaken_for_one_s_own(bench: Bench) -> None:
    bench.start(HOME)
    bench.reply(None)
    field(bench).fill("https://videos.example/1")
    press(bench, "Add")
    other = {"request_id": "phone", "ok": True, "job_id": "1", "error_code": None, "error": ""}
    states = HOME.states()
    states["sensor.mediarip_response"]["attributes"]["recent"] = [other]
    bench.change({"sensor.mediarip_response": states["sensor.mediarip_response"]})
    assert bench.card.get_by_text("Sending…").count() == 1


# Playing


def test_play_opens_the_file_in_a_dialog(bench: Bench) -> None:
    bench.start(HOME)
    press(bench, "Play: Interview")
    dialog = bench.card.get_by_role("dialog", name="Interview")
    dialog.wait_for()
    asked = bench.page.evaluate("() => bench.messages")
    media = f"media-source://media_source/local/mediarip/{DONE['filename']}"
    assert asked == [{"type": "media_source/resolve_media", "media_content_id": media}]
    bench.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_play_on_takes_a_media_player(bench: Bench) -> None:
    bench.start(HOME)
    bench.change(LIVING_ROOM)
    in_row(bench, "Interview", "Play on…")
    bench.card.get_by_role("button", name="Television").click()
    media = f"media-source://media_source/local/mediarip/{DONE['filename']}"
    [call] = bench.calls()
    assert (call["domain"], call["service"]) == ("media_player", "play_media")
    assert call["target"] == {"entity_id": "media_player.tv"}
    assert call["data"] == {"media_content_id": media, "media_content_type": "video"}


def test_a_file_that_home_assistant_does_not_serve_says_so(bench: Bench) -> None:
    bench.start(HOME)
    bench.page.evaluate("() => { bench.media = null }")
    press(bench, "Play: Interview")
    bench.card.locator("li", has_text="Interview").locator("[class*=refusal]").wait_for()
    assert bench.card.get_by_role("dialog").count() == 0


# Who may not


def test_a_member_who_may_only_look_loses_the_controls_after_the_first_refusal(
    bench: Bench,
) -> None:
    bench.start(replace(HOME, refused=True))
    press(bench, "Cancel: Harbour")
    bench.card.get_by_text("You can look, but not change anything.").first.wait_for()
    names = [one.get_attribute("aria-label") or one.inner_text() for one in buttons(bench)]
    assert [one for one in names if not re.match(r"Details: |Play: |Show ", one)] == []


def buttons(bench: Bench) -> list[Any]:
    return list(bench.card.get_by_role("button").all())


@pytest.mark.parametrize("name", ["offline, known before", "storage lost"])
def test_no_control_sends_while_the_service_can_t_answer(name: str, bench: Bench) -> None:
    bench.start(SITUATIONS[name])
    # Home Assistant drops calls to unavailable entities without a word.
    for button in buttons(bench):
        if button.is_enabled():
            button.click(force=True)
    field_ = field(bench)
    assert field_.count() == 0 or field_.is_disabled()
    assert bench.calls() == []


def test_a_retry_is_offered_again_after_a_refusal(bench: Bench) -> None:
    bench.start(HOME)
    bench.reply({"ok": False, "error_code": "invalid_transition", "error": "It runs."})
    press(bench, "Retry: Private")
    bench.card.locator("li", has_text="Private").get_by_text("not possible").wait_for()
    bench.reply({"ok": True})
    bench.calls()
    press(bench, "Retry: Private")
    assert bench.commands() == [{"command": "retry", "id": FAILED["id"]}]


def test_two_fast_clicks_send_one_command(bench: Bench) -> None:
    bench.start(HOME)
    bench.reply(None)
    bench.card.get_by_role("button", name="Cancel: Harbour").dblclick()
    assert len(bench.calls()) == 1


# The keyboard


def test_the_focus_goes_to_the_next_row_when_one_leaves(bench: Bench) -> None:
    bench.start(HOME)
    bench.card.get_by_role("button", name="Cancel: Bread").focus()
    bench.page.keyboard.press("Enter")
    left = replace(HOME, jobs=(RUNNING, PAUSED, FIRST, CANCELLED))
    bench.change({"sensor.mediarip_status": left.states()["sensor.mediarip_status"]})
    label = "() => bench.cards[0].shadowRoot.activeElement?.getAttribute('aria-label')"
    assert "Night train" in bench.page.evaluate(label)


def test_every_control_is_reached_by_tab_and_shows_it(bench: Bench) -> None:
    bench.start(HOME)
    enabled = [one for one in buttons(bench) if one.is_enabled()]
    seen = set()
    for _ in range(len(enabled) + 10):
        bench.page.keyboard.press("Tab")
        found = bench.page.evaluate(
            """() => {
              const one = bench.cards[0].shadowRoot.activeElement;
              if (!one) return null;
              const style = getComputedStyle(one);
              const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
              return [one.getAttribute("aria-label") ?? one.textContent.trim(), ring];
            }"""
        )
        if found:
            assert found[1], f"no focus ring: {found[0]}"
            seen.add(found[0])
    for button in enabled:
        name = button.get_attribute("aria-label") or button.inner_text().strip()
        assert name in seen


def test_an_editor_s_preview_needs_no_service(bench: Bench) -> None:
    bench.start(FULL, cards=0)
    bench.page.evaluate(
        "() => bench.add({ type: 'custom:mediarip-card', ...customElements.get('mediarip-card')"
        ".getStubConfig(bench.hass) })"
    )
    bench.card.get_by_text("Harbour at night").wait_for()
