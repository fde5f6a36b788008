"""The update entity: it knows of a newer yt-dlp, installs it, and shows how that goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.homeassistant.real.device import found
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.index import PackageIndex
from tests.support.service import Service


def test_a_newer_yt_dlp_is_offered_and_installed_from_home_assistant(
    ha: HomeAssistant, run: Callable[..., Service], tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add("2099.1.2")
    run("updating", UPDATES__INDEX_URL=index.url, UPDATES__CHECK_INTERVAL="1")
    names = found(ha, "updating")
    offered = ha.wait(names["ytdlp"], "on")  # there is an update
    assert offered["attributes"]["latest_version"] == "2099.01.02"
    before = offered["attributes"]["installed_version"]
    assert before != "2099.1.2"
    ha.call("update.install", entity_id=names["ytdlp"])
    wait_for(lambda: ha.state(names["ytdlp"])["attributes"]["in_progress"])
    ha.wait(names["ytdlp"], "off", 180)
    wait_for(lambda: ha.state(names["status"])["state"] == "idle")
    assert ha.state(names["ytdlp"])["attributes"]["installed_version"] == "2099.01.02"
    assert ha.state(names["problem"])["state"] == "off"
    assert ha.complaints() == []
    index.stop()
