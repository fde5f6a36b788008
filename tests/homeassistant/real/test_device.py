"""The device in a real Home Assistant: complete, true, and with nothing to complain about."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mediarip_mqtt.homeassistant.entities import ENTITIES, TRIGGERS
from mediarip_mqtt.homeassistant.entity_names import NAMES
from tests.homeassistant.real.device import EMPTY, KEYS, UNAVAILABLE, found
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
OLD = "2025.4.4"


def test_the_device_is_complete_within_seconds_and_without_a_complaint(
    ha: HomeAssistant, run: Run
) -> None:
    run("complete")
    names = found(ha, "complete")
    assert set(names) == KEYS
    device = ha.device("complete")
    assert device["sw_version"]
    assert ha.triggers(device["id"]) == set(TRIGGERS)
    ha.wait(names["status"], "idle")
    for key, entity_id in names.items():
        state = ha.state(entity_id)
        if key not in EMPTY | UNAVAILABLE:
            assert state["state"] != "unknown", key
        assert len(state["state"]) <= 255
    registry = {one["entity_id"]: one for one in ha.command("config/entity_registry/list")}
    assert registry[names["max_concurrent"]]["entity_category"] == "config"
    assert registry[names["disk_free"]]["entity_category"] == "diagnostic"
    assert ha.complaints() == []


def test_the_names_have_a_language_and_the_entity_ids_have_none(
    ha: HomeAssistant, run: Run
) -> None:
    run("sprache", HOMEASSISTANT__LANGUAGE="de", LIBRARY__ENABLED="true")
    names = found(ha, "sprache", library=True)
    registry = {one["entity_id"]: one for one in ha.command("config/entity_registry/list")}
    shown = {key: registry[names[key]]["original_name"] for key in NAMES["de"]}
    assert shown == NAMES["de"]
    if ha.version != OLD:  # which makes entity ids of the names
        assert names["completed_today"] == "sensor.sprache_completed_today"
    assert ha.complaints() == []


def test_the_page_of_the_device_shows_known_icons_and_hides_what_is_for_scripts(
    ha: HomeAssistant, run: Run
) -> None:
    run("tidy")
    names = found(ha, "tidy")
    listed = json.loads(ha.picture("/static/mdi/iconList.json"))
    assert {one.icon.removeprefix("mdi:") for one in ENTITIES if one.icon} <= {
        one["name"] for one in listed
    }
    registry = {one["entity_id"]: one for one in ha.command("config/entity_registry/list")}
    hidden = {key for key, name in names.items() if registry[name]["hidden_by"]}
    assert hidden == (set() if ha.version == OLD else {"response", "tiles"})


def test_a_download_shows_in_every_entity(ha: HomeAssistant, run: Run, media: MediaServer) -> None:
    run("shown")
    names = found(ha, "shown")

    def download(path: str) -> None:
        ha.call("notify.send_message", entity_id=names["download"], message=media.url(path))

    download("/slow/400000/bytes/4000000/film.mp4")
    ha.wait(names["status"], "downloading")
    ha.wait(names["active"], "1")
    ha.wait(names["running"], "on")
    ha.wait(names["current"], "film")
    wait_for(lambda: float(ha.state(names["speed"])["state"]) > 0)
    wait_for(lambda: ha.state(names["eta"])["state"] not in {"unknown", "0"})
    wait_for(lambda: ha.state(names["progress"])["state"] not in {"unknown", "0"})

    def listed() -> dict[str, Any]:
        (job,) = ha.state(names["status"])["attributes"]["jobs"]
        return job if job.get("eta") else {}

    job = wait_for(listed)
    assert (job["title"], job["site"], job["kind"]) == ("film", "127.0.0.1", "video")
    assert (job["size"], job["phase"]) == (4_000_000, "video")
    ha.wait(names["status"], "idle", 30)
    ha.wait(names["completed_today"], "1")
    last = wait_for(
        lambda: one if (one := ha.state(names["last_completed"]))["state"] != "unknown" else {}
    )
    assert last["attributes"]["filename"] == "film.mp4"
    assert [one["filename"] for one in last["attributes"]["finished"]] == ["film.mp4"]
    assert ha.state(names["job"])["attributes"]["event_type"] == "completed"
    download("/status/404/gone.mp4")
    ha.wait(names["failed"], "1")
    failed = wait_for(
        lambda: one if (one := ha.state(names["last_failed"]))["state"] != "unknown" else {}
    )
    assert failed["attributes"]["error_code"] == "not_found"
    assert [one["error_code"] for one in failed["attributes"]["failed"]] == ["not_found"]
    assert ha.state(names["problem"])["state"] == "off"
    assert ha.state(names["storage"])["state"] == "on"
    assert ha.complaints() == []


def test_every_control_does_what_it_says_and_shows_the_truth(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("controls")
    names = found(ha, "controls")

    def response(command: str) -> dict[str, Any]:
        return wait_for(
            lambda: (
                one
                if (one := ha.state(names["response"])["attributes"]).get("command") == command
                else {}
            )
        )

    ha.call("number.set_value", entity_id=names["max_concurrent"], value=5)
    ha.wait(names["max_concurrent"], "5")
    ha.call("number.set_value", entity_id=names["rate_limit"], value=2.5)
    ha.wait(names["rate_limit"], "2.5")
    ha.call("select.select_option", entity_id=names["preset"], option="720p")
    ha.wait(names["preset"], "720p")
    ha.call("select.select_option", entity_id=names["quality"], option="480p")
    ha.wait(names["quality"], "480p")
    url = media.url("/stall/1000/bytes/90000/a.mp4")
    ha.call("text.set_value", entity_id=names["url"], value=url)
    ha.wait(names["active"], "1")
    assert ha.state(names["url"])["state"] == ""
    ha.call("switch.turn_on", entity_id=names["paused"])
    ha.wait(names["paused"], "on")
    ha.call("text.set_value", entity_id=names["url"], value=media.url("/bytes/1000/b.mp4"))
    ha.wait(names["queued"], "1")
    ha.call("button.press", entity_id=names["cancel_current"])
    ha.wait(names["active"], "0")
    ha.wait(names["status"], "paused")
    ha.call("button.press", entity_id=names["cancel_all"])
    ha.wait(names["queued"], "0")
    ha.call("switch.turn_off", entity_id=names["paused"])
    ha.wait(names["paused"], "off")
    flaky = media.url("/flaky/1/404/controls/bytes/1000/c.mp4")
    ha.call("notify.send_message", entity_id=names["download"], message=flaky)
    ha.wait(names["failed"], "1")
    ha.call("button.press", entity_id=names["retry_failed"])
    assert response("retry")["count"] == 1
    ha.wait(names["completed_today"], "1")
    ha.call("button.press", entity_id=names["clear_finished"])
    wait_for(lambda: ha.state(names["status"])["attributes"]["jobs"] == [])
    # What can't be done is answered, and nothing pretends that it was.
    ha.call("button.press", entity_id=names["cancel_current"])
    assert wait_for(lambda: ha.state(names["response"])["state"] == "job_not_found")
    ha.call("button.press", entity_id=names["check_subscriptions"])
    assert wait_for(lambda: ha.state(names["response"])["state"] == "ok")
    assert ha.complaints() == []


def test_an_automation_gets_what_it_needs_from_triggers_and_events(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("auto")
    names = found(ha, "auto")
    device = ha.device("auto")["id"]
    trigger = {"trigger": "device", "domain": "mqtt", "device_id": device, "type": "download"}
    told = "{{ trigger.payload_json.job.title }}|{{ trigger.payload_json.job.filename }}"
    failed = "{{ trigger.payload_json.job.error_code }}|{{ trigger.payload_json.job.session_id }}"
    state = "{{ trigger.to_state.attributes.event_type }}|{{ trigger.to_state.attributes.title }}"

    def note(text: str, number: str) -> list[dict[str, Any]]:
        data = {"message": text, "notification_id": number}
        return [{"action": "persistent_notification.create", "data": data}]

    ha.add_automation(
        "on_completed", triggers=[{**trigger, "subtype": "completed"}], actions=note(told, "done")
    )
    ha.add_automation(
        "on_failed", triggers=[{**trigger, "subtype": "failed"}], actions=note(failed, "failed")
    )
    ha.add_automation(
        "on_event",
        triggers=[
            # Which come and go with the service; an entity must change from something else.
            {
                "trigger": "state",
                "entity_id": names["job"],
                "not_from": ["unavailable"],
                "not_to": ["unavailable"],
            },
        ],
        actions=note(state, "event"),
        mode="queued",
    )

    def notes() -> dict[str, str]:
        listed = ha.command("persistent_notification/get")
        return {one["notification_id"]: one["message"] for one in listed}

    for path in ("/bytes/1000/film.mp4", "/status/404/gone.mp4"):
        ha.call("notify.send_message", entity_id=names["download"], message=media.url(path))
    wait_for(lambda: notes().get("done") == "film|film.mp4")
    wait_for(lambda: notes().get("failed") == "not_found|default")
    wait_for(lambda: notes().get("event", "").split("|")[0] in {"completed", "failed"})
    assert ha.complaints() == []


@pytest.mark.parametrize("at_once", [1, 10])
def test_a_script_gets_its_answer_a_hundred_times_of_a_hundred(
    at_once: int, ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    node = f"script{at_once}"
    run(node, DOWNLOADS__QUEUE_LIMIT="1000")
    names = found(ha, node)
    ha.call("switch.turn_on", entity_id=names["paused"])
    ha.wait(names["paused"], "on")
    mine = (
        f"{{{{ (state_attr('{names['response']}', 'recent') or [])"
        " | selectattr('request_id', 'eq', request) | list }}"
    )
    ha.add_script(
        node,
        mode="parallel",
        max=20,
        sequence=[
            {"variables": {"request": "r{{ number }}"}},
            {
                "action": "notify.send_message",
                "target": {"entity_id": names["download"]},
                "data": {"message": "{{ {'url': url, 'request_id': request} | to_json }}"},
            },
            {"wait_template": mine.replace("| list", "| list | count > 0"), "timeout": 20},
            {"variables": {"answer": {"replies": mine}}},
            {"stop": "answered", "response_variable": "answer"},
        ],
    )

    def ask(number: int) -> list[dict[str, Any]]:
        url = media.url(f"/bytes/10/{number}.mp4")
        answer = ha.call(f"script.{node}", return_response=True, url=url, number=number)
        replies: list[dict[str, Any]] = answer["replies"]
        return replies

    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(ask, range(100)))
    good = [one for one in answers if len(one) == 1 and one[0]["ok"] and one[0]["job_id"]]
    assert len(good) == 100
    assert len({one[0]["job_id"] for one in good}) == 100
    assert ha.complaints() == []


def test_the_picture_is_the_service_s_own_and_small(
    ha: HomeAssistant, run: Run, media: MediaServer, client_of: Callable[[str], Client]
) -> None:
    run("picture")
    names = found(ha, "picture")
    client = client_of("picture")
    client.wait_status(client.download(media.url("/bytes/1000/plain.mp4")), "completed")
    wait_for(lambda: ha.state(names["thumbnail"])["state"] != "unknown")
    state = ha.state(names["thumbnail"])
    picture = ha.picture(state["attributes"]["entity_picture"])
    assert picture.startswith(b"\xff\xd8\xff")
    assert len(picture) < 100_000
    assert media.url("") not in str(state)


def test_a_listed_job_s_thumbnail_is_a_tile_of_the_picture(
    ha: HomeAssistant, run: Run, media: MediaServer, client_of: Callable[[str], Client]
) -> None:
    run("tiles")
    names = found(ha, "tiles")
    source = ["-f", "lavfi", "-i", "testsrc=size=1280x720", "-frames:v", "1"]
    command = ["ffmpeg", "-v", "error", *source, "-f", "image2pipe", "-c:v", "png", "-"]
    poster = subprocess.run(command, capture_output=True, check=True).stdout
    media.text("tile.png", poster, "image/png")
    video = "<video poster='/text/tile.png' src='/media/video.mp4'></video>"
    page = media.text("tiled.html", f"<title>Tiled</title>{video}")
    client = client_of("tiles")
    client.wait_status(client.download(page), "completed")

    def tiled(key: str, name: str) -> dict[str, Any]:
        jobs = ha.state(names[name])["attributes"].get(key) or [{}]
        return dict(jobs[0]) if "tile" in jobs[0] else {}

    assert wait_for(lambda: tiled("jobs", "status"), 30)["tile"] == 0
    assert wait_for(lambda: tiled("finished", "last_completed"), 30)["tile"] == 0
    image = ha.state(names["tiles"])
    assert image["attributes"]["tiles"] == {"columns": 8, "rows": 5, "width": 128, "height": 72}
    picture = ha.picture(image["attributes"]["entity_picture"])
    assert picture.startswith(b"\xff\xd8\xff")
    assert media.url("") not in str(image)
    assert client.request("delete", id="all", files=True)["ok"]
    wait_for(lambda: client.kept("tiles") is None, 30)
    assert ha.complaints() == []


def test_two_services_do_not_disturb_each_other(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("east")
    run("west")
    east, west = found(ha, "east"), found(ha, "west")
    assert not set(east.values()) & set(west.values())
    url = media.url("/stall/1000/bytes/90000/a.mp4")
    ha.call("notify.send_message", entity_id=east["download"], message=url)
    ha.wait(east["status"], "downloading")
    ha.call("button.press", entity_id=west["cancel_all"])
    wait_for(lambda: ha.state(west["response"])["attributes"].get("command") == "cancel")
    assert ha.state(east["status"])["state"] == "downloading"
    assert ha.state(west["status"])["state"] == "idle"
    assert ha.complaints() == []


def test_discovery_switched_off_and_a_new_node_id_take_the_device_away(
    ha: HomeAssistant, run: Run
) -> None:
    service = run("leaving")
    found(ha, "leaving")
    service.stop()
    service.environment["MEDIARIP__MQTT__NODE_ID"] = "arrived"
    service.start()
    found(ha, "arrived")
    wait_for(lambda: not ha.entities("leaving"))
    service.stop()
    service.environment["MEDIARIP__HOMEASSISTANT__ENABLED"] = "false"
    service.start()
    wait_for(lambda: not ha.entities("arrived"))
    wait_for(lambda: not ha.device("arrived"))
    assert ha.complaints() == []
