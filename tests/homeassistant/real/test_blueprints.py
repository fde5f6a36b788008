"""The blueprints about phones and voices, as a household uses them: imported, filled in, fired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.homeassistant.real.device import found
from tests.homeassistant.real.household import BLUEPRINTS, Phone, offered, triggered, use
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
NAMES = sorted(path.stem for path in BLUEPRINTS.glob("*.yaml"))
SATELLITE = "assist_satellite.test_satellite"
PLAYER = "media_player.test_player"
# What has no default; other blueprints have tests of their own.
REQUIRED: dict[str, dict[str, Any]] = {
    "after_done": {"actions": []},
    "announce": {},
    "ask_before_large": {"phones": []},
    "from_calendar": {"calendar": "calendar.somebody"},
    "from_todo": {"list": "todo.somebody"},
    "notify": {"phones": []},
    "pause_while": {"entities": [PLAYER]},
    "share": {},
    "watched": {"players": [PLAYER]},
}


def test_what_is_left_out_has_a_default_that_works(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("defaults")
    names = found(ha, "defaults")
    for blueprint, inputs in REQUIRED.items():
        if blueprint != "from_calendar":  # its trigger looks for the calendar
            use(ha, blueprint, f"default_{blueprint}", "defaults", **inputs)
    send(ha, names, media.url("/bytes/1000/film.mp4"))
    ha.wait(names["job"], event_type="completed")
    wait_for(lambda: triggered(ha, "automation.default_notify"))
    assert ha.complaints() == []


@pytest.fixture
def phone_of(ha: HomeAssistant) -> Iterator[Callable[[str], Phone]]:
    phones: list[Phone] = []

    def phone_of(name: str) -> Phone:
        phones.append(Phone(ha, name))
        return phones[-1]

    yield phone_of
    for one in phones:
        one.remove()


def send(ha: HomeAssistant, names: dict[str, str], message: str) -> None:
    ha.call("notify.send_message", entity_id=names["download"], message=message)


def test_every_blueprint_is_imported_from_its_address(
    ha: HomeAssistant, media: MediaServer
) -> None:
    for name in NAMES:
        text = (BLUEPRINTS / f"{name}.yaml").read_text("utf-8")
        url = media.text(f"{name}.yaml", text)
        imported = ha.command("blueprint/import", url=url)
        assert imported["validation_errors"] is None, name
        path = f"imported/{name}.yaml"
        saved = {"domain": "automation", "path": path, "yaml": text, "source_url": url}
        ha.command("blueprint/save", **saved)
        metadata = ha.command("blueprint/list", domain="automation")[path]["metadata"]
        assert metadata["homeassistant"]["min_version"] == "2025.4.0"
        ha.command("blueprint/delete", domain="automation", path=path)
    assert ha.complaints() == []


def test_a_phone_is_told_and_its_buttons_work(
    ha: HomeAssistant, run: Run, media: MediaServer, phone_of: Callable[[str], Phone]
) -> None:
    source = "media-source://media_source/local/told/volume"
    service = run("told", playable=True, HOMEASSISTANT__MEDIA_SOURCE=source)
    run("stranger")
    names, other = found(ha, "told"), found(ha, "stranger")
    phone = phone_of("Ada’s phone")  # its action: notify.mobile_app_ada_s_phone
    events = ["started", "completed", "failed", "playlist_completed"]
    inputs = {"events": events, "player": PLAYER, "open": "/lovelace/downloads"}
    use(ha, "notify", "told", "told", phones=[phone.device_id], **inputs)

    send(ha, other, media.url("/bytes/1000/not-ours.mp4"))
    # A title may look like a command of the Android app, a template, or markup.
    url = "/slow/2000/bytes/9000/%7B%7B%201%20%7D%7D%3Cb%3E.mp4"
    send(ha, names, media.url(url))
    started = phone.push("Download started")
    assert started["message"].startswith("“127.0.0.1:")  # its title is not known yet
    assert list(offered(started)) == ["Cancel"]
    done = phone.push("Download done")
    assert done["message"] == "“{{ 1 }}‹b›”"
    assert done["data"]["clickAction"] == "/lovelace/downloads"
    assert done["data"]["image"] == f"/api/image_proxy/{names['thumbnail']}"
    assert ha.picture(done["data"]["image"]).startswith(b"\xff\xd8\xff")

    buttons = offered(done)
    assert list(buttons) == ["Play", "Delete"]
    phone.tap(buttons["Play"])
    (played,) = wait_for(lambda: ha.calls("media_player.play_media"))
    (file,) = service.media()
    assert played["media_content_id"] == f"{source}/{file}"
    assert played["media_content_type"] == "video"
    phone.tap(buttons["Delete"])
    wait_for(lambda: service.media() == [])
    phone.tap(buttons["Delete"])  # on a second phone
    assert "refused" in phone.push("That did not work")["message"]

    send(ha, names, media.url("/flaky/1/404/told/bytes/500/clear_notification.mp4"))
    failed = phone.push("Download failed")
    assert "clear_notification" in failed["message"]
    phone.tap(offered(failed)["Try again"])
    wait_for(lambda: service.media() == ["clear_notification.mp4"])
    assert phone.push("Download done")["data"]["tag"] == failed["data"]["tag"]

    send(ha, names, media.url("/stall/1000/bytes/90000/long.mp4"))
    phone.tap(offered(phone.push("Download started"))["Cancel"])
    ha.wait(names["status"], "idle")
    phone.tap("SOMEBODY_ELSES")
    phone.tap("MEDIARIP_0123456789_DELETE_ALL")
    send(ha, names, media.feed("told", [media.url(f"/bytes/100/{one}.mp4") for one in "ab"]))
    assert phone.push("Playlist done")["message"] == "“told”: 2 of 2 downloaded."
    assert [one["title"] for one in phone.pushed if one["title"] == "Download done"] == []
    assert ha.complaints() == []


def test_what_a_phone_shares_is_downloaded_and_answered(
    ha: HomeAssistant, run: Run, media: MediaServer, phone_of: Callable[[str], Phone]
) -> None:
    service = run("shared")
    names = found(ha, "shared")
    android, iphone = phone_of("Bo Android"), phone_of("Bo iPhone")
    phones = [android.device_id, iphone.device_id]
    inputs = {"phones": phones, "folder": "shared", "sites": ["127.0.0.1"]}
    automation = use(ha, "share", "shared", "shared", **inputs)

    caller = {"caller": "android-app://com.android.chrome", "subject": "A page"}
    android.fire("mobile_app.share", text="Milk and honey", device_id=android.own_id, **caller)
    android.fire("mobile_app.share", url="https://recipes.example/", **caller)
    assert triggered(ha, automation) is None  # no link, another site
    text = f"Look: {media.url('/bytes/1000/one.mp4')}"
    android.fire("mobile_app.share", text=text, device_id=android.own_id, **caller)
    android.push("Download accepted")
    source = {"sourceDeviceID": "x", "sourceDeviceName": iphone.name, "entered": ""}
    iphone.fire("mobile_app.share", url=media.url("/bytes/1000/two.mp4"), **source)
    iphone.push("Download accepted")
    wait_for(lambda: service.media() == ["shared/one.mp4", "shared/two.mp4"])
    bad = "http://127.0.0.1:port/"
    iphone.fire("mobile_app.share", url=bad, **source)
    assert "refused" in iphone.push("No download")["message"]
    assert android.pushed == iphone.pushed == []

    service.stop()
    ha.wait(names["status"], "unavailable")
    iphone.fire("mobile_app.share", url=media.url("/bytes/1000/three.mp4"), **source)
    assert "off" in iphone.push("No download")["message"]
    assert ha.complaints() == []


def test_a_satellite_and_a_player_say_what_is_there(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    run("spoken")
    names = found(ha, "spoken")
    always = {"after": "00:00:00", "before": "00:00:00", "satellites": [SATELLITE]}
    hour = "{{{{ (now() + timedelta(hours={})).strftime('%H:%M:%S') }}}}"
    never = {**always, "after": ha.render(hour.format(1)), "before": ha.render(hour.format(2))}
    voice = {"players": [PLAYER], "tts": "tts.test_voice", "text_done": "Da ist {title}"}
    use(ha, "announce", "spoken", "spoken", **always, **voice, events=["completed", "failed"])
    silent = use(ha, "announce", "silent", "spoken", **never)

    def said() -> list[str]:
        return [one["message"] for one in ha.calls("assist_satellite.announce")]

    def spoken() -> list[Any]:
        return [one["message"] for one in ha.calls("tts.speak")]

    send(ha, names, media.url("/bytes/1000/1984.mp4"))  # a title that looks like a number
    wait_for(lambda: said() == ["Da ist “1984”"], what="an announcement")
    wait_for(lambda: spoken() == ["Da ist “1984”"], what="speech")
    send(ha, names, media.url("/status/404/gone.mp4"))
    wait_for(lambda: said()[1:] == ["“A download” could not be downloaded."])
    send(ha, names, media.feed("spoken", [media.url(f"/bytes/100/{one}.mp4") for one in "ab"]))
    ha.wait(names["job"], event_type="playlist_completed")
    assert len(said()) == 2  # neither items of a playlist nor what was not chosen
    assert triggered(ha, silent) is None  # not at this hour
    assert ha.complaints() == []


def test_a_large_download_waits_for_an_answer(
    ha: HomeAssistant, run: Run, media: MediaServer, phone_of: Callable[[str], Phone]
) -> None:
    service = run("large")
    names = found(ha, "large")
    phones = [phone_of("Cy one"), phone_of("Cy two")]
    ids = [one.device_id for one in phones]
    use(ha, "ask_before_large", "large", "large", phones=ids, limit=0.0005)  # 500 KB
    first, second = phones

    send(ha, names, media.url("/bytes/400000/small.mp4"))
    send(ha, names, media.url("/slow/100000/bytes/600000/big.mp4"))
    question = first.push("Download it all?")
    second.push("Download it all?")
    assert question["message"] == "“big” has about 0.6 MB. It is paused."
    wait_for(lambda: service.media() == ["small.mp4"])
    first.tap(offered(question)["Download"])
    cleared = wait_for(lambda: list(second.pushed))[0]
    assert (cleared["message"], cleared["data"]["tag"]) == (
        "clear_notification",
        question["data"]["tag"],
    )
    wait_for(lambda: service.media() == ["big.mp4", "small.mp4"], 30)  # it was not asked again
    send(ha, names, media.url("/stall/1000/bytes/600000/unwanted.mp4"))
    first.tap(offered(first.push("Download it all?"))["Cancel"])
    wait_for(lambda: ha.state(names["job"])["attributes"].get("event_type") == "cancelled")
    assert service.media() == ["big.mp4", "small.mp4"]
    assert ha.complaints() == []
