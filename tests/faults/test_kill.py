"""Kills at any moment: nothing accepted is lost, nothing is done twice, nothing half is left."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from functools import partial
from pathlib import Path

import pytest

from mediarip_mqtt.fault_points import Point
from mediarip_mqtt.store.migrations import migrations
from tests.support.broker import Client, wait_for
from tests.support.faulty import EACH, freeze, kill, program
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service

BURST = 200
KILLED_AT: tuple[Point, ...] = (
    "command-received",
    "before-ack",
    "before-job-state",
    "before-send",
    "before-forget-sent",
    "mid-download",
    "extract-committed",
    "download-committed",
    "place-committed",
    "before-move",
    "before-completion",
)


def check_nothing_lost(
    service: Service, client: Client, count: int, *, seconds: float = 240
) -> None:
    """One job, one file and one answer a command; the broker says what the store says."""
    done = lambda: client.json("state").get("counts", {}).get("completed") == count  # noqa: E731 - read at once
    wait_for(done, seconds, f"{count} downloads")
    for number in range(count):
        replies = wait_for(lambda wanted=f"r{number}": client.replies(wanted))  # type: ignore[misc] # bound in the loop
        assert len({reply["job_id"] for reply in replies}) == 1
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    rows = dict(store.execute("SELECT id, status FROM jobs").fetchall())
    names = [row[0] for row in store.execute("SELECT filename FROM jobs")]
    store.close()
    assert len(rows) == count
    wait_for(lambda: all(client.job(one).get("status") == rows[one] for one in rows), 5)
    assert {topic.split("/")[2] for topic in list(client.retained) if "/job/" in topic} == set(rows)
    assert sorted(names) == service.media()
    assert not [name for name in names if "(" in name]  # no second copy
    for number in range(count):
        content = (service.root / f"{number}.mp4").read_bytes()
        assert content == made_up(0, 2000 + number)
    wait_for(lambda: not service.temporary(), 5)


def publish(client: Client, media: MediaServer, number: int) -> None:
    url = media.url(f"/bytes/{2000 + number}/{number}.mp4")
    client.publish("command", {"url": url, "request_id": f"r{number}"})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_burst_of_commands_survives_kills_at_random_moments(
    seed: int, service: Service, client: Client, media: MediaServer
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    kills = sorted(chance.sample(range(5, BURST), 5))
    for number in range(BURST):
        publish(client, media, number)
        if number in kills:
            time.sleep(chance.uniform(0, 0.1))  # the moment of the kill is what is tried out
            service.kill()
            service.start(wait=False)
    check_nothing_lost(service, client, BURST)


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("point", KILLED_AT)
def test_a_kill_at_a_named_point_loses_nothing_and_repeats_nothing(
    point: Point, count: int, service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    own, service.program = service.program, program(kill(point, count))
    service.start(wait=False)
    for number in range(20):
        publish(client, media, number)
    wait_for(lambda: not service.running, 30, "the kill")
    service.program = own
    service.start(wait=False)
    check_nothing_lost(service, client, 20)


@pytest.mark.parametrize(
    ("point", "requests"),
    [
        ("extract-committed", 1),  # the page again, as its URLs are not kept, and the file
        ("download-committed", 0),
        ("place-committed", 0),
        ("before-move", 0),
        ("before-completion", 0),
    ],
)
def test_a_kill_behind_a_step_repeats_no_step_that_was_finished(
    point: Point, requests: int, service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    own, service.program = service.program, program(kill(point))
    service.start(wait=False)
    publish(client, media, 0)
    wait_for(lambda: not service.running, 30, "the kill")
    first = len(media.requests)
    service.program = own
    service.start(wait=False)
    check_nothing_lost(service, client, 1)
    again = [request.path for request in media.requests[first:]]
    assert len(again) == (2 if requests else 0), again
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    assert store.execute("SELECT count(*) FROM checkpoints").fetchone()[0] == 0
    store.close()


def test_downloads_go_on_where_they_were_and_their_progress_never_falls(
    service: Service, client: Client, media: MediaServer
) -> None:
    size = 4_000_000
    job_id = client.download(media.url(f"/slow/500000/bytes/{size}/x.mp4"))
    for part in (0.15, 0.4, 0.7):
        wait_for(partial(_arrived, service, part * size))
        service.kill()
        service.start(wait=False)
    assert client.wait_status(job_id, "completed", "failed", timeout=40)["status"] == "completed"
    assert len(media.ranges("x.mp4")) >= 3
    assert (service.root / "x.mp4").read_bytes() == made_up(0, size)
    _assert_never_falls(client, job_id)


def test_progress_that_was_told_is_in_the_store_also_where_that_is_slow(
    service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    own = service.program
    slow_disk = freeze("before-progress-commit", EACH, seconds=0.4)
    service.program = program(slow_disk, kill("before-progress-commit", 5))
    service.start()
    job_id = client.download(media.url("/slow/500000/bytes/4000000/x.mp4"))
    wait_for(lambda: not service.running, 30, "the kill")
    service.program = own
    service.start(wait=False)
    assert client.wait_status(job_id, "completed", "failed", timeout=40)["status"] == "completed"
    _assert_never_falls(client, job_id)


def _assert_never_falls(client: Client, job_id: str) -> None:
    shown = [json.loads(one) for one in client.payloads(f"job/{job_id}/progress") if one]
    percents = [one["progress_percent"] for one in shown]
    assert len(percents) > 5
    assert percents == sorted(percents)


def _arrived(service: Service, least: float) -> bool:
    return service.largest_temporary() > least


@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.75, 0.95])
def test_a_kill_in_mid_migration_leaves_a_store_that_the_next_start_upgrades(
    share: float,
    service: Service,
    client: Client,
    media: MediaServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")
    service.stop()
    path = service.root / ".mediarip" / "store.db"
    _downgrade(path)
    own = service.program
    count = max(1, round(share * _length_of_migration(path, tmp_path / "copy.db")))
    service.program = program(kill("migration-statement", count))
    service.start(wait=False)
    wait_for(lambda: not service.running, 30, "the kill")
    service.program = own
    service.start()
    assert client.request("get", id=job_id)["job"]["filename"] == "a.mp4"
    store = sqlite3.connect(path)
    assert store.execute("PRAGMA user_version").fetchone()[0] == migrations()[-1][0]
    assert store.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    store.close()


def _length_of_migration(path: Path, copy: Path) -> int:
    """Return how many statements the upgrade has."""
    shutil.copy(path, copy)
    connection = sqlite3.connect(copy, isolation_level=None)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    for number, script in migrations()[1:]:
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
    connection.close()
    return len(statements)


def _downgrade(path: Path) -> None:
    """Make of a store one of version 1 with the same jobs."""
    old = sqlite3.connect(path)
    old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    first = sqlite3.connect(path.with_name("first.db"))
    first.executescript(migrations()[0][1] + "PRAGMA user_version=1;")
    for table in ("sessions", "jobs"):
        names = [row[1] for row in first.execute(f"PRAGMA table_info({table})")]
        columns = ", ".join(names)
        marks = ", ".join("?" * len(names))
        rows = old.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - our own names
        first.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 - the same
    first.commit()
    first.close()
    old.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.with_name("first.db").replace(path)
