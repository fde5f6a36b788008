"""The package's scripts, as a member of the household runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.homeassistant.real.device import found
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
Script = Callable[..., dict[str, Any]]


@pytest.fixture
def service(run: Run, ha: HomeAssistant, media: MediaServer) -> Service:
    search = media.url("/bytes/1000/found.mp4?q=")
    service = run(
        "package",
        playable=True,
        DOWNLOADS__SEARCH_PREFIX=search,
        HOMEASSISTANT__MEDIA_SOURCE="media-source://media_source/local/package/volume",
    )
    found(ha, "package")
    return service


@pytest.fixture
def script(ha: HomeAssistant, service: Service) -> Script:
    status, member = ha.entities("package")["status"], ha.member()

    def script(name: str, **fields: Any) -> dict[str, Any]:
        fields.setdefault("service", status)
        return dict(member.call(f"script.{name}", return_response=True, **fields))

    return script


def test_the_script_downloads_and_says_what_became_of_it(
    script: Script, service: Service, media: MediaServer, ha: HomeAssistant
) -> None:
    result = script("mediarip_download", what=media.url("/bytes/1000/film.mp4"), folder="films")
    assert result["ok"]
    assert result["job_id"]
    wait_for(lambda: "films/film.mp4" in service.media(), what="the file")
    result = script("mediarip_download", what=media.url("/bytes/1000/a.mp4"), until_done=True)
    assert result["ok"]
    assert (result["title"], result["filename"]) == ("a", "a.mp4")
    # Words are searched, also where a template would make something else of them.
    for words in ("1984", "{{ states }}", '["a"]'):
        result = script("mediarip_download", what=words, until_done=True)
        assert result["ok"], result
        assert result["filename"].startswith("found")
    assert ha.complaints() == []


def test_the_script_says_why_there_is_no_file(
    script: Script, media: MediaServer, ha: HomeAssistant
) -> None:
    result = script("mediarip_download", what=media.url("/status/404/b.mp4"), until_done=True)
    assert (result["ok"], result["error_code"]) == (False, "not_found")
    assert result["error"]
    result = script("mediarip_download", what=media.url("/bytes/1000/c.mp4"), preset="none such")
    assert (result["ok"], result["error_code"]) == (False, "unknown_preset")
    assert "preset" in result["error"]
    result = script("mediarip_download", what="x", service="sensor.none_such")
    assert (result["ok"], result["error_code"]) == (False, "no_service")
    assert ha.complaints() == []


def test_the_last_download_is_played(script: Script, media: MediaServer, ha: HomeAssistant) -> None:
    player = "media_player.test_player"
    nothing = script("mediarip_play_last", player=player, service="sensor.none_such")
    assert not nothing["ok"]
    assert nothing["error"]
    script("mediarip_download", what=media.url("/bytes/1000/last.mp4"), until_done=True)
    result = script("mediarip_play_last", player=player)
    assert result == {"ok": True, "title": "last", "error": None}
    (played,) = wait_for(lambda: ha.calls("media_player.play_media"))
    assert played["media_content_id"].endswith("package/volume/last.mp4")
    assert ha.complaints() == []
