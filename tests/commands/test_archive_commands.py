"""Titles are archived, restored and watched by MQTT."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.library.organizer import Organizer
from tests.support.intake import Desk

NAME = "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    one = await Desk(tmp_path, library={"enabled": True}).open()
    yield one
    await one.close()


async def organize(desk: Desk) -> None:
    await Organizer(desk.store, desk.context.catalogue, desk.root).work()


@pytest.fixture
async def episode(desk: Desk) -> Title:
    title = await desk.in_review()
    await desk.ask("review", {"id": title.id, "accept": True})
    await organize(desk)
    assert (desk.root / NAME).exists()
    return title


async def state(desk: Desk, title: Title) -> str:
    reply = await desk.ask("titles", {"id": title.id})
    return str(reply["titles"][0]["state"])


async def test_archive_and_restore_reply_with_the_names_that_files_get(
    desk: Desk, episode: Title
) -> None:
    reply = await desk.ask("archive", {"id": episode.id})
    assert reply["ok"], reply
    assert reply["filename"] == f".mediarip/archive/{episode.id}/{NAME}"
    assert (reply["files"], reply["dry_run"]) == (1, False)
    assert reply["title"]["state"] == "archived"
    await organize(desk)
    assert (desk.root / reply["filename"]).exists()
    reply = await desk.ask("restore", {"id": episode.id})
    assert reply["filename"] == NAME
    await organize(desk)
    assert (desk.root / NAME).exists()
    assert await state(desk, episode) == "completed"


async def test_a_dry_run_says_the_same_and_changes_nothing(desk: Desk, episode: Title) -> None:
    would = await desk.ask("archive", {"id": episode.id, "dry_run": True})
    assert would["dry_run"]
    assert await state(desk, episode) == "completed"
    did = await desk.ask("archive", {"id": episode.id})
    assert [did[key] for key in ("filename", "files", "bytes")] == [
        would[key] for key in ("filename", "files", "bytes")
    ]
    await organize(desk)
    would = await desk.ask("restore", {"id": episode.id, "dry_run": True})
    assert (would["filename"], await state(desk, episode)) == (NAME, "archived")


@pytest.mark.parametrize("command", ["archive", "restore"])
async def test_what_can_not_be_moved_is_refused_in_words(
    desk: Desk, episode: Title, command: str
) -> None:
    missing = await desk.ask(command, {"id": "nothing"})
    assert missing["error"]["code"] == "title_not_found"
    (desk.root / NAME).write_bytes(b"of a person")
    refused = await desk.ask(command, {"id": episode.id})
    assert refused["error"]["code"] == "invalid_transition"
    assert "changed or replaced" in refused["error"]["message"]
    (desk.root / NAME).unlink()
    gone = await desk.ask(command, {"id": episode.id})
    assert "is gone" in gone["error"]["message"]


async def test_another_isolated_session_finds_no_title_to_archive(tmp_path: Path) -> None:
    desk = await Desk(tmp_path, "isolated", library={"enabled": True}).open()
    title = await desk.in_review("other", "bob")
    for command in ("archive", "restore", "watched"):
        (sent,) = await desk.send(f"session/anna/command/{command}", {"id": title.id})
        assert sent.error["code"] == "title_not_found", command
    (sent,) = await desk.send("session/anna/command/watched", {"title": "other", "watched": True})
    assert sent.reply["matched"] is False
    await desk.close()


async def test_delete_with_files_also_empties_the_archive(desk: Desk, episode: Title) -> None:
    await desk.ask("archive", {"id": episode.id})
    await organize(desk)
    reply = await desk.ask("delete", {"id": episode.job_id, "files": True})
    assert reply["ok"], reply
    assert not list((desk.root / ".mediarip" / "archive").rglob("*.mp4"))
    assert await state(desk, episode) == "deleted"


async def test_purge_removes_the_job_of_an_archived_title_and_no_file(
    desk: Desk, episode: Title
) -> None:
    await desk.ask("archive", {"id": episode.id})
    await organize(desk)
    reply = await desk.ask("purge", {"older_than": 0, "files": True})
    assert (reply["count"], reply["files"]) == (1, 0)
    restored = await desk.ask("restore", {"id": episode.id})
    await organize(desk)
    assert (desk.root / restored["filename"]).exists()


async def test_a_title_without_a_job_is_kept_and_deleted_by_its_own_id(
    desk: Desk, episode: Title
) -> None:
    await desk.ask("delete", {"id": episode.job_id})
    assert (desk.root / NAME).exists()
    kept = await desk.ask("keep", {"id": episode.id})
    assert kept["title"]["keep"] is True
    unknown = await desk.ask("delete", {"id": episode.id})
    assert unknown["error"]["code"] == "job_not_found"
    await desk.ask("archive", {"id": episode.id})
    refused = await desk.ask("delete", {"id": episode.id, "files": True})
    assert "being moved" in refused["error"]["message"]
    await organize(desk)
    deleted = await desk.ask("delete", {"id": episode.id, "files": True})
    assert deleted["title"]["state"] == "deleted"
    await organize(desk)
    assert not list((desk.root / ".mediarip" / "archive").rglob("*.mp4"))


async def test_keeping_a_job_keeps_its_title(desk: Desk, episode: Title) -> None:
    await desk.ask("keep", {"id": episode.job_id})
    reply = await desk.ask("titles", {"id": episode.id})
    assert reply["titles"][0]["keep"] is True
    await desk.ask("keep", {"id": episode.job_id, "keep": False})
    reply = await desk.ask("titles", {"id": episode.id})
    assert reply["titles"][0]["keep"] is False


@pytest.mark.parametrize(
    ("said", "watched"),
    [
        ({"show": "tides", "season": "01", "episode": "02", "position": 90, "duration": 100}, True),
        ({"show": "tides", "season": 1, "episode": 2, "position": 89, "duration": 100}, False),
        ({"show": "tides", "season": 1, "episode": 2, "position": "", "duration": ""}, False),
        ({"show": "Tides", "title": "LOW TIDE", "watched": True}, True),
        ({"id": "last"}, True),
        ({"id": "last", "position": 1, "duration": 100}, False),
    ],
    ids=str,
)
async def test_what_was_played_to_its_end_is_watched(
    desk: Desk,
    episode: Title,
    said: dict[str, Any],
    watched: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    reply = await desk.ask("watched", said)
    assert reply["ok"], reply
    assert (reply["matched"], reply["title_id"]) == (True, episode.id)
    assert (reply["title"]["watched_at"] is not None) is watched


async def test_what_the_library_does_not_know_is_no_error(desk: Desk, episode: Title) -> None:
    del episode
    reply = await desk.ask("watched", {"title": "News", "position": 10, "duration": 10})
    assert reply["ok"]
    assert (reply["matched"], reply["title"]) == (False, None)


async def test_watched_needs_to_be_told_which_title(desk: Desk) -> None:
    reply = await desk.ask("watched", {"season": 1, "episode": 2})
    assert reply["error"]["code"] == "invalid_payload"
