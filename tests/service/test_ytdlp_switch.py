"""A newer yt-dlp is switched to when no download runs and the volume is there."""

from __future__ import annotations

import asyncio

import pytest

from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.service.ytdlp_switch import YtdlpSwitch
from tests.support.recording import RecordingRunner


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def switch(
    storage: Storage, holds: Holds, runner: RecordingRunner, stop: asyncio.Event
) -> YtdlpSwitch:
    return YtdlpSwitch(storage, holds, runner.drain, stop)


async def test_nothing_new_begins_and_what_runs_ends_before_the_service_does(
    switch: YtdlpSwitch, runner: RecordingRunner, stop: asyncio.Event
) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(switch.run(), name="switch")
        assert runner.hold is None
        switch.request()
        await runner.draining.wait()
        assert runner.hold is PauseReason.UPDATING
        assert not stop.is_set()
        runner.idle.set()
        assert await running
    assert stop.is_set()


async def test_a_lost_volume_is_waited_for(
    switch: YtdlpSwitch, storage: Storage, runner: RecordingRunner, stop: asyncio.Event
) -> None:
    storage.lose("not mounted")
    runner.idle.set()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(switch.run(), name="switch")
        switch.request()
        await runner.draining.wait()
        await asyncio.sleep(0)
        assert not stop.is_set()
        await storage.reopen()
        storage.recovered()
        assert await running
    assert stop.is_set()
