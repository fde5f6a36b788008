"""The library by MQTT: what waits is answered, titles are found, tagged and corrected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.titles import TitleState
from mediarip_mqtt.library.organizer import Organizer
from tests.support.broker import Client, wait_for
from tests.support.intake import Desk
from tests.support.server import MediaServer
from tests.support.service import Service

FIELDS = {"rating": {"type": "number"}, "mood": {"type": "select", "options": ["calm", "wild"]}}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    one = await Desk(tmp_path, library={"enabled": True, "fields": FIELDS}).open()
    yield one
    await one.close()


async def organize(desk: Desk) -> None:
    await Organizer(desk.store, desk.context.catalogue, desk.root).work()


def titles(reply: dict[str, Any]) -> list[str]:
    assert reply["ok"], reply
    return [title["title"] for title in reply["titles"]]


async def test_without_an_id_review_lists_what_waits(desk: Desk) -> None:
    await desk.in_review("one")
    await desk.in_review("two")
    reply = await desk.ask("review")
    assert titles(reply) == ["one", "two"]
    assert reply["titles"][0]["candidates"][0]["show"] == "Tides"


async def test_accepting_replies_with_the_name_that_the_file_gets(desk: Desk) -> None:
    title = await desk.in_review()
    reply = await desk.ask("review", {"id": title.id, "accept": True})
    assert reply["filename"] == "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"
    assert reply["title"]["state"] == "organizing"
    await organize(desk)
    assert (desk.root / reply["filename"]).exists()
    shown = await desk.ask("titles", {"id": title.id})
    assert shown["titles"][0]["state"] == "completed"
    (job,) = await desk.jobs()
    assert (job.status, job.filename) == (JobStatus.COMPLETED, reply["filename"])


async def test_a_repeated_answer_takes_effect_once(desk: Desk) -> None:
    title = await desk.in_review()
    answer = {"id": title.id, "choice": 2, "request_id": "r1"}
    first = await desk.ask("review", answer)
    await organize(desk)
    assert await desk.ask("review", answer) == first


async def test_a_title_is_meant_by_its_job_or_by_last(desk: Desk) -> None:
    title = await desk.in_review()
    for ref in (title.job_id, str(title.job_id)[:20], title.id[:20], "last"):
        reply = await desk.ask("titles", {"id": ref})
        assert titles(reply) == ["Low tide"]


@pytest.mark.parametrize(
    ("answer", "code", "field"),
    [
        ({"id": "nothing"}, "title_not_found", "id"),
        ({"accept": True}, "invalid_payload", "id"),
        ({"id": "last", "choice": 5}, "invalid_payload", "choice"),
        ({"id": "last", "discard": True, "accept": True}, "invalid_payload", "discard"),
        ({"id": "last", "season": -1}, "invalid_payload", "season"),
        ({"id": "last", "content_type": "film"}, "invalid_payload", "content_type"),
        ({"id": "last", "accept": True, "remember": True}, "invalid_payload", "remember"),
        ({"id": "last", "show": "a\u202eb"}, "invalid_payload", "show"),
    ],
)
async def test_a_bad_answer_is_refused_and_the_title_waits_on(
    answer: dict[str, Any], code: str, field: str, desk: Desk
) -> None:
    title = await desk.in_review()
    reply = await desk.ask("review", answer)
    assert (reply["error"]["code"], reply["error"]["field"]) == (code, field)
    kept = await desk.store.read(lambda tx: tx.title(title.id))
    assert kept is not None
    assert kept.state is TitleState.REVIEW


async def test_a_taken_number_is_a_conflict_if_the_answer_says_so(desk: Desk) -> None:
    first, second = await desk.in_review("one"), await desk.in_review("two")
    numbers = {"show": "Tides", "season": 3, "episode": 1}
    await desk.ask("review", {"id": first.id, **numbers})
    refused = await desk.ask("review", {"id": second.id, **numbers, "conflict": "ask"})
    assert refused["error"]["code"] == "conflict"
    skipped = await desk.ask("review", {"id": second.id, **numbers, "conflict": "skip"})
    assert skipped["title"]["state"] == "discarded"
    await organize(desk)
    assert not (desk.root / "Unsorted").exists()


async def test_isolated_sessions_see_only_their_titles(tmp_path: Path) -> None:
    desk = await Desk(tmp_path, "isolated", library={"enabled": True}).open()
    await desk.in_review("mine", "anna")
    other = await desk.in_review("other", "bob")
    (sent,) = await desk.send("session/anna/command/titles", {})
    assert titles(sent.reply) == ["mine"]
    (sent,) = await desk.send("session/anna/command/review", {"id": other.id, "accept": True})
    assert sent.error["code"] == "title_not_found"
    (sent,) = await desk.send("session/anna/command/tag", {"id": other.id, "add": "x"})
    assert sent.error["code"] == "title_not_found"
    await desk.close()


async def test_an_isolated_session_can_not_say_what_others_downloads_are(tmp_path: Path) -> None:
    desk = await Desk(tmp_path, "isolated", library={"enabled": True}).open()
    mine = await desk.in_review("mine", "anna")
    answer = {"id": mine.id, "show": "Mine", "remember": True}
    (sent,) = await desk.send("session/anna/command/review", answer)
    assert sent.error["code"] == "forbidden"
    await desk.close()


async def test_tags_category_and_fields_are_set_and_found(desk: Desk) -> None:
    title = await desk.in_review()
    reply = await desk.ask(
        "tag",
        {"id": title.id, "add": ["Sea", "the sea!", "sea"], "category": "Films"}
        | {"fields": {"rating": 4.5, "mood": "calm"}},
    )
    assert reply["title"]["tags"] == ["Sea", "the sea!"]
    assert reply["title"]["category"] == "Films"
    assert reply["title"]["fields"] == {"rating": 4.5, "mood": "calm"}
    assert titles(await desk.ask("titles", {"tag": "SEA"})) == ["Low tide"]
    changes = {"remove": "Sea", "category": "", "fields": {"rating": None}}
    reply = await desk.ask("tag", {"id": title.id, **changes})
    assert (reply["title"]["tags"], reply["title"]["category"]) == (["the sea!"], None)
    assert reply["title"]["fields"] == {"mood": "calm"}


@pytest.mark.parametrize(
    "fields",
    [{"unknown": 1}, {"rating": "high"}, {"rating": True}, {"mood": "sad"}, {"mood": ["calm"]}],
)
async def test_a_value_that_a_field_does_not_take_is_refused(
    fields: dict[str, Any], desk: Desk
) -> None:
    await desk.in_review()
    reply = await desk.ask("tag", {"id": "last", "add": "x", "fields": fields})
    assert reply["error"]["field"] == "fields"
    assert (await desk.ask("titles", {"id": "last"}))["titles"][0]["tags"] == []


async def test_plain_text_searches_the_titles(desk: Desk) -> None:
    await desk.in_review("Low tide")
    await desk.in_review("High water")
    assert titles(await desk.ask("titles", "tid")) == ["Low tide"]
    assert titles(await desk.ask("titles", {"content_type": "movie"})) == []


async def test_delete_with_files_removes_the_title_s_files_and_remembers_the_title(
    desk: Desk,
) -> None:
    title = await desk.in_review()
    await desk.ask("review", {"id": title.id, "accept": True})
    await organize(desk)
    reply = await desk.ask("delete", {"id": title.job_id, "files": True})
    assert reply["ok"]
    assert not (desk.root / "Shows").exists()
    (kept,) = (await desk.ask("titles", {"state": "deleted"}))["titles"]
    assert (kept["id"], kept["job_id"], kept["organized_to"]) == (title.id, None, None)


async def test_delete_without_files_leaves_the_title(desk: Desk) -> None:
    title = await desk.in_review()
    await desk.ask("review", {"id": title.id, "accept": True})
    await organize(desk)
    assert (await desk.ask("delete", {"id": title.job_id}))["ok"]
    (kept,) = (await desk.ask("titles"))["titles"]
    assert (desk.root / kept["organized_to"]).exists()
    corrected = await desk.ask("review", {"id": title.id, "content_type": "movie"})
    await organize(desk)
    assert (desk.root / corrected["filename"]).exists()


async def test_cancelling_a_job_in_review_discards_its_file(desk: Desk) -> None:
    title = await desk.in_review()
    assert (await desk.ask("cancel", {"id": title.job_id}))["ok"]
    await organize(desk)
    assert not (desk.root / "Unsorted").exists()
    assert titles(await desk.ask("review")) == []


def test_a_download_is_reviewed_over_mqtt(
    service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    service.environment |= {
        "MEDIARIP__LIBRARY__ENABLED": "true",
        "MEDIARIP__LIBRARY__REVIEW_BELOW": "1",
    }
    service.start()
    job_id = client.download(media.url("/bytes/1000/tide.mp4"))
    client.wait_status(job_id, "review")
    (event,) = wait_for(lambda: client.events("review_needed"))
    assert (event["job"]["id"], event["reason"]) == (job_id, "low_confidence")
    wait_for(lambda: client.json("library").get("waiting") == 1)
    reply = client.request("review", id=event["title_id"], show="Tides", season=1, episode=1)
    client.wait_status(job_id, "completed")
    job = client.job(job_id)
    assert job["filename"] == reply["filename"]
    nfo = reply["filename"].replace(".mp4", ".nfo")
    shared = ["Shows/Tides/Season 01/season.nfo", "Shows/Tides/tvshow.nfo"]
    assert service.media() == sorted([reply["filename"], nfo, *shared])
    (organized,) = wait_for(lambda: client.events("organized"))
    assert organized["title"]["organized_to"] == reply["filename"]
    wait_for(lambda: client.json("library").get("newest"))
    library = client.json("library")
    assert (library["types"], library["newest"][0]["show"]) == ({"tv": 1}, "Tides")
    service.stop()
    del service.environment["MEDIARIP__LIBRARY__ENABLED"]
    service.start()
    wait_for(lambda: not client.kept("library"), 10, "the topic to be cleared")
