"""Commands: how soon they are answered, alone, in a burst and beside downloads."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from statistics import median, quantiles

from bench.figure import Figure
from bench.rig import PATIENCE, Rig
from tests.support.broker import wait_for

SMALL = 1_000_000  # bytes
ENDLESS = 2**31 - 1
LATER = "2999-01-01T00:00:00Z"
SLOW = "2M"  # bytes a second of all downloads


def measure(rig: Rig, *, quick: bool) -> Iterator[Figure]:
    """Yield the figures of commands."""
    count = 20 if quick else 200
    idle: tuple[float, float] | None = None
    for name, downloads, settings in (
        ("alone", 0, {}),
        ("beside 3 downloads with a rate limit", 3, {"DOWNLOADS__RATE_LIMIT": SLOW}),
        ("beside 3 downloads at full speed", 3, {}),
    ):
        with rig.running(f"commands-{downloads}-{len(settings)}", **settings):
            for number in range(downloads):
                rig.client.download(rig.url(f"{ENDLESS}/endless{number}.mp4"))
            wait_for(partial(_downloading, rig, downloads))
            found = _latencies(rig, name, count)
        idle = idle or found
        for value, label, alone in zip(found, ("median", "99 of 100"), idle, strict=True):
            peer = "" if found is idle else "alone"
            text = f"command to retained `queued`, {name}: {label}"
            yield Figure(text, value, "ms", peer, alone if peer else 0.0)
    yield from _burst(rig, 10 if quick else 60)


def _downloading(rig: Rig, count: int) -> bool:
    counts = rig.client.json("state").get("counts", {})
    return bool(counts.get("downloading", 0) == count)


def _latencies(rig: Rig, name: str, count: int) -> tuple[float, float]:
    """Return median and 99th percentile of the time to the retained state, in milliseconds."""
    times = []
    for number in range(count):
        request_id = f"{name}-{number}"
        payload = {"url": "https://a.example/x", "request_id": request_id, "not_before": LATER}
        seen, began = len(rig.client.messages), time.perf_counter()
        rig.client.publish("command", payload, qos=0)
        while not _queued(rig, seen, request_id):
            time.sleep(0.0005)
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(0.01)
    return median(times), quantiles(times, n=100)[98]


def _queued(rig: Rig, seen: int, request_id: str) -> bool:
    return any(
        topic.endswith("/state") and f'"request_id":"{request_id}"' in payload.replace(": ", ":")
        for topic, payload in rig.client.messages[seen:]
    )


def _burst(rig: Rig, count: int) -> Iterator[Figure]:
    with rig.running("burst"):
        rig.download([rig.url(f"{SMALL}/warm.mp4")])
        before, began = rig.completed(), time.monotonic()
        for number in range(count):
            payload = {
                "url": rig.url(f"{SMALL}/burst{number}.mp4"),
                "request_id": f"burst-{number}",
            }
            rig.client.publish("command", payload, wait=False)
        wait_for(lambda: len(_answered(rig)) >= count, PATIENCE)
        wait_for(lambda: rig.completed() >= before + count, PATIENCE)
        done = time.monotonic() - began
        replies = [at - began for at in _answered(rig)]
    yield Figure(f"burst of {count}: reply, median", median(replies) * 1000, "ms")
    yield Figure(f"burst of {count}: all completed", done, "s")


def _answered(rig: Rig) -> list[float]:
    """Return when the replies to the burst arrived."""
    return [
        at
        for at, payload in rig.client.arrivals("response")
        if str(json.loads(payload)["request_id"]).startswith("burst-")
    ]
