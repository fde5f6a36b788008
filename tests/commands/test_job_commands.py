"""Commands about jobs that exist: which jobs they act on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediarip_mqtt.commands.context import Origin
from mediarip_mqtt.commands.job_commands import Delete
from mediarip_mqtt.commands.replies import ManyJobs, OneJob
from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.models import now
from tests.support.intake import Desk

ORIGIN = Origin(
    session_id="default",
    request_id=None,
    response_topic=None,
    correlation=None,
    mid=None,
    digest="",
    redelivered=False,
    at=now(),
)


async def delete(desk: Desk, command: Delete, emptied: frozenset[str] | None) -> object:
    """Do what is done in the transaction."""
    return await desk.store.write(lambda tx: command.run(tx, desk.context, ORIGIN, emptied))


async def test_delete_all_takes_no_job_that_ended_while_the_files_went(desk: Desk) -> None:
    """Its file would stay, and belong to nobody."""
    first, second = [await desk.ended(name) for name in ("a.mp4", "b.mp4")]
    everything = Delete(id="all", files=True)
    assert await delete(desk, everything, frozenset({first})) == ManyJobs(job_ids=[first], count=1)
    with pytest.raises(CommandError, match="just now"):
        await delete(desk, Delete(id=second, files=True), frozenset())
    third = await desk.ended("c.mp4")
    reply = await delete(desk, Delete(id="last", files=True), frozenset({second}))
    assert isinstance(reply, OneJob)
    assert reply.job_id == second
    assert [job.id for job in await desk.jobs()] == [third]


async def test_delete_prepares_only_the_files_of_the_jobs_that_it_may_take(desk: Desk) -> None:
    kept, gone, hers = [
        await desk.ended(name, session)
        for name, session in (("a.mp4", "default"), ("b.mp4", "default"), ("c.mp4", "alice"))
    ]
    assert (await desk.ask("keep", kept))["job"]["keep"] is True
    assert await Delete(id="all").prepare(desk.context, ORIGIN) is None
    assert desk.files() == ["a.mp4", "b.mp4", "c.mp4"]
    emptied = await Delete(id="all", files=True).prepare(desk.context, ORIGIN)
    assert emptied == frozenset({gone, hers})
    assert desk.files() == ["a.mp4"]
    other = replace(ORIGIN, session_id="nobody")
    assert await Delete(id=kept, files=True).prepare(desk.context, other) == frozenset({kept})


async def test_list_goes_on_before_a_job_and_get_returns_all(desk: Desk) -> None:
    ids = [await desk.ended(f"{name}.mp4") for name in "abc"]
    newest = (await desk.ask("list", {"limit": 1}))["jobs"]
    assert [job["id"] for job in newest] == ids[2:]
    rest = await desk.ask("list", {"before": newest[0]["id"], "status": "completed"})
    assert ([job["id"] for job in rest["jobs"]], rest["count"]) == (ids[1::-1], 2)
    everything = await desk.ask("get", "all")
    assert (everything["command"], everything["count"]) == ("get", 3)


async def test_clear_hides_finished_jobs_only(desk: Desk) -> None:
    done = await desk.ended("a.mp4")
    waiting = (await desk.ask("download", "https://videos.example/film"))["job_id"]
    assert (await desk.ask("clear", waiting))["error"]["code"] == "invalid_transition"
    assert (await desk.ask("clear", done))["count"] == 1
    assert (await desk.ask("clear"))["count"] == 0
