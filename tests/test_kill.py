"""Kills at random moments lose nothing and do nothing twice."""

from __future__ import annotations

import random
import sqlite3
import time

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

COMMANDS = 80


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_burst_of_commands_survives_kills_of_the_service(
    seed: int, service: Service, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    kills = sorted(chance.sample(range(5, COMMANDS), 4))
    for number in range(COMMANDS):
        url = media.url(f"/bytes/{2000 + number}/{number}.mp4")
        client.publish("command", {"url": url, "request_id": f"r{number}"})
        if number in kills:
            time.sleep(chance.uniform(0, 0.05))  # the moment of the kill is what is tried out
            service.kill()
            service.start(wait=False)
    wait_for(lambda: client.json("state").get("counts", {}).get("completed") == COMMANDS, 60)
    for number in range(COMMANDS):
        replies = client.replies(f"r{number}")
        assert replies, f"no reply to r{number}"
        assert len({reply["job_id"] for reply in replies}) == 1
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    rows = dict(store.execute("SELECT id, status FROM jobs").fetchall())
    store.close()
    assert len(rows) == COMMANDS
    wait_for(lambda: all(client.job(one).get("status") == rows[one] for one in rows), 5)
    assert len(service.media()) == COMMANDS
    assert not [name for name in service.media() if "(" in name]
    wait_for(lambda: not service.temporary(), 5)
