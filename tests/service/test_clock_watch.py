"""The times in the store follow a clock that is set, also while the service does not run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.service.clock_watch import ClockWatch
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.store import Store
from tests.support.stores import insert, job

DAY = 86400.0
TRUE = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Machine:
    """The clocks of a machine, and services that run on it one after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.boot: str | None = "first"
        self.uptime = 100.0
        self.error = 0.0  # seconds that the system clock is ahead
        self.elapsed = 0.0  # of true time
        self.jumps: list[float] = []
        self.watch: ClockWatch | None = None

    @property
    def clock(self) -> datetime:
        return TRUE + timedelta(seconds=self.elapsed + self.error)

    @property
    def true(self) -> datetime:
        return TRUE + timedelta(seconds=self.elapsed)

    def passes(self, seconds: float) -> None:
        self.elapsed += seconds
        self.uptime += seconds

    def reboot(self, name: str, error: float) -> None:
        self.boot, self.uptime, self.error = name, 10.0, error

    async def start(self) -> None:
        self.watch = ClockWatch(
            self.store,
            self.jumps.append,
            wall=lambda: self.clock.timestamp(),  # noqa: PLW0108 - the clock moves
            monotonic=lambda: self.uptime,
            boot=lambda: self.boot,
        )
        await self.watch.begin()

    async def download(self, number: int) -> None:
        begun = self.clock
        self.passes(60)
        fields = {"status": JobStatus.COMPLETED, "attempt": 1, "completed_at": self.clock}
        await insert(self.store, job(number, created_at=begun, started_at=begun, **fields))

    async def job(self, number: int) -> Job:
        found = await self.store.read(lambda tx: tx.job(job(number).id))
        assert found is not None
        return found


@pytest.fixture
def machine(storage: Storage) -> Machine:
    return Machine(storage.store)


def near(moment: datetime | None, other: datetime) -> bool:
    assert moment is not None
    return abs((moment - other).total_seconds()) < 10


@pytest.mark.parametrize("error", [-150 * DAY, 400 * DAY, -7200])
@pytest.mark.parametrize("running", [True, False])
async def test_a_job_that_ended_under_a_wrong_clock_has_its_true_time_once_it_is_set(
    error: float,
    running: bool,  # noqa: FBT001 - a parameter of the test
    machine: Machine,
) -> None:
    await machine.start()
    await machine.download(1)
    first = machine.true
    machine.reboot("second", error)
    machine.passes(3600)
    await machine.start()
    await machine.download(2)
    second = machine.true
    machine.passes(300)
    machine.error = 0
    if running:
        assert machine.watch
        await machine.watch.check()
        assert machine.jumps == [-error]
    else:
        await machine.start()
    assert near((await machine.job(2)).completed_at, second)
    assert near((await machine.job(1)).completed_at, first)
    newest = await machine.store.read(lambda tx: tx.finished(None, 1))
    assert newest[0].id == job(2).id


async def test_a_clock_that_is_ahead_for_a_while_makes_no_job_of_this_run_old(
    machine: Machine,
) -> None:
    await machine.start()
    await machine.download(1)
    true = machine.true
    for error in (900 * DAY, 0, -20 * DAY, 0):
        machine.error = error
        assert machine.watch
        await machine.watch.check()
        age = machine.clock - ((await machine.job(1)).completed_at or true)
        assert timedelta(0) <= age < timedelta(minutes=1)
    assert near((await machine.job(1)).completed_at, true)


@pytest.mark.parametrize("boot", ["third", None])
async def test_a_job_older_than_the_store_s_own_past_counts_from_when_that_is_noticed(
    boot: str | None, machine: Machine
) -> None:
    """OctoPrint/OctoPrint#3266: after a power cut, a Pi's times are before those of the last run.

    The clock is set while the machine starts anew: by how much it was wrong is unknown.
    """
    await machine.start()
    await machine.download(1)
    machine.reboot("second", -150 * DAY)
    machine.passes(3600)
    await machine.start()
    await machine.download(2)
    assert (await machine.job(2)).completed_at == machine.clock
    machine.reboot(boot or "", 0)
    machine.boot = boot
    machine.passes(40 * DAY)
    await machine.start()
    assert near((await machine.job(2)).completed_at, machine.true)
    newest = await machine.store.read(lambda tx: tx.finished(None, 1))
    assert newest[0].id == job(2).id
