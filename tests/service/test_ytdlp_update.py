"""A newer yt-dlp is tried before it is used, and given up where it does not come up."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yt_dlp

from mediarip_mqtt.commands.update_commands import UPDATE_KEY
from mediarip_mqtt.contract.models import now
from mediarip_mqtt.contract.settings import Settings, UpdateSettings
from mediarip_mqtt.service import ytdlp_packages, ytdlp_update, ytdlp_version
from mediarip_mqtt.service.ytdlp_version import Choice
from mediarip_mqtt.store import Store
from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.index import PackageIndex
from tests.support.server import MediaServer
from tests.support.service import Service

pytestmark = pytest.mark.slow


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
        services.append(Service(tmp_path, mosquitto.port, fresh=True, **more).start())
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
    wait_for(lambda: "Switching" in client.json("ytdlp")["release_summary"], 60)
    assert client.json("ytdlp")["in_progress"]
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
    assert os.listdir(service.fetched) != []  # noqa: PTH208 - names are wanted
    assert [one for one in service.media() if "ytdlp" in one] == []


@pytest.mark.parametrize("broken", ["import", "download", "can't be stopped"])
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
    assert not (service.fetched / NEWER).exists()
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    index.stop()


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("http://someone:secret@127.0.0.1:9/simple/", "can't be reached (Connection refused)"),
        ("http://someone:secret@{good}/no/such/folder/", "offers nothing that can be installed"),
    ],
)
def test_an_index_that_is_of_no_use_changes_nothing_and_is_told(
    index: str, reason: str, run: Callable[..., Service], client: Client, good: PackageIndex
) -> None:
    service = run(index.format(good=good.url.removeprefix("http://").rstrip("/")))
    before = installed(client)
    assert client.request("update_ytdlp")["started"]
    (event,) = wait_for(lambda: client.events("ytdlp_updated"), 60)
    assert event["ok"] is False
    assert reason in event["reason"]
    wait_for(lambda: reason in client.json("ytdlp")["release_summary"])
    assert installed(client) == before
    wait_for(lambda: client.request("update_ytdlp")["ok"])  # it may be asked for again
    assert "secret" not in service.log + json.dumps([payload for _, payload in client.messages])


def test_a_check_tells_of_a_newer_version_and_installs_nothing(
    run: Callable[..., Service], client: Client, tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add(NEWER)
    service = run(index.url)
    before = installed(client)
    reply = client.request("update_ytdlp", check=True)
    assert reply["ok"]
    assert (reply["started"], reply["installed"], reply["latest"]) == (False, before, None)
    wait_for(lambda: client.json("ytdlp")["latest_version"] == SHOWN)
    assert client.json("ytdlp")["release_url"].endswith("/2099.01.02")
    assert client.json("ytdlp")["in_progress"] is False
    index.stop()
    service.stop()
    service.start()  # and it is still known
    assert wait_for(lambda: client.request("update_ytdlp", check=True))["latest"] == SHOWN
    assert installed(client) == before
    assert client.events("ytdlp_updated") == []


def test_an_older_version_is_never_installed(
    run: Callable[..., Service], client: Client, tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add("2020.1.1")
    service = run(index.url)
    before = installed(client)
    assert client.request("update_ytdlp")["started"]
    wait_for(lambda: "is the newest version" in client.json("ytdlp")["release_summary"])
    assert (installed(client), client.json("ytdlp")["latest_version"]) == (before, before)
    assert client.events("ytdlp_updated") == []
    assert not (service.fetched).exists()
    index.stop()


@pytest.mark.parametrize("percent", [10, 70, 95])
def test_an_update_that_a_kill_interrupts_is_done_after_the_restart(
    percent: int, run: Callable[..., Service], client: Client, good: PackageIndex
) -> None:
    service = run(good.url)
    assert client.request("update_ytdlp")["started"]
    folder = service.fetched
    wait_for(lambda: reached(client, percent), 30)
    service.kill()
    left = [one.name for one in folder.iterdir() if not one.name.startswith(".half")]
    assert left in ([], [NEWER], [NEWER, "choice.json"], ["choice.json", NEWER])
    service.start()
    wait_for(lambda: installed(client) == SHOWN, 60)
    wait_for(lambda: client.json("ytdlp")["in_progress"] is False)
    wait_for(lambda: not [one for one in folder.iterdir() if one.name.startswith(".half")])
    wait_for(lambda: ytdlp_version.read(folder).trial is None)


def reached(client: Client, percent: int) -> bool:
    shown = [json.loads(one)["update_percentage"] or 0 for one in client.payloads("ytdlp")]
    return max(shown, default=0) >= percent


def test_the_end_of_the_service_ends_an_update_without_a_trace(
    run: Callable[..., Service], client: Client, tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add(NEWER, "hangs")
    service = run(index.url)
    assert client.request("update_ytdlp")["started"]
    wait_for(lambda: reached(client, 70), 30)
    trying = wait_for(lambda: psutil.Process(service.pid).children(recursive=True))
    assert service.stop() < 10
    assert not [one for one in trying if one.is_running()]
    assert list((service.fetched).iterdir()) == []
    index.stop()


async def test_a_version_that_hangs_is_given_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = PackageIndex(tmp_path / "simple").start()
    index.add(NEWER, "hangs")
    monkeypatch.setattr(ytdlp_packages, "SMOKE_TIME", 2.0)
    store = Store(tmp_path / "store.db", journal_mode="wal", exclusive=False)
    await store.open()
    told = asyncio.Event()
    one = ytdlp_update.Updates(
        Settings(updates=UpdateSettings(index_url=index.url, check_interval=0)),
        store,
        folder=tmp_path / "ytdlp",
        former=tmp_path / "former",
        running="2026.01.01",
        online=asyncio.Event(),
        publish=lambda: told.set() if "not work" in one.payload()["release_summary"] else None,
        switch=lambda: None,
        clock=now,
    )
    await store.write(lambda tx: tx.set_config(UPDATE_KEY, "wanted", now()))
    running = asyncio.create_task(one.run())
    async with asyncio.timeout(60):
        await told.wait()
    assert "took more than 2 s" in one.payload()["release_summary"]
    assert ytdlp_version.read(tmp_path / "ytdlp").chosen is None
    assert NEWER in ytdlp_version.read(tmp_path / "ytdlp").bad
    assert not [
        one
        for one in psutil.Process().children()
        if one.status() != psutil.STATUS_ZOMBIE
        and "mediarip_mqtt.service.ytdlp_smoke_test" in one.cmdline()
    ]
    running.cancel()
    await asyncio.wait({running})
    await store.close()
    index.stop()


def test_the_embedded_broker_comes_back_with_a_new_version(
    run: Callable[..., Service], tmp_path: Path, good: PackageIndex, media: MediaServer
) -> None:
    port = free_port()
    service = Service(
        tmp_path,
        port,
        fresh=True,
        UPDATES__INDEX_URL=good.url,
        UPDATES__CHECK_INTERVAL="0",
    )
    service.options = ["--embedded-broker"]
    service.start()
    client = Client(int(port))
    assert client.request("update_ytdlp")["started"]
    wait_for(lambda: installed(client) == SHOWN, 60)
    wait_for(lambda: client.kept("status") == "online")
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    client.close()
    assert service.stop() < 10


def test_a_run_for_one_download_is_not_interrupted_by_an_update(
    mosquitto: Mosquitto, client: Client, tmp_path: Path, good: PackageIndex, media: MediaServer
) -> None:
    more = {"UPDATES__CHECK_INTERVAL": "0.5", "UPDATES__AUTO": "true"}
    service = Service(tmp_path, mosquitto.port, fresh=True, UPDATES__INDEX_URL=good.url, **more)
    service.options = ["--download", media.url("/stall/100000/bytes/300000/x.mp4")]
    process = service.start(wait=False).process
    wait_for(lambda: "Switching" in client.json("ytdlp").get("release_summary", ""), 60)
    client.request("cancel", id="current")
    assert process.wait(20) == 1  # what a cancelled download is, and no stopped service
    assert all(json.loads(one)["pause_reason"] is None for one in client.payloads("state"))
    choice = ytdlp_version.read(service.fetched)
    assert (choice.chosen, choice.trial) == (NEWER, ytdlp_version.NEW)  # for the next start


def chosen(service: Service, code: str, trial: str | None) -> Path:
    """Choose a version with a content of our own for the next start; return the folder of all."""
    folder = service.fetched
    (folder / NEWER / "yt_dlp").mkdir(parents=True)
    (folder / NEWER / "yt_dlp" / "__init__.py").write_text(code)
    digests = {NEWER: ytdlp_version.digest(folder / NEWER)}
    ytdlp_version.write(folder, Choice(chosen=NEWER, trial=trial, digests=digests))
    return folder


def given_up(service: Service, client: Client, before: str, folder: Path) -> str:
    """Wait until the service runs with the version before; return the reason it gives."""
    (event,) = wait_for(lambda: client.events("ytdlp_updated"))
    assert event["ok"] is False
    assert (event["from_version"], event["to_version"]) == (SHOWN, before)
    assert installed(client) == before
    wait_for(lambda: "given up" in client.json("ytdlp")["release_summary"])
    wait_for(lambda: not (folder / NEWER).exists())
    return str(event["reason"])


def test_a_version_that_kills_the_service_on_trial_is_given_up_at_the_next_start(
    run: Callable[..., Service], client: Client
) -> None:
    service = run("http://127.0.0.1:9/")
    before = installed(client)
    service.stop()
    folder = chosen(service, "import os\nos._exit(3)\n", ytdlp_version.NEW)
    service.start(wait=False)
    wait_for(lambda: not service.running)
    service.start()
    assert "did not come up" in given_up(service, client, before, folder)


@pytest.mark.parametrize("trial", [ytdlp_version.NEW, None])
@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import no_such_module", "!"])
def test_a_version_that_can_t_be_imported_is_given_up_in_the_same_start(
    code: str, trial: str | None, run: Callable[..., Service], client: Client
) -> None:
    service = run("http://127.0.0.1:9/")
    before = installed(client)
    service.stop()
    folder = chosen(service, code, trial)
    service.start()
    assert given_up(service, client, before, folder)


def test_a_version_on_trial_with_which_the_service_fails_is_given_up_in_the_same_start(
    run: Callable[..., Service], client: Client
) -> None:
    service = run("http://127.0.0.1:9/")
    before = installed(client)
    service.stop()
    folder = chosen(service, "", ytdlp_version.NEW)
    shutil.rmtree(folder / NEWER / "yt_dlp")
    here = Path(yt_dlp.__file__).parent
    no_code = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here, folder / NEWER / "yt_dlp", ignore=no_code)
    with (folder / NEWER / "yt_dlp" / "version.py").open("a") as module:
        module.write("__version__ = 5\n")  # imports, but breaks the service's start
    choice = ytdlp_version.read(folder)
    choice.digests[NEWER] = ytdlp_version.digest(folder / NEWER)
    ytdlp_version.write(folder, choice)
    service.start()
    assert "ValidationError" in given_up(service, client, before, folder)


def test_an_end_for_another_reason_is_not_blamed_on_a_version_on_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = unpacked(tmp_path, NEWER)
    ytdlp_version.write(tmp_path, Choice(NEWER, trial=ytdlp_version.NEW, digests=digests))
    assert ytdlp_version.resolve(tmp_path) == NEWER
    monkeypatch.setenv(ytdlp_version.VARIABLE, str(tmp_path / NEWER))
    ytdlp_version.forgive(tmp_path)  # stopped, or no broker
    assert ytdlp_version.resolve(tmp_path) == NEWER
    assert ytdlp_version.resolve(tmp_path) is None  # killed


def unpacked(folder: Path, *versions: str) -> dict[str, str]:
    """Put versions without content there; return their digests."""
    for one in versions:
        (folder / one / "yt_dlp").mkdir(parents=True)
        (folder / one / "yt_dlp" / "__init__.py").touch()
    return {one: ytdlp_version.digest(folder / one) for one in versions}


def test_what_is_given_up_makes_room_for_the_fetched_one_before_it(tmp_path: Path) -> None:
    digests = unpacked(tmp_path, "2098.1.1", NEWER)
    choice = Choice(NEWER, "2098.1.1", ytdlp_version.STARTED, digests=digests)
    ytdlp_version.write(tmp_path, choice)
    assert ytdlp_version.resolve(tmp_path) == "2098.1.1"
    assert ytdlp_version.resolve(tmp_path) == "2098.1.1"
    ytdlp_version.sweep(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_dir()) == ["2098.1.1"]


def test_a_version_whose_folder_is_gone_is_given_up(tmp_path: Path) -> None:
    digests = unpacked(tmp_path, "2098.1.1")
    ytdlp_version.write(tmp_path, Choice(NEWER, "2098.1.1", digests=digests))
    assert ytdlp_version.resolve(tmp_path) == "2098.1.1"
    assert ytdlp_version.read(tmp_path).failed == NEWER


@pytest.mark.parametrize("change", ["other", "added", "folder", "link", "gone"])
def test_a_version_whose_files_were_changed_is_not_imported(tmp_path: Path, change: str) -> None:
    digests = unpacked(tmp_path, NEWER)
    ytdlp_version.write(tmp_path, Choice(NEWER, digests=digests))
    assert ytdlp_version.resolve(tmp_path) == NEWER
    package = tmp_path / NEWER / "yt_dlp"
    match change:
        case "other":
            (package / "__init__.py").write_text("print('other code')")
        case "added":
            (tmp_path / NEWER / "json.py").touch()  # would come before Python's own
        case "folder":
            (tmp_path / NEWER / "json").mkdir()
        case "link":
            (package / "extractor").symlink_to(tmp_path)
        case _:
            (package / "__init__.py").unlink()
    assert ytdlp_version.resolve(tmp_path) is None
    assert NEWER in ytdlp_version.read(tmp_path).bad


def test_a_version_without_a_digest_is_not_imported(tmp_path: Path) -> None:
    unpacked(tmp_path, NEWER)
    ytdlp_version.write(tmp_path, Choice(NEWER))
    assert ytdlp_version.resolve(tmp_path) is None


def test_a_newer_one_that_came_with_the_environment_wins(tmp_path: Path) -> None:
    unpacked(tmp_path, "2020.1.1")
    for trial in (None, ytdlp_version.NEW, ytdlp_version.STARTED):
        ytdlp_version.write(tmp_path, Choice(chosen="2020.1.1", trial=trial))
        assert ytdlp_version.resolve(tmp_path) is None
        assert ytdlp_version.read(tmp_path) == Choice()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "7",
        '{"chosen": 7}',
        '{"chosen": "../../elsewhere"}',
        '{"chosen": "2099.1.2", "bad": null}',
        '{"chosen": "2099.1.2", "bad": {"2098.1.1": 7}}',
        '{"chosen": "2099.1.2", "trial": "no"}',
    ],
)
def test_a_choice_that_can_t_be_read_means_the_installed_one(tmp_path: Path, content: str) -> None:
    unpacked(tmp_path, NEWER)
    (tmp_path / "choice.json").write_text(content)
    assert ytdlp_version.resolve(tmp_path) is None


def test_a_second_service_decides_nothing_on_the_first_ones_storage(
    run: Callable[..., Service], client: Client
) -> None:
    service = run("http://127.0.0.1:9/")
    folder = chosen(service, "raise SystemExit(3)", ytdlp_version.STARTED)
    before = (folder / "choice.json").read_text()
    second = subprocess.run(
        [sys.executable, *service.program, "run"],
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "Another mediarip-mqtt runs" in second.stderr
    assert (folder / "choice.json").read_text() == before
