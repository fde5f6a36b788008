"""The blueprints about the house: pauses, media servers, to-do lists, calendars."""

from __future__ import annotations

from collections.abc import Callable

from tests.homeassistant.real.device import found
from tests.homeassistant.real.household import entry, triggered, use
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]


def send(ha: HomeAssistant, names: dict[str, str], message: str) -> None:
    ha.call("notify.send_message", entity_id=names["download"], message=message)


def test_downloads_wait_while_the_television_plays(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("cinema")
    names = found(ha, "cinema")
    television, console = "media_player.bp_television", "switch.bp_console"

    def put(entity_id: str, state: str) -> None:
        ha.post(f"/api/states/{entity_id}", {"state": state})

    put(television, "off")
    put(console, "off")
    watched = {"entities": [television, console], "states": ["playing", "on"], "delay": 0}
    use(ha, "pause_while", "cinema", "cinema", **watched)
    hour = "{{{{ (now() + timedelta(hours={})).strftime('%H:%M:%S') }}}}"
    hours = {"after": ha.render(hour.format(1)), "before": ha.render(hour.format(2))}
    use(ha, "pause_while", "cinema_later", "cinema", **watched, **hours)

    put(television, "playing")
    ha.wait(names["paused"], "on")
    send(ha, names, media.url("/bytes/1000/film.mp4"))
    ha.wait(names["queued"], "1")
    put(console, "on")
    put(television, "off")  # the console is still on
    wait_for(lambda: not _runs(ha, "automation.cinema"))
    assert ha.state(names["paused"])["state"] == "on"
    put(console, "off")
    ha.wait(names["paused"], "off")
    wait_for(lambda: service.media() == ["film.mp4"])

    # A person's pause stays when that of the automation ends.
    put(television, "playing")
    ha.wait(names["paused"], "on")
    ha.call("switch.turn_on", entity_id=names["paused"])
    wait_for(lambda: ha.state(names["response"])["attributes"].get("request_id") is None)
    before = triggered(ha, "automation.cinema")
    put(television, "off")
    wait_for(lambda: triggered(ha, "automation.cinema") != before)
    wait_for(lambda: ha.state(names["response"])["attributes"].get("request_id"))
    assert ha.state(names["response"])["attributes"]["command"] == "resume"
    assert ha.state(names["paused"])["state"] == "on"
    ha.call("switch.turn_off", entity_id=names["paused"])
    ha.wait(names["paused"], "off")

    # What happened while the service was off is made up for.
    service.stop()
    ha.wait(names["paused"], "unavailable")
    put(television, "playing")
    service.start()
    ha.wait(names["paused"], "on")
    put(television, "off")
    ha.wait(names["paused"], "off")
    assert ha.complaints() == []


def _runs(ha: HomeAssistant, automation: str) -> int:
    return int(ha.state(automation)["attributes"]["current"])


def test_a_media_server_is_told_once_when_all_is_done(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("done")
    names = found(ha, "done")
    refresh = {"action": "notify.mobile_app_phone", "data": {"message": "refresh"}}
    use(ha, "after_done", "done", "done", minutes=0.03, actions=[refresh])
    send(ha, names, media.url("/status/404/gone.mp4"))  # no new file
    ha.wait(names["failed"], "1")
    assert triggered(ha, "automation.done") is None
    send(ha, names, media.url("/bytes/1000/one.mp4"))
    send(ha, names, media.url("/slow/10000/bytes/40000/two.mp4"))
    wait_for(lambda: service.media() == ["one.mp4"])
    assert ha.calls("notify.mobile_app_phone") == []
    wait_for(lambda: service.media() == ["one.mp4", "two.mp4"])
    assert ha.calls("notify.mobile_app_phone") == []
    wait_for(lambda: ha.calls("notify.mobile_app_phone"))
    wait_for(lambda: not _runs(ha, "automation.done"))
    assert len(ha.calls("notify.mobile_app_phone")) == 1
    assert ha.complaints() == []


def test_items_of_a_to_do_list_are_downloaded_and_ticked_off(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("todo")
    names = found(ha, "todo")
    todo = "todo.to_download"

    def items(status: str) -> dict[str, str]:
        told = ha.call("todo.get_items", return_response=True, entity_id=todo, status=status)
        listed = told[todo]["items"]
        return {one["summary"]: one.get("description", "") for one in listed}

    with entry(ha, "local_todo", todo, todo_list_name="To download"):
        use(ha, "from_todo", "todo", "todo", list=todo)
        film, gone = media.url("/bytes/1000/film.mp4"), media.url("/status/404/gone.mp4")
        for item in ("Milk", f"The film {film}", gone, "http://127.0.0.1:port/"):
            ha.call("todo.add_item", entity_id=todo, item=item)
        wait_for(lambda: items("completed") == {f"The film {film}": ""}, what="a tick")
        wait_for(lambda: items("needs_action")[gone].startswith("Failed: "))
        wait_for(lambda: items("needs_action")["http://127.0.0.1:port/"].startswith("Refused: "))
        assert items("needs_action")["Milk"] == ""
        assert service.media() == ["film.mp4"]
        # The service was off: the item is not forgotten.
        service.stop()
        ha.wait(names["status"], "unavailable")
        later = media.url("/bytes/1000/later.mp4")
        ha.call("todo.add_item", entity_id=todo, item=later)
        service.start()
        wait_for(lambda: later in items("completed"), 30, "the item to be ticked off")
        assert ha.state(names["failed"])["state"] == "1"  # nothing was sent twice
        ha.remove_added()
    assert ha.complaints() == []


def test_a_link_in_a_calendar_is_downloaded_when_its_event_begins(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("calendar")
    found(ha, "calendar")
    calendar = "calendar.programme"
    with entry(ha, "local_calendar", calendar, calendar_name="Programme", **_empty(ha)):
        for summary, description in (
            ("The news", f"At {media.url('/bytes/1000/news.mp4')}"),
            ("Dentist", "Bring the card"),
            ("Broken", "http://127.0.0.1:port/"),
        ):
            begins = "{{{{ (now() + timedelta(seconds={})).isoformat() }}}}"
            ha.call(
                "calendar.create_event",
                entity_id=calendar,
                summary=summary,
                description=description,
                start_date_time=ha.render(begins.format(6)),
                end_date_time=ha.render(begins.format(600)),
            )
        use(ha, "from_calendar", "calendar", "calendar", calendar=calendar, folder="news")
        assert service.media() == []
        wait_for(lambda: service.media() == ["news/news.mp4"], 30)

        def told() -> list[str]:
            listed = ha.command("persistent_notification/get")
            return [one["message"] for one in listed if "mediarip_cal" in one["notification_id"]]

        assert wait_for(told)[0].startswith("The reason: invalid_url. ")
        ha.call("persistent_notification.dismiss_all")
        ha.remove_added()
    assert ha.complaints() == []


def _empty(ha: HomeAssistant) -> dict[str, str]:
    return {"import": "create_empty"} if ha.version >= "2025.2" else {}
