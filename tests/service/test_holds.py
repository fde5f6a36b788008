"""Nothing new begins while there is a reason, and the strongest reason is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediarip_mqtt.commands.queue_commands import PAUSED_KEY
from mediarip_mqtt.contract.models import PauseReason, now
from mediarip_mqtt.service import holds as holds_module
from mediarip_mqtt.service.holds import PRECEDENCE, Holds
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.store import Changes, Store
from tests.support.recording import RecordingPublisher, RecordingRunner


@pytest.fixture
async def following(storage: Storage, holds: Holds) -> AsyncIterator[Holds]:
    """Holds that follow the commits of the store, as in the service."""
    storage.store.on_commit(holds.changed)
    task = asyncio.create_task(holds.run(), name="holds")
    yield holds
    task.cancel()
    await asyncio.wait({task})


async def pause(store: Store, value: str | None) -> None:
    """Commit a pause or resume as the command does."""
    await store.write(lambda tx: tx.set_config(PAUSED_KEY, value, now()))


async def until_held(runner: RecordingRunner, reason: PauseReason | None) -> None:
    async with asyncio.timeout(10):
        while runner.hold is not reason:
            await runner.woken.wait()
            runner.woken.clear()


def test_every_reason_has_its_place() -> None:
    assert set(PRECEDENCE) == set(PauseReason)


def test_the_strongest_reason_is_shown_and_each_weaker_one_after_it(
    holds: Holds, runner: RecordingRunner
) -> None:
    for reason in PauseReason:
        holds.set(reason, active=True)
    for reason in PRECEDENCE:
        assert (holds.reason, runner.hold) == (reason, reason)
        holds.set(reason, active=False)
    assert (holds.reason, runner.hold) == (None, None)


def test_a_change_wakes_the_runner_and_is_published_once(
    holds: Holds, runner: RecordingRunner, publisher: RecordingPublisher
) -> None:
    holds.set(PauseReason.DISK_LOW, active=True)
    holds.set(PauseReason.DISK_LOW, active=True)
    assert (runner.wakes, publisher.queue_changes) == (1, 1)
    holds.set(PauseReason.DISK_LOW, active=False)
    holds.set(PauseReason.DISK_LOW, active=False)
    assert (runner.wakes, publisher.queue_changes) == (2, 2)


async def test_a_pause_outlives_a_restart(
    storage: Storage, holds: Holds, runner: RecordingRunner
) -> None:
    await pause(storage.store, "1")
    assert runner.hold is None
    await holds.restore()
    assert runner.hold is PauseReason.USER


async def test_a_pause_holds_the_queue_once_it_is_committed_and_a_resume_lifts_it(
    storage: Storage, following: Holds, runner: RecordingRunner
) -> None:
    await pause(storage.store, "1")
    await until_held(runner, PauseReason.USER)
    await pause(storage.store, None)
    await until_held(runner, None)


async def test_a_pause_is_not_forgotten_while_the_store_can_t_be_read(
    storage: Storage,
    following: Holds,
    runner: RecordingRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holds_module, "STORE_RETRY", 0.01)

    def lose(changes: Changes) -> None:
        following.changed(changes)
        storage.lose("not mounted")

    storage.store.on_commit(lose)
    await pause(storage.store, "1")
    assert runner.hold is None
    await storage.reopen()
    await until_held(runner, PauseReason.USER)
