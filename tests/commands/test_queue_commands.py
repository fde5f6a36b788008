"""Pauses of the queue: a person's, and those that automations have named."""

from __future__ import annotations

import pytest

from mediarip_mqtt.commands.queue_commands import MAX_NAMED, is_pause
from tests.support.intake import Desk


async def held(desk: Desk) -> bool:
    """Return what the service reads from the store."""
    config = await desk.store.read(lambda tx: tx.config())
    return any(map(is_pause, config))


async def test_a_named_pause_ends_with_its_own_name_only(desk: Desk) -> None:
    await desk.ask("pause", {"by": "cinema"})
    await desk.ask("pause", {"by": "cinema"})  # as an automation that is triggered twice
    await desk.ask("pause", {"by": "backup"})
    assert (await desk.ask("resume", {"by": "cinema"}))["paused"] is True
    assert await held(desk)
    assert (await desk.ask("resume", {"by": "someone"}))["paused"] is True
    assert (await desk.ask("resume", {"by": "backup"}))["paused"] is False
    assert not await held(desk)


async def test_a_person_s_pause_outlives_that_of_an_automation(desk: Desk) -> None:
    await desk.ask("pause", {"by": "cinema"})
    await desk.ask("pause")
    await desk.ask("resume", {"by": "cinema"})
    assert await held(desk)


async def test_a_person_ends_every_pause(desk: Desk) -> None:
    await desk.ask("pause", {"by": "cinema"})
    await desk.ask("pause")
    assert (await desk.ask("resume"))["paused"] is False
    assert not await held(desk)


async def test_named_pauses_are_bounded(desk: Desk) -> None:
    for number in range(MAX_NAMED):
        assert (await desk.ask("pause", {"by": f"n{number}"}))["ok"]
    assert (await desk.ask("pause", {"by": "n0"}))["ok"]
    reply = await desk.ask("pause", {"by": "one more"})
    assert (reply["error"]["code"], reply["error"]["field"]) == ("queue_full", "by")
    assert (await desk.ask("pause"))["ok"]


@pytest.mark.parametrize("command", ["pause", "resume"])
@pytest.mark.parametrize("fields", [{"id": "last", "by": "a"}, {"by": ""}, {"by": "a\u202eb"}])
async def test_a_bad_name_is_refused(desk: Desk, command: str, fields: dict[str, str]) -> None:
    reply = await desk.ask(command, fields)
    assert (reply["error"]["code"], reply["error"]["field"]) == ("invalid_payload", "by")


async def test_a_pause_of_an_older_version_is_one(desk: Desk) -> None:
    await desk.store.write(lambda tx: tx.set_config("paused", "user", desk.context.clock()))
    assert await held(desk)
    assert (await desk.ask("resume", {"by": "cinema"}))["paused"] is True
    assert (await desk.ask("resume"))["paused"] is False
