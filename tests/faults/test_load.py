"""Much at once, and much over time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest

from bench.soak import soak
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.service import Service

BURST = 10_000
LATER = "2999-01-01T00:00:00Z"


@pytest.mark.timeout(400)
def test_ten_thousand_commands_in_one_burst_are_all_queued_and_answered(
    tmp_path: Path,
) -> None:
    mosquitto = Mosquitto(tmp_path / "broker")
    mosquitto.persistence = False  # the tests' broker saves everything at each change
    client = Client(mosquitto.start().port)
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__QUEUE_LIMIT="20000").start()
    try:
        process = psutil.Process(service.pid)
        before = process.memory_info().rss
        for number in range(BURST):
            command = {"url": f"https://a.example/{number}", "not_before": LATER}
            client.publish("command", {"request_id": f"b{number}", **command}, wait=False)
        wait_for(lambda: client.json("state").get("counts", {}).get("queued") == BURST, 240)
        wait_for(lambda: len(client.payloads("response")) >= BURST, 60)
        replies = [json.loads(one) for one in client.payloads("response")]
        assert len({one["job_id"] for one in replies if one["ok"]}) == BURST
        grown = process.memory_info().rss - before
        assert grown < 100 * 2**20, f"{grown / 2**20:.0f} MiB"
        wait_for(lambda: len(_job_topics(client)) == BURST, 60, "every job's topic")
        # The service with a long queue is as quick as one without.
        began = time.monotonic()
        assert client.request("list", limit=1)["ok"]
        assert time.monotonic() - began < 5
        assert client.request("cancel", id="all", timeout=120)["count"] == BURST
        wait_for(lambda: client.json("state")["counts"].get("cancelled") == BURST, 60)
    finally:
        service.stop()
        client.close()
        mosquitto.stop()


def _job_topics(client: Client) -> list[str]:
    return [one for one in list(client.retained) if "/job/" in one and one.endswith("/state")]


@pytest.mark.timeout(300)
def test_what_the_service_holds_levels_off(tmp_path: Path) -> None:
    samples = soak(tmp_path, 75)
    warm, late = samples[: len(samples) // 2], samples[len(samples) // 2 :]
    assert len(warm) >= 2
    for one in late:
        assert one.threads <= max(sample.threads for sample in warm) + 2
        assert one.descriptors <= max(sample.descriptors for sample in warm) + 5
        assert one.sockets <= max(sample.sockets for sample in warm) + 2
    assert late[-1].memory < warm[-1].memory * 1.15
