"""`organize` and `adopt` by MQTT: dry runs change nothing, runs are carried out and reported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.titles import TitleState
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.library.runs import LibraryRuns
from mediarip_mqtt.mqtt.library_summary import render_library
from mediarip_mqtt.store import TitleFilter, Tx
from tests.support.broker import Client, wait_for
from tests.support.intake import Desk
from tests.support.service import Service


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    one = await Desk(tmp_path, library={"enabled": True}).open()
    yield one
    await one.close()


def put(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"film")


async def carry_out(desk: Desk) -> None:
    catalogue = desk.context.catalogue
    organizer = Organizer(desk.store, catalogue, desk.root)
    await LibraryRuns(desk.store, catalogue, organizer, desk.root).work()


async def adopted(desk: Desk, count: int = 1) -> list[Any]:
    for number in range(count):
        put(desk.root, f"yt/Low tide [x{number:04d}].mp4")
    assert (await desk.ask("adopt", {"folder": "yt"}))["ok"]
    await carry_out(desk)
    return await desk.store.read(lambda tx: tx.titles(TitleFilter(), 1000))


async def test_a_dry_run_of_adopt_says_what_media_would_be(desk: Desk) -> None:
    put(desk.root, "yt/Tides S01E02 High tide [dQw4w9WgXcQ].mp4")
    put(desk.root, "yt/holiday.mp4")
    reply = await desk.ask("adopt", {"folder": "/yt/".strip("/"), "dry_run": True})
    assert (reply["found"], reply["counts"]) == (2, {"adopted": 1, "unknown": 1})
    first = reply["media"][0]
    assert (first["show"], first["season"], first["episode"]) == ("Tides", 1, 2)
    assert reply["run"] is None
    assert await desk.store.read(Tx.library_runs) == []


async def test_adopt_starts_a_run_that_the_topic_shows(desk: Desk) -> None:
    put(desk.root, "yt/Low tide [x0001].mp4")
    reply = await desk.ask("adopt", "yt")
    assert (reply["run"]["kind"], reply["run"]["folder"]) == ("adopt", "yt")
    summary = await desk.store.read(render_library)
    assert [run.folder for run in summary.runs] == ["yt"]
    await carry_out(desk)
    summary = await desk.store.read(render_library)
    assert (summary.count, summary.runs) == (1, [])
    again = await desk.ask("adopt", {"folder": "yt", "dry_run": True})
    assert (again["found"], again["counts"], again["media"]) == (1, {"known": 1}, [])


@pytest.mark.parametrize(
    "folder", ["../up", "/etc", ".mediarip", "a/../../b", "none", "a\\b", "link", "file"]
)
async def test_only_folders_below_the_root_are_adopted(desk: Desk, folder: str) -> None:
    (desk.root / "link").symlink_to("/etc")
    put(desk.root, "file")
    reply = await desk.ask("adopt", {"folder": folder})
    assert reply["error"]["code"] == "unsafe_path"
    assert await desk.store.read(Tx.library_runs) == []


async def test_one_title_is_organized(desk: Desk) -> None:
    (title,) = await adopted(desk)
    dry = await desk.ask("organize", {"id": title.id, "dry_run": True})
    move = {
        "title_id": title.id,
        "filename": "yt/Low tide [x0000].mp4",
        "moves_to": "Videos/Low tide [x0000].mp4",
    }
    assert (dry["count"], dry["moves"]) == (1, [move])
    reply = await desk.ask("organize", {"id": "last"})
    assert reply["moves"] == [move]
    await Organizer(desk.store, desk.context.catalogue, desk.root).work()
    assert (desk.root / move["moves_to"]).exists()
    assert (await desk.ask("organize", {"id": title.id}))["count"] == 0


async def test_a_dry_run_for_all_lists_some_and_counts_all(desk: Desk) -> None:
    await adopted(desk, 40)
    reply = await desk.ask("organize", {"id": "all", "dry_run": True})
    assert (reply["count"], len(reply["moves"]), reply["run"]) == (40, 30, None)
    before = await desk.store.read(lambda tx: tx.titles(TitleFilter(), 1000))
    assert {title.state for title in before} == {TitleState.COMPLETED}
    started = await desk.ask("organize", "all")
    assert (started["run"]["kind"], started["run"]["total"]) == ("organize", 40)
    await carry_out(desk)
    assert (await desk.ask("organize", {"id": "all", "dry_run": True}))["count"] == 0


async def test_a_replaced_file_is_named_and_stays(desk: Desk) -> None:
    (title,) = await adopted(desk)
    path = desk.root / "yt/Low tide [x0000].mp4"
    path.unlink()
    path.write_bytes(b"another film")
    reply = await desk.ask("organize", {"id": title.id})
    assert reply["error"]["code"] == "invalid_transition"
    assert "another program" in reply["error"]["message"].lower()


async def test_a_title_in_review_is_not_organized(desk: Desk) -> None:
    title = await desk.in_review()
    reply = await desk.ask("organize", {"id": title.id})
    assert reply["error"]["code"] == "invalid_transition"


async def test_without_the_library_nothing_is_adopted(tmp_path: Path) -> None:
    desk = await Desk(tmp_path).open()
    for name, value in (("adopt", "yt"), ("organize", "all")):
        reply = await desk.ask(name, value)
        assert "library.enabled" in reply["error"]["message"]
    await desk.close()


async def test_an_isolated_session_organizes_only_its_own(tmp_path: Path) -> None:
    desk = await Desk(tmp_path, "isolated", library={"enabled": True}).open()
    (sent,) = await desk.send("session/bob/command/adopt", "yt")
    assert sent.error["code"] == "forbidden"
    await adopted(desk)
    (sent,) = await desk.send("session/bob/command/organize", {"id": "all", "dry_run": True})
    assert sent.reply["count"] == 0
    await desk.close()


def test_the_service_carries_runs_out_and_reports_their_end(
    service: Service, client: Client
) -> None:
    service.stop()
    service.environment["MEDIARIP__LIBRARY__ENABLED"] = "true"
    put(service.root, "yt/Low tide [x0001].mp4")
    service.start()
    client.publish("command/adopt", "yt")
    wait_for(lambda: client.events("library_run_ended"), 30, "the end of adopt")
    assert client.events("library_run_ended")[-1]["run"]["changed"] == 1
    client.publish("command/organize", "all")
    wait_for(lambda: len(client.events("library_run_ended")) == 2, 30, "the end of organize")
    assert "Videos/Low tide [x0001].mp4" in service.media()
    assert not (service.root / "yt").exists()
    wait_for(lambda: client.json("library")["runs"] == [], 10)
