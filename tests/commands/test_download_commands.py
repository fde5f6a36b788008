"""`download` and `probe`: the job that is added, and a probe's answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.commands.download_commands import answer_probe
from mediarip_mqtt.contract.errors import CommandError, ErrorCode, MediaripError
from mediarip_mqtt.contract.models import FormatInfo, MediaInfo, now
from mediarip_mqtt.contract.runtime_settings import PREFIX
from mediarip_mqtt.store import Tx
from tests.support.intake import Desk, Sent

URL = "https://videos.example/film"
FOUND = MediaInfo(url="https://cdn.example/1", title="A film", formats=(FormatInfo(format_id="1"),))


@pytest.mark.parametrize(
    ("chosen", "preset", "quality"),
    [
        ({}, "best", "720p"),  # the defaults
        ({"quality": 1080}, None, "1080"),
        ({"preset": "480p"}, "480p", None),
        ({"format_id": "22"}, None, None),
    ],
)
async def test_the_defaults_hold_where_a_sender_chooses_no_format(
    chosen: dict[str, Any], preset: str | None, quality: str | None, desk: Desk
) -> None:
    desk.preferences.restore({f"{PREFIX}default_quality": '"720p"'})
    job = (await desk.ask("download", {"url": URL, **chosen}))["job"]
    assert (job["preset"], job["quality"]) == (preset, quality)


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("ytsearch1:", "ytsearch1:two words"),
        ("https://s.example/?q=", "https://s.example/?q=two+words"),
    ],
)
async def test_words_are_searched_for_as_the_setting_says(
    prefix: str, url: str, tmp_path: Path
) -> None:
    desk = await Desk(tmp_path, downloads={"search_prefix": prefix}).open()
    assert (await desk.ask("download", "two words"))["job"]["url"] == url
    await desk.close()


async def answer(desk: Desk, found: MediaInfo | MediaripError) -> list[Sent]:
    """Answer the probe that waits, as `jobs.probes` does; return the replies."""

    def end(tx: Tx) -> None:
        (probe,) = tx.probes()
        tx.end_probe(probe.id)
        partial(answer_probe, desk.topics, now)(tx, probe, found)

    await desk.store.write(end)
    return await desk.replies()


async def test_a_probe_is_answered_where_it_was_asked_and_remembered(desk: Desk) -> None:
    asked: dict[str, Any] = {"response_topic": "me/answers", "correlation": b"c"}
    assert await desk.send("command/probe", {"url": URL, "request_id": "p"}, **asked) == []
    here, there = await answer(desk, FOUND)
    assert (there.topic, there.correlation, there.payload) == ("me/answers", b"c", here.payload)
    head = {"ok": True, "command": "probe", "request_id": "p"}
    assert here.reply == head | FOUND.model_dump(mode="json") | {"url": URL}
    (again,) = await desk.send("command/probe", {"url": URL, "request_id": "p"})
    assert again.payload == here.payload
    assert await desk.store.read(lambda tx: tx.probes()) == []


async def test_a_page_that_can_t_be_read_is_a_probe_s_refusal(desk: Desk) -> None:
    assert await desk.send("command/probe", URL) == []
    (sent,) = await answer(desk, CommandError(ErrorCode.NOT_FOUND, "There is no such page."))
    assert sent.reply == {
        "ok": False,
        "command": "probe",
        "request_id": None,
        "error": {"code": "not_found", "message": "There is no such page.", "field": None},
    }


async def test_the_probes_that_wait_have_a_limit_for_a_session_and_for_all(
    isolated: Desk,
) -> None:
    for number in range(10):
        assert await isolated.send("session/alice/command/probe", f"{URL}/{number}") == []
    (sent,) = await isolated.send("session/alice/command/probe", URL)
    assert sent.error["code"] == "queue_full"
    for number in range(90):
        assert await isolated.send("command/probe", f"{URL}/{number}") == []
    (sent,) = await isolated.send("command/probe", URL)
    assert sent.error["code"] == "queue_full"
