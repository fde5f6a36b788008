"""Measure the latency from a command to its retained `queued`, idle and under load, and memory.

Run from the repository: ``python -m scripts.measure``. It starts Mosquitto, a media server and the
service on loopback, and stops them at the end.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import psutil

from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.service import Service

COMMANDS = 200
DOWNLOADS = 3
LATER = "2999-01-01T00:00:00Z"


def latencies(client: Client, label: str) -> None:
    """Print p50 and p99 of the time from a command to its retained state."""
    arrived: dict[str, float] = {}
    seen = threading.Event()
    original = client._on_message  # noqa: SLF001 - measures the time of arrival

    def on_message(mqtt_client: object, userdata: object, message: object) -> None:
        topic = str(getattr(message, "topic", ""))
        if topic.endswith("/state") and "/job/" in topic:
            state = json.loads(getattr(message, "payload", b"") or b"{}")
            if state.get("request_id"):
                arrived.setdefault(state["request_id"], time.perf_counter())
                seen.set()
        original(mqtt_client, userdata, message)  # type: ignore[arg-type] # types of paho

    client._client.on_message = on_message  # noqa: SLF001 - the same
    milliseconds = []
    for number in range(COMMANDS):
        name = f"{label}-{number}"
        payload = {"url": "https://a.example/x", "request_id": name, "not_before": LATER}
        began = time.perf_counter()
        client.publish("command", payload, qos=0)
        wait_for(partial(arrived.get, name))
        milliseconds.append((arrived[name] - began) * 1000)
        time.sleep(0.01)
    milliseconds.sort()
    p50, p99 = statistics.median(milliseconds), milliseconds[int(len(milliseconds) * 0.99) - 1]
    print(f"{label}: command to retained queued p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        server = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.support.server", "--port", str(port)]
        )
        broker = Mosquitto(folder / "broker").start()
        client = Client(broker.port)
        service = Service(folder, broker.port).start()
        try:
            time.sleep(3)
            memory = psutil.Process(service.pid).memory_info().rss / 2**20
            print(f"idle: {memory:.0f} MiB resident")
            latencies(client, "idle")
            for number in range(DOWNLOADS):
                client.download(f"http://127.0.0.1:{port}/bytes/20000000000/{number}.mp4")
            wait_for(lambda: client.json("state").get("counts", {}).get("downloading") == DOWNLOADS)
            latencies(client, "three downloads at full speed")
            memory = psutil.Process(service.pid).memory_info().rss / 2**20
            print(f"three downloads: {memory:.0f} MiB resident")
        finally:
            service.kill()
            client.close()
            broker.stop()
            server.kill()


if __name__ == "__main__":
    main()
