"""The recurring work: lease, free space, backups, old replies; and a clock that is set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import JobStatus, PauseReason
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import PurgeSettings, Settings, StorageSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.service import free_space, recurring, upkeep
from mediarip_mqtt.service.clock_watch import ClockWatch
from mediarip_mqtt.service.free_space import FreeSpace
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.recurring import CronWork
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.service.upkeep import KEEP_REPLIES, Upkeep
from mediarip_mqtt.store import Store, Tx
from tests.support.recording import RecordingRunner

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Make = Callable[..., Upkeep]


class Clock:
    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def lost_lease() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def make(storage: Storage, holds: Holds, clock: Clock, lost_lease: asyncio.Event) -> Make:
    """Make the upkeep of a service with some settings of the sections `storage` and `purge`."""

    def made(purge: PurgeSettings | None = None, **settings: object) -> Upkeep:
        jobs = Jobs(Topics("mediarip"), Preferences(Settings()), clock=clock)
        root, store = storage.root, storage.store
        return Upkeep(
            storage,
            StorageSettings.model_validate(settings),
            Retention(store, jobs, purge or PurgeSettings(), root=root, clock=clock),
            FreeSpace(storage, holds, 0, clock),
            lost_lease=lost_lease.set,
            clock=clock,
        )

    return made


async def posted(store: Store) -> list[str]:
    """Return the types of the events that the store will send."""
    rows = await store.read(lambda tx: tx.outbox(limit=100))
    return [json.loads(row.payload)["event_type"] for row in rows]


def backups(storage: Storage) -> list[Path]:
    return sorted((storage.root / ".mediarip" / "backups").glob("store-2*.db"))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


# The lease


async def test_the_lease_is_renewed(make: Make, storage: Storage, clock: Clock) -> None:
    clock.time += timedelta(seconds=10)
    await make().renew_lease()
    lease = await storage.store.read(Tx.lease)
    assert lease is not None
    assert lease["heartbeat_at"] == "2026-01-02T03:04:15.000Z"


async def test_a_service_whose_store_another_one_took_over_ends(
    make: Make, storage: Storage, lost_lease: asyncio.Event
) -> None:
    await make().renew_lease()
    assert not lost_lease.is_set()
    await storage.store.write(lambda tx: tx.take_lease("other", "elsewhere", "boot", START))
    await make().renew_lease()
    assert lost_lease.is_set()


async def test_a_store_that_can_t_be_used_for_a_moment_ends_nothing(
    make: Make, storage: Storage, lost_lease: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    storage.store.suspend("not mounted")
    await make().renew_lease()
    assert not lost_lease.is_set()
    assert "the lease could not be renewed" in caplog.text


# Free space


class Disk:
    """A volume whose free space a test decides."""

    def __init__(self) -> None:
        self.free = 1000

    def usage(self, _: Path) -> tuple[int, int]:
        return self.free, 5000


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(free_space, "disk_usage", disk.usage)
    return disk


async def test_too_little_space_pauses_the_queue_with_one_event_and_more_resumes_it(
    storage: Storage, holds: Holds, runner: RecordingRunner, clock: Clock, disk: Disk
) -> None:
    space = FreeSpace(storage, holds, 500, clock)
    await space.measure()
    assert (space.free, space.total, runner.hold) == (1000, 5000, None)
    disk.free = 499
    await space.measure()
    await space.measure()
    assert (runner.hold, await posted(storage.store)) == (PauseReason.DISK_LOW, ["disk_low"])
    disk.free = 500
    await space.measure()
    assert (runner.hold, await posted(storage.store)) == (None, ["disk_low"])


async def test_a_full_volume_pauses_nothing_where_no_space_must_stay_free(
    storage: Storage, holds: Holds, runner: RecordingRunner, clock: Clock, disk: Disk
) -> None:
    disk.free = 0
    await FreeSpace(storage, holds, 0, clock).measure()
    assert runner.hold is None


# Backups


async def test_the_newest_backups_are_kept(make: Make, storage: Storage) -> None:
    one = make(backup_keep=2)
    await one.make_backup()
    first = backups(storage)
    await one.make_backup()
    await one.make_backup()
    assert len(backups(storage)) == 2
    assert not set(first) & set(backups(storage))


async def test_a_start_makes_a_backup_only_where_the_newest_one_is_old(
    make: Make, storage: Storage
) -> None:
    await make(backup_interval=1000).first_backup()
    await make(backup_interval=1000).first_backup()
    assert len(backups(storage)) == 1


# Replies and sessions


async def test_replies_are_kept_for_two_weeks(make: Make, storage: Storage, clock: Clock) -> None:
    store = storage.store
    await store.write(lambda tx: tx.remember_request("default", "old", "{}", START))
    later = START + timedelta(hours=1)
    await store.write(lambda tx: tx.remember_request("default", "new", "{}", later))
    clock.time = START + KEEP_REPLIES + timedelta(minutes=1)
    await make().forget_replies()
    assert await store.read(lambda tx: tx.reply_to_request("default", "old")) is None
    assert await store.read(lambda tx: tx.reply_to_request("default", "new")) == "{}"


# All of it


async def test_everything_runs_again_and_again_until_the_end(
    make: Make, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "HEARTBEAT", 0.01)
    running = asyncio.create_task(make(backup_interval=0.05).run(), name="upkeep")

    async def two_backups() -> bool:
        return len(backups(storage)) >= 2

    async def renewed() -> bool:
        lease = await storage.store.read(Tx.lease)
        return lease is not None and lease["heartbeat_at"] == "2026-01-02T04:04:05.000Z"

    await until(two_backups)
    clock.time += timedelta(hours=1)
    await until(renewed)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_a_lost_volume_is_left_alone(
    make: Make,
    storage: Storage,
    lost_lease: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    looked = asyncio.Event()
    monkeypatch.setattr(upkeep, "HEARTBEAT", 0.001)
    monkeypatch.setattr(upkeep, "MEMORY_INTERVAL", 0.01)  # needs no volume

    async def look() -> None:
        looked.set()

    monkeypatch.setattr(upkeep, "give_memory_back", look)
    storage.lose("not mounted")
    running = asyncio.create_task(make(backup_interval=0.001).run(), name="upkeep")
    async with asyncio.timeout(20):
        await looked.wait()
    running.cancel()
    await asyncio.wait({running})
    assert (backups(storage), lost_lease.is_set(), caplog.text) == ([], False, "")


async def test_work_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    calls, again = [0], asyncio.Event()

    async def fail() -> None:
        calls[0] += 1
        if calls[0] == 2:
            again.set()
        raise ValueError("no luck")

    running = asyncio.create_task(recurring.repeat("luck", fail, 0.001), name="luck")
    async with asyncio.timeout(10):
        await again.wait()
    running.cancel()
    await asyncio.wait({running})
    assert "upkeep: luck failed" in caplog.text


# A clock that is set


class Time:
    """A system clock beside a monotonic one."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 100.0

    def passes(self, seconds: float, jump: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall += seconds + jump


@pytest.mark.parametrize("jump", [3600, -3600, 400 * 86400, -400 * 86400])
async def test_retries_come_as_soon_as_before_the_clock_was_set(
    jump: float, storage: Storage
) -> None:
    store = storage.store
    jobs = Jobs(Topics("mediarip"), Preferences(Settings()), clock=lambda: START)
    url = "https://example.com/x"
    job = await store.write(lambda tx: jobs.add(tx, url, DownloadOptions(), session_id="default"))
    retry_at = START + timedelta(seconds=30)
    await store.write(
        lambda tx: tx.update(job.id, status=JobStatus.RETRYING, next_retry_at=retry_at)
    )
    time, jumps = Time(), list[float]()
    watch = ClockWatch(
        store, jumps.append, wall=lambda: time.wall, monotonic=lambda: time.monotonic
    )
    await watch.begin()
    time.passes(5)
    await watch.check()
    assert jumps == []
    time.passes(5, jump)
    await watch.check()
    time.passes(5)
    await watch.check()
    assert jumps == [jump]
    moved = await store.read(lambda tx: tx.job(job.id))
    assert moved is not None
    assert moved.next_retry_at == retry_at + timedelta(seconds=jump)


# Work by the clock

NIGHT = datetime(2026, 1, 2, 3, 59, 59, 950_000).astimezone()  # local time, as cron's is


class Night:
    """Work that is due at four, whose clock can be set."""

    def __init__(self) -> None:
        self.clock = Clock(NIGHT)
        self.ran: list[datetime] = []
        self.again = asyncio.Event()
        self.cron = CronWork("purge", self._work, "0 4 * * *", self.clock)

    async def _work(self) -> None:
        self.ran.append(self.clock.time)
        self.again.set()

    def set(self, time: datetime) -> None:
        jump = (time - self.clock.time).total_seconds()
        self.clock.time = time
        self.cron.clock_was_set(jump)

    async def run_again(self) -> None:
        async with asyncio.timeout(10):
            await self.again.wait()
        self.again.clear()


@pytest.fixture
async def night() -> AsyncIterator[Night]:
    night = Night()
    running = asyncio.create_task(night.cron.run(), name="purge")
    await asyncio.sleep(0)
    yield night
    running.cancel()
    await asyncio.wait({running})


async def test_work_is_done_at_its_time(night: Night) -> None:
    night.clock.time += timedelta(seconds=1)  # while the task waits for the rest of a second
    await night.run_again()
    assert night.ran == [NIGHT + timedelta(seconds=1)]


async def test_work_that_the_clock_was_set_past_is_done_once(night: Night) -> None:
    night.set(NIGHT + timedelta(minutes=5))
    await night.run_again()
    night.set(NIGHT)  # back again
    night.set(NIGHT + timedelta(minutes=5))
    night.set(NIGHT + timedelta(days=1, minutes=5))
    await night.run_again()
    assert [time.day for time in night.ran] == [2, 3]


async def test_work_that_was_missed_by_hours_waits_for_its_next_time(night: Night) -> None:
    night.set(NIGHT + timedelta(hours=5))
    await asyncio.sleep(0)
    night.set(NIGHT + timedelta(days=1, minutes=5))
    await night.run_again()
    assert [time.day for time in night.ran] == [3]


async def test_after_a_clock_that_was_far_off_is_set_right_work_is_done_the_next_night(
    night: Night,
) -> None:
    night.set(NIGHT - timedelta(days=400))
    night.set(NIGHT - timedelta(days=400) + timedelta(minutes=5))
    await night.run_again()
    assert len(night.ran) == 1
