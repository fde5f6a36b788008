"""A member of the household, without administrator rights, and the devices of the house."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.homeassistant.real.device import found
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]


def test_a_member_downloads_and_finds_the_file_in_the_media_browser(
    ha: HomeAssistant, run: Run, media: MediaServer
) -> None:
    service = run("family", playable=True)
    names = found(ha, "family")
    member = ha.member()
    url = media.url("/bytes/1000/film.mp4")
    member.call("notify.send_message", entity_id=names["download"], message=url)
    ha.wait(names["completed_today"], "1")
    assert service.media() == ["film.mp4"]
    media_id = "media-source://media_source/local/family/volume/film.mp4"
    resolved = member.command("media_source/resolve_media", media_content_id=media_id)
    assert resolved["mime_type"] == "video/mp4"
    assert len(ha.picture(resolved["url"])) == 1000
    assert ha.complaints() == []


def test_a_member_has_no_administrator_rights(ha: HomeAssistant) -> None:
    with pytest.raises(AssertionError, match="unauthorized"):
        ha.member().command("config/auth/list")


def test_the_devices_of_the_house_record_what_they_are_told(ha: HomeAssistant) -> None:
    ha.call("notify.mobile_app_phone", message="Done", data={"tag": "one"})
    ha.call(
        "media_player.play_media",
        entity_id="media_player.test_player",
        media_content_type="music",
        media_content_id="http://127.0.0.1/a.mp3",
    )
    ha.call(
        "assist_satellite.announce", entity_id="assist_satellite.test_satellite", message="Done"
    )
    (told,) = wait_for(lambda: ha.calls("notify.mobile_app_phone"))
    assert told["data"] == {"tag": "one"}
    (played,) = wait_for(lambda: ha.calls("media_player.play_media"))
    assert played["media_content_id"] == "http://127.0.0.1/a.mp3"
    (said,) = wait_for(lambda: ha.calls("assist_satellite.announce"))
    assert said["message"] == "Done"
    assert ha.complaints() == []
