"""A reply that is too large for the broker: fewer jobs, or an error that says what was done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarip_mqtt.commands.job_commands import ListedJobs
from mediarip_mqtt.commands.reply_size import shortened
from mediarip_mqtt.contract.models import Job, JobStatus, new_id, now
from mediarip_mqtt.contract.topics import dumps

LIMIT = 20_000


def reply(command: str, **values: Any) -> str:
    return dumps({"ok": True, "command": command, "request_id": "r1", **values})


def fits(payload: str, limit: int = LIMIT) -> dict[str, Any]:
    short = shortened(payload, limit)
    assert short is not None
    assert len(short.encode()) <= limit
    return dict(json.loads(short))


def test_a_list_ends_earlier_and_says_so() -> None:
    jobs = [
        Job(
            id=new_id(),
            session_id="default",
            url=f"https://videos.example/{number}",
            title="Überlänge 映画",
            status=JobStatus.COMPLETED,
            created_at=now(),
        )
        for number in range(100)
    ]
    short = fits(ListedJobs.of(jobs).to_json("list", "r1"))
    ListedJobs.model_validate(short)
    assert short["truncated"]
    assert 0 < short["count"] == len(short["jobs"]) < 100
    assert short["jobs"][0]["id"] == jobs[0].id
    assert short["request_id"] == "r1"
    one = len(jobs[0].model_dump_json())
    assert LIMIT - len(dumps(short).encode()) < 2 * one  # as many as fit


def test_of_many_ids_the_first_are_named_and_all_counted() -> None:
    ids = [new_id() for _ in range(1000)]
    short = fits(reply("cancel", job_ids=ids, count=1000))
    assert short["count"] == 1000
    assert short["job_ids"] == ids[: len(short["job_ids"])]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (reply("get", job_id="1", job={"title": "x" * LIMIT}), "Ask for less"),
        (reply("retry", job_id="1", job={"title": "x" * LIMIT}), "was carried out"),
        (reply("list", jobs=[{"title": "x" * LIMIT}], count=1), "Ask for less"),
        (
            dumps({"ok": False, "command": None, "request_id": None, "error": "x" * LIMIT}),
            "was refused",
        ),
    ],
)
def test_what_can_t_be_shortened_becomes_an_error(payload: str, said: str) -> None:
    short = fits(payload)
    assert short["error"]["code"] == "payload_too_large"
    assert said in short["error"]["message"]
    assert str(LIMIT) in short["error"]["message"]


def test_an_event_and_what_has_no_room_at_all_have_no_shorter_form() -> None:
    assert shortened(dumps({"event_id": "1", "text": "x" * LIMIT}), LIMIT) is None
    assert shortened(reply("list", jobs=[], count=0), 20) is None
