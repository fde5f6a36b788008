"""The library in a real Home Assistant: sensors, card, search, notifications, watched titles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.homeassistant.real.dashboards import Screens, add_dashboard, card_view, screens, until
from tests.homeassistant.real.device import LIBRARY, found
from tests.homeassistant.real.household import Phone, offered, use
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
ClientOf = Callable[[str], Client]
ON = {"LIBRARY__ENABLED": "true", "LIBRARY__NFO": "false", "LIBRARY__ARTWORK": "false"}
ASKS = {**ON, "LIBRARY__REVIEW_BELOW": "0.9"}  # a pattern in the name is less sure
# Each one of another size: the library asks about a second one of the same content.
EPISODE = "/bytes/100{0}/Tides%20S01E0{0}%20Ebb%20and%20flow.mp4"


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Screens]:
    yield from screens()


@pytest.fixture
def browser(one_browser: Screens) -> Iterator[Screens]:
    """Close the pages after the test; their JavaScript errors fail it."""
    try:
        yield one_browser
    finally:
        one_browser.close()


def send(ha: HomeAssistant, names: dict[str, str], message: str) -> None:
    ha.call("notify.send_message", entity_id=names["download"], message=message)


def attributes(ha: HomeAssistant, entity_id: str) -> dict[str, Any]:
    return dict(ha.state(entity_id).get("attributes", {}))


def test_the_library_s_sensors_come_and_go_with_it(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("shelf", **ASKS)
    names = found(ha, "shelf", library=True)
    ha.wait(names["reviews_waiting"], "0")
    send(ha, names, media.url(EPISODE.format(2)))
    waiting = ha.wait(names["reviews_waiting"], "1")["attributes"]["reviews"]
    assert waiting[0]["candidates"][0]["show"] == "Tides"
    assert "artist" not in waiting[0]["candidates"][0]  # unknown keys are left out
    answer = {"command": "review", "id": waiting[0]["id"], "accept": True}
    send(ha, names, json.dumps(answer))
    ha.wait(names["library"], "1")
    ha.wait(names["reviews_waiting"], "0", reviews=[])
    newest = wait_for(lambda: list(attributes(ha, names["library"]).get("newest", [])))
    assert (newest[0]["show"], newest[0]["season"], newest[0]["episode"]) == ("Tides", 1, 2)
    assert attributes(ha, names["library"])["bytes"] == 1002
    assert [re.sub(r" \[.*\]", "", one) for one in service.media()] == [
        "Shows/Tides/Season 01/Tides - S01E02 - Ebb and flow.mp4"
    ]
    service.stop()
    service.environment["MEDIARIP__LIBRARY__ENABLED"] = "false"
    service.start()
    wait_for(lambda: not ha.entities("shelf").keys() & LIBRARY, what="the sensors to be removed")
    assert ha.complaints() == []


def test_a_search_is_answered_in_the_sensor_with_the_replies(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("found", **ON)
    names = found(ha, "found", library=True)
    for number in (1, 2):
        send(ha, names, media.url(EPISODE.format(number)))
        ha.wait(names["library"], str(number))
    member = ha.member()
    search = {"command": "titles", "query": "ebb", "request_id": "a1"}
    send(member, names, json.dumps(search))
    found_titles = ha.wait(names["response"], "ok", request_id="a1", count=2)["attributes"]
    assert [one["episode"] for one in found_titles["titles"]] == [2, 1]
    assert {"id", "title", "show", "filesize", "organized_to"} <= found_titles["titles"][0].keys()
    send(member, names, json.dumps({**search, "query": "nothing", "request_id": "a2"}))
    assert ha.wait(names["response"], "ok", request_id="a2")["attributes"]["titles"] == []
    send(member, names, json.dumps({"command": "pause", "request_id": "a3"}))
    assert "titles" not in ha.wait(names["response"], "ok", request_id="a3")["attributes"]
    assert ha.complaints() == []


def test_a_member_reviews_and_searches_in_the_card(
    ha: HomeAssistant, run: Run, media: MediaServer, browser: Screens
) -> None:
    service = run("filed", playable=True, **ASKS)
    names = found(ha, "filed", library=True)
    add_dashboard(ha, "card-filed", card_view({"entity": names["status"]}))
    page = browser.open(ha.member(), "/card-filed/0")
    card = page.locator("mediarip-card").first
    card.get_by_text("Nothing here yet.").wait_for()
    for number in (1, 2, 3):
        send(ha, names, media.url(EPISODE.format(number)))
    card.get_by_role("heading", name="To review 3").wait_for()
    rows = card.locator("ul[data-list=review] > li")
    rows.filter(has_text="S01E01").get_by_role("button", name="Accept").click()
    card.get_by_role("heading", name="To review 2").wait_for()
    second = rows.filter(has_text="S01E02")
    second.get_by_role("button", name="Details").click()
    second.get_by_label("Show").fill("The tides")
    second.get_by_label("Number").fill("7")
    second.get_by_role("button", name="Save").click()
    card.get_by_role("heading", name="To review 1").wait_for()
    rows.get_by_role("button", name="Details").click()
    rows.get_by_role("button", name="Discard").click()
    rows.locator(".ask").get_by_role("button", name=re.compile("^Discard:")).click()
    until(lambda: len(service.media()) == 2, page)
    files = [re.sub(r" \[.*\]", "", one) for one in service.media()]
    assert files == [
        "Shows/The tides/Season 01/The tides - S01E07 - Ebb and flow.mp4",
        "Shows/Tides/Season 01/Tides - S01E01 - Ebb and flow.mp4",
    ]
    card.get_by_role("button", name="Details: Library").click()
    card.get_by_role("searchbox").fill("flow")
    card.get_by_role("button", name="Search").click()
    card.get_by_text("Found for “flow”").first.wait_for()
    results = card.locator("ul[data-list=titles] > li")
    assert results.count() == 2
    results.first.get_by_role("button", name="Play").click()
    card.locator("video").wait_for()
    assert ha.complaints() == []


def test_a_phone_is_asked_and_its_answer_counts(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("asked", **ASKS)
    names = found(ha, "asked", library=True)
    phone = Phone(ha, "Ben")
    try:
        use(ha, "notify", "asked", "asked", phones=[phone.device_id])
        send(ha, names, media.url(EPISODE.format(4)))
        asked = phone.push("What is this?")
        assert "may be an episode: Tides, S01E04, Ebb and flow" in asked["message"]
        assert list(offered(asked)) == ["Accept", "Discard"]
        phone.tap(offered(asked)["Accept"])
        ha.wait(names["library"], "1")
        phone.push("Download done")
        phone.tap(offered(asked)["Discard"])  # too late
        assert "refused" in phone.push("That did not work")["message"]
        send(ha, names, media.url(EPISODE.format(5)))
        phone.tap(offered(phone.push("What is this?"))["Discard"])
        ha.wait(names["reviews_waiting"], "0")
        wait_for(lambda: len(service.media()) == 1)
    finally:
        phone.remove()
    assert ha.complaints() == []


# What was watched

PLAYER = "media_player.bp_server"


class Server:
    """A media server's player, as its integration publishes it."""

    def __init__(self, ha: HomeAssistant) -> None:
        self._ha = ha

    def put(self, state: str, **told: Any) -> None:
        """Set the state; ``since``: seconds since the position was told."""
        since = told.pop("since", 0)
        attributes = {f"media_{key}": value for key, value in told.items()}
        if "position" in told:
            updated = datetime.now(UTC) - timedelta(seconds=since)
            attributes["media_position_updated_at"] = updated.isoformat()
        self._ha.post(f"/api/states/{PLAYER}", {"state": state, "attributes": attributes})


# (the last state while it plays, what the library is told). Read in the integrations' sources of
# Home Assistant 2026.11 and 2025.4: Kodi names the kind of an unknown file after its player, -1 is
# its season of a film, and the position is as old as the last pause; Jellyfin tells a position
# every 10 s; Plex adds the year to a film's title.
ENDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "kodi episode": (
        {
            "content_type": "tvshow",
            "content_id": {"tvdb": "1"},
            "title": "Ebb and flow",
            "series_title": "Tides",
            "season": 1,
            "episode": 2,
            "duration": 1000,
            "position": 4,
            "since": 940,
        },
        {"show": "Tides", "season": 1, "episode": 2, "title": "Ebb and flow", "at": 944},
    ),
    "kodi film": (
        {
            "content_type": "movie",
            "title": "The long night",
            "series_title": "",
            "season": -1,
            "episode": -1,
            "duration": 1000,
            "position": 0,
            "since": 2000,
        },
        {"title": "The long night", "at": 1000},
    ),
    "jellyfin episode": (
        {
            "content_type": "tvshow",
            "content_id": "9f8e",
            "title": "Ebb and flow",
            "series_title": "Tides",
            "season": 2026,
            "episode": 10549,
            "duration": 1000,
            "position": 930,
            "since": 5,
        },
        {"show": "Tides", "season": 2026, "episode": 10549, "title": "Ebb and flow", "at": 935},
    ),
    "plex episode": (
        {
            "content_type": "tvshow",
            "content_id": 4711,
            "title": "Ebb and flow",
            "series_title": "TIDES",
            "season": "02",
            "episode": "03",
            "duration": 1000,
            "position": 500,
        },
        {"show": "TIDES", "season": 2, "episode": 3, "title": "Ebb and flow", "at": 500},
    ),
    "plex film": (
        {
            "content_type": "movie",
            "content_id": 4712,
            "title": "The long night (2019)",
            "duration": 1000,
            "position": 990,
        },
        {"title": "The long night (2019)", "at": 990},
    ),
}


@pytest.fixture
def watched(ha: HomeAssistant, run: Run, client_of: ClientOf) -> Callable[[str], Client]:
    """Start a service and the automation; return a client that sees what the library is told."""

    def watched(name: str) -> Client:
        client = client_of(name)
        run(name, **ON)
        found(ha, name, library=True)
        use(ha, "watched", name, name, players=[PLAYER])
        return client

    return watched


def told(client: Client, count: int) -> list[dict[str, Any]]:
    """Wait until the library was told so many things; return them."""

    def sent() -> list[dict[str, Any]]:
        return [json.loads(one) for one in client.payloads("command") if "watched" in one]

    wait_for(lambda: len(sent()) >= count, what=f"{count} commands; there are {sent()}")
    return sent()


def test_what_each_media_server_played_is_told_when_it_stops(
    ha: HomeAssistant, watched: Callable[[str], Client]
) -> None:
    client, server = watched("servers"), Server(ha)
    for number, (name, (playing, expected)) in enumerate(ENDS.items(), start=1):
        server.put("playing", **playing)
        server.put("idle")  # the attributes are gone
        command = told(client, number)[-1]
        assert command.pop("command") == "watched", name
        assert command.pop("request_id").startswith("w"), name
        position = command.pop("position")
        assert 0 <= position - expected["at"] <= min(5, 1000 - expected["at"]), (name, command)
        assert command.pop("duration") == 1000, name
        assert command == {key: value for key, value in expected.items() if key != "at"}, name
    assert ha.complaints() == []


def test_only_the_end_of_a_video_is_told(
    ha: HomeAssistant, watched: Callable[[str], Client]
) -> None:
    client, server = watched("ends"), Server(ha)
    first = dict(ENDS["jellyfin episode"][0])
    server.put("idle")
    server.put("playing", **first)
    server.put("playing", **{**first, "position": 940})  # it goes on
    server.put("paused", **{**first, "position": 941, "since": 3600})
    server.put("unavailable")  # a paused one has not played on
    assert told(client, 1)[0]["position"] == 941
    # The next episode begins without a stop.
    server.put("playing", **first)
    server.put("playing", **{**first, "episode": 10550, "title": "Next", "content_id": "77aa"})
    assert told(client, 2)[1]["episode"] == 10549
    # The player is lost: how long it played on is not known.
    server.put("unavailable")
    assert told(client, 3)[2]["position"] == 930
    for other in (
        {"content_type": "music", "title": "A song", "duration": 200, "position": 200},
        {"content_type": "movie", "title": "Live", "position": 200},
        {"content_type": "movie", "duration": 200, "position": 200},
        {"content_type": "movie", "title": "Unknown position", "duration": 200},
    ):
        server.put("playing", **other)
        server.put("off")
    server.put("playing", **{**first, "title": "{{ 1 }} <b>", "episode": 1})
    server.put("idle")
    commands = told(client, 4)
    assert len(commands) == 4
    assert commands[3]["title"] == "{{ 1 }} <b>"
    assert ha.complaints() == []


def test_the_library_knows_what_each_media_server_played(
    ha: HomeAssistant, run: Run, client_of: ClientOf, media: MediaServer
) -> None:
    run("seen", **ON)
    names, client, server = found(ha, "seen", library=True), client_of("seen"), Server(ha)
    use(ha, "watched", "seen", "seen", players=[PLAYER])
    film = {"content_type": "movie", "title": "The long night", "year": 2019}
    for number, said in enumerate(
        (
            {"show": "Tides", "season": 1, "episode": 2, "title": "Ebb and flow"},
            {"show": "Tides", "season": 2, "episode": 3, "title": "Ebb and flow"},
            film,
        ),
        start=1,
    ):
        url = media.url(f"/bytes/100{number}/{number}.mp4")
        send(ha, names, json.dumps({"url": url, "library": said}))
        ha.wait(names["library"], str(number))

    def seen() -> list[str]:
        titles = client.request("titles", watched=True)["titles"]
        return sorted(str(one["matched_episode"] or one["title"]) for one in titles)

    server.put("playing", **{**ENDS["kodi episode"][0], "since": 100})  # stopped early
    server.put("idle")
    told(client, 1)
    assert seen() == []
    for name, more, expected in (
        ("kodi episode", {}, ["S01E02"]),
        ("plex episode", {"position": 950}, ["S01E02", "S02E03"]),
        ("plex film", {}, ["S01E02", "S02E03", "The long night"]),
    ):
        server.put("playing", **{**ENDS[name][0], **more})
        server.put("idle")
        wait_for(lambda now=expected: seen() == now, what=name)  # type: ignore[misc]
    assert ha.complaints() == []
