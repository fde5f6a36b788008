"""Memory, messages, a cancel, and a store with a long history."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil

from bench.figure import Figure
from bench.rig import Rig
from tests.support.broker import wait_for
from tests.support.service import Service

SMALL = 1_000_000  # bytes
ENDLESS = 2**31 - 1
OWN = ("state", "progress", "response", "event", "jobs", "now", "finished", "failed")


def measure(rig: Rig, *, quick: bool) -> Iterator[Figure]:
    """Yield the figures of the service's size and of what a job costs."""
    count = 10 if quick else 100
    with rig.running("footprint") as service:
        wait_for(lambda: rig.client.kept("status") == "online")
        yield Figure("memory, idle", _memory(service), "MiB")
        rig.download([rig.url(f"{SMALL}/warm.mp4")])
        seen = len(rig.client.messages)
        for number in range(count):
            rig.download([rig.url(f"{SMALL}/one{number}.mp4")])
        sent = [topic for topic, _ in rig.client.messages[seen:] if topic.split("/")[-1] in OWN]
        yield Figure("MQTT messages for a small job", len(sent) / count, "")
        yield Figure(f"memory after {count} jobs", _memory(service), "MiB")
        yield Figure("cancel to the last byte", _cancel(rig, service), "ms")


def _memory(service: Service) -> float:
    return float(psutil.Process(service.pid).memory_info().rss / 2**20)


def _cancel(rig: Rig, service: Service) -> float:
    """Return the milliseconds from a cancel to the end of the growth of the file."""
    job_id = rig.client.download(rig.url(f"{ENDLESS}/cancelled.mp4"))
    wait_for(lambda: service.largest_temporary() > 10 * SMALL)
    connections = psutil.Process(service.pid)
    began = time.perf_counter()
    rig.client.publish("command/cancel", {"id": job_id}, qos=0, wait=False)
    while any(one.raddr and one.raddr.port == rig.port for one in connections.net_connections()):
        time.sleep(0.0002)
    return (time.perf_counter() - began) * 1000
