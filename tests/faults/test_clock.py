"""The clock is set while the service runs: nothing fires twice, and nothing stalls.

The service runs under libfaketime, whose offset a file tells; monotonic time goes on as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.proxy import FreezingProxy
from tests.support.server import MediaServer
from tests.support.service import Service

LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/opt/homebrew/lib/faketime/libfaketime*")


def library() -> str:
    found = [one for pattern in LIBRARIES for one in Path("/").glob(pattern[1:])]
    if not found:
        pytest.fail("libfaketime is missing: `scripts/setup faults` installs it")
    return str(found[0])


class Clock:
    """Sets the clock of a service."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        self.path.write_text(f"{seconds:+d}\n")


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def network(mosquitto: Mosquitto) -> Iterator[FreezingProxy]:
    """Is between the service and the broker."""
    proxy = FreezingProxy(mosquitto.port).start()
    yield proxy
    proxy.stop()


@pytest.fixture
def timed(tmp_path: Path, network: FreezingProxy, clock: Clock) -> Iterator[Service]:
    service = Service(tmp_path, network.port, fresh=True, DOWNLOADS__RETRY_DELAY="4")
    service.environment |= {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    yield service.start()
    service.stop()


DAY = 86400


@pytest.mark.parametrize("jump", [-400 * DAY, -3600, 3600, 400 * DAY])
def test_a_retry_is_made_once_and_soon_whatever_the_clock_does(
    jump: int, client: Client, timed: Service, media: MediaServer, clock: Clock
) -> None:
    job_id = client.download(media.url("/flaky/1/503/clock/bytes/1000/a.mp4"))
    client.wait_status(job_id, "retrying")
    clock.set(jump)
    job = client.wait_status(job_id, "completed", "failed", timeout=40)
    assert job["status"] == "completed"
    assert job["attempt"] == 2
    wait_for(lambda: client.events("completed"))
    assert len(client.events("completed")) == 1
    assert timed.running


def test_a_job_for_later_begins_when_the_clock_says_so_and_once(
    client: Client, timed: Service, media: MediaServer, clock: Clock
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    job_id = client.download(media.url("/bytes/1000/a.mp4"), not_before=later)
    client.wait_status(client.download(media.url("/bytes/1000/b.mp4")), "completed")
    assert client.job(job_id)["status"] == "queued"
    clock.set(6 * 3600)
    client.wait_status(job_id, "completed", timeout=30)
    clock.set(0)  # back again, as over the end of daylight saving time where a clock is set by hand
    client.wait_status(client.download(media.url("/bytes/1000/c.mp4")), "completed")
    started = [one for one in client.events("started") if one["job"]["id"] == job_id]
    assert len(started) == 1
    assert timed.running


def test_the_lease_and_the_heartbeat_go_on_when_the_clock_is_set_back(
    client: Client, timed: Service, clock: Clock
) -> None:
    def heartbeat() -> str:
        store = sqlite3.connect(timed.root / ".mediarip" / "store.db")
        row = store.execute("SELECT heartbeat_at FROM lease").fetchone()
        store.close()
        return str(row[0])

    clock.set(-30 * DAY)
    wait_for(lambda: "the clock was set by" in timed.log, 20)
    first = heartbeat()
    wait_for(lambda: heartbeat() != first, 30, "the next heartbeat of the lease")
    uptime = client.json("state")["uptime"]
    wait_for(lambda: client.json("state")["uptime"] > uptime, 40, "the next heartbeat of `state`")
    assert 0 < client.json("state")["uptime"] < 3600


def test_after_an_hour_offline_the_queue_has_worked_on_and_kept_commands_arrive(
    client: Client, timed: Service, media: MediaServer, clock: Clock, network: FreezingProxy
) -> None:
    process = psutil.Process(timed.pid)
    for number in range(40):
        client.download(media.url(f"/slow/40000/bytes/20000/{number}.mp4"))
    before = process.memory_info().rss
    network.cut = True
    for number in range(40, 60):
        client.publish("command", media.url(f"/bytes/1000/{number}.mp4"))
    clock.set(3600)
    wait_for(lambda: "the clock was set by +3600 s" in timed.log, 30)
    wait_for(lambda: len(timed.media()) == 40, 60, "the queue to go on")
    assert process.memory_info().rss < before + 30 * 2**20
    network.cut = False
    wait_for(lambda: len(timed.media()) == 60, 90, "what the broker kept")
    wait_for(lambda: len({one["event_id"] for one in client.events("completed")}) == 60, 30)


@pytest.mark.parametrize("jump", [-200 * DAY, 200 * DAY])
def test_a_purge_removes_no_fresh_file_whatever_the_clock_said_and_says(
    jump: int, client: Client, timed: Service, media: MediaServer, clock: Clock
) -> None:
    clock.set(jump)
    wait_for(lambda: "the clock was set by" in timed.log, 20)
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")
    clock.set(0)
    wait_for(lambda: client.request("purge", dry_run=True)["ok"])
    assert client.request("purge", files=True)["count"] == 0
    assert client.request("purge", older_than=0, dry_run=True)["removed"] == [job_id]
    assert timed.media() == ["a.mp4"]
    today = datetime.now(UTC).date().isoformat()[:7]
    wait_for(lambda: client.job(job_id)["completed_at"].startswith(today), what="its true time")
    clock.set(-jump)  # wrong the other way
    assert client.request("purge", files=True)["count"] == 0
    assert timed.media() == ["a.mp4"]
