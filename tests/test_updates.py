"""A newer yt-dlp is tried before it is used, and given up where it does not come up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mediarip_mqtt import ytdlp_choice
from mediarip_mqtt.ytdlp_choice import Choice
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.index import PackageIndex
from tests.support.server import MediaServer
from tests.support.service import Service

NEWER = "2099.1.2"  # as packages are named
SHOWN = "2099.01.02"  # as yt-dlp names itself
KEYS = {
    "installed_version",
    "latest_version",
    "title",
    "release_url",
    "release_summary",
    "in_progress",
    "update_percentage",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    index = PackageIndex(tmp_path_factory.mktemp("good") / "simple").start()
    index.add(NEWER)
    yield index
    index.stop()


@pytest.fixture
def run(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def run(index: str, **settings: str) -> Service:
        more = {"UPDATES__INDEX_URL": index, "UPDATES__CHECK_INTERVAL": "0", **settings}
        services.append(Service(tmp_path, mosquitto.port, **more).start())
        return services[-1]

    yield run
    for service in services:
        service.stop()


def installed(client: Client) -> str:
    return str(wait_for(lambda: client.json("ytdlp").get("installed_version")))


def test_an_update_is_tried_used_and_kept_over_a_restart(
    run: Callable[..., Service], client: Client, media: MediaServer, good: PackageIndex
) -> None:
    service = run(good.url)
    before = installed(client)
    under_way = client.download(media.url("/slow/400000/bytes/3000000/x.mp4"))
    client.wait_status(under_way, "downloading")
    client.publish("command/update_ytdlp", "install")  # as Home Assistant's update entity does
    assert wait_for(lambda: client.payloads("response"))
    wait_for(lambda: client.json("ytdlp").get("update_percentage"))
    assert client.request("update_ytdlp")["error"]["code"] == "invalid_transition"
    wait_for(lambda: installed(client) == SHOWN, 60, "the new version")
    assert client.job(under_way)["status"] in {"completed", "queued", "extracting", "downloading"}
    assert client.wait_status(under_way, "completed", "failed")["status"] == "completed"
    (event,) = wait_for(lambda: client.events("ytdlp_updated"))
    assert (event["ok"], event["from_version"], event["to_version"]) == (True, before, SHOWN)
    assert all(set(json.loads(one)) == KEYS for one in client.payloads("ytdlp"))
    wait_for(lambda: client.json("info")["ytdlp"] == SHOWN)
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    service.stop()
    service.start()
    wait_for(lambda: client.json("info")["ytdlp"] == SHOWN)
    assert client.json("ytdlp")["in_progress"] is False
    assert os.listdir(service.root / ".mediarip" / "ytdlp") != []  # noqa: PTH208 - names are wanted
    assert [one for one in service.media() if "ytdlp" in one] == []


@pytest.mark.parametrize("broken", ["import", "download"])
def test_a_version_that_does_not_work_here_is_not_used(
    broken: str, run: Callable[..., Service], client: Client, media: MediaServer, tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add(NEWER, broken)
    service = run(index.url)
    before = installed(client)
    assert client.request("update_ytdlp")["started"]
    (event,) = wait_for(lambda: client.events("ytdlp_updated"), 60)
    assert event["ok"] is False
    assert event["reason"].startswith("It does not work here")
    wait_for(lambda: client.json("ytdlp")["in_progress"] is False)
    assert installed(client) == before
    assert not (service.root / ".mediarip" / "ytdlp" / NEWER).exists()
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    index.stop()


def test_an_index_that_can_t_be_reached_changes_nothing_and_is_told(
    run: Callable[..., Service], client: Client
) -> None:
    service = run("http://someone:secret@127.0.0.1:9/simple/")
    before = installed(client)
    assert client.request("update_ytdlp")["started"]
    (event,) = wait_for(lambda: client.events("ytdlp_updated"), 60)
    assert event["ok"] is False
    assert installed(client) == before
    wait_for(lambda: client.request("update_ytdlp")["ok"])  # it may be asked for again
    assert "secret" not in service.log + json.dumps([payload for _, payload in client.messages])


def test_an_update_that_a_kill_interrupts_is_done_after_the_restart(
    run: Callable[..., Service], client: Client, good: PackageIndex
) -> None:
    service = run(good.url)
    assert client.request("update_ytdlp")["started"]
    folder = service.root / ".mediarip" / "ytdlp"
    wait_for(lambda: folder.exists() and any(folder.iterdir()))
    service.kill()
    service.start()
    wait_for(lambda: installed(client) == SHOWN, 60)
    wait_for(lambda: not [one for one in folder.iterdir() if one.name.startswith(".half")])


def test_a_version_that_did_not_come_up_is_given_up_at_the_next_start(
    run: Callable[..., Service], client: Client, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    service = run("http://127.0.0.1:9/")
    before = installed(client)
    service.stop()
    folder = service.root / ".mediarip" / "ytdlp"
    (folder / NEWER / "yt_dlp").mkdir(parents=True)
    (folder / NEWER / "yt_dlp" / "__init__.py").write_text("raise SystemExit(3)\n")
    ytdlp_choice.write(folder, Choice(chosen=NEWER, trial=ytdlp_choice.NEW))
    service.start(wait=False)
    wait_for(lambda: not service.running)
    service.start()
    (event,) = wait_for(lambda: client.events("ytdlp_updated"))
    assert event["ok"] is False
    assert event["from_version"] == SHOWN
    assert "did not come up" in event["reason"]
    assert installed(client) == before
    wait_for(lambda: not (folder / NEWER).exists())


def test_a_newer_one_that_came_with_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "2020.1.1" / "yt_dlp").mkdir(parents=True)
    ytdlp_choice.write(tmp_path, Choice(chosen="2020.1.1"))
    assert ytdlp_choice.resolve(tmp_path) is None
    assert ytdlp_choice.read(tmp_path).chosen is None


def test_a_choice_that_can_t_be_read_means_the_installed_one(tmp_path: Path) -> None:
    (tmp_path / "choice.json").write_text("{")
    assert ytdlp_choice.resolve(tmp_path) is None
    ytdlp_choice.write(tmp_path, Choice(chosen=NEWER))  # a folder that is gone
    assert ytdlp_choice.resolve(tmp_path) is None
