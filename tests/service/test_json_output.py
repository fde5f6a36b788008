"""With `log.format: json` each line that the process or its children write is JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

NOISE = """
import asyncio, os, subprocess, sys, threading, warnings
from mediarip_mqtt.contract.settings import LogSettings
from mediarip_mqtt.service import logs
from mediarip_mqtt.service.json_output import json_alone
logs.configure(LogSettings(format="json"), secrets=["opensesame"])
async def forgotten():
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("nobody looked"))
with json_alone(stdout=True):
    print("printed by a library")
    warnings.warn("an old option", DeprecationWarning)
    ffmpeg = "printf 'frame=1\\\\rframe=2\\\\nhttps://me:opensesame@host/\\\\n' >&2"
    subprocess.run(["sh", "-c", ffmpeg])
    os.write(2, b"from C \\xff\\n")
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    asyncio.run(forgotten())
    class Bad:
        def __del__(self): raise ValueError("in __del__")
    Bad()
raise RuntimeError("uncaught at the end: opensesame")
"""


def entries(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_libraries_children_and_the_interpreter_write_becomes_part_of_the_log() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", NOISE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    log = entries(done.stderr)
    messages = [entry["message"] for entry in log]
    assert "opensesame" not in done.stderr
    for expected in ("printed by a library", "frame=2", "https://***@host/", "from C \\xff"):
        assert expected in messages
    assert any("an old option" in message for message in messages)
    tracebacks = "".join(entry.get("traceback", "") for entry in log)
    for error in ("ZeroDivisionError", "in __del__", "nobody looked", "uncaught at the end: ***"):
        assert error in tracebacks


@pytest.mark.slow
def test_the_service_writes_json_alone_from_its_start_to_its_end(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, fresh=True, LOG__FORMAT="json", LOG__LEVEL="debug")
    service.start()
    failed = client.download(media.url("/status/404/b.mp4"))
    client.wait_status(failed, "failed")
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    wait_for(lambda: "is up" in service.log)
    service.stop()
    messages = [entry["message"] for entry in entries(service.log)]
    assert any(message.startswith("mediarip-mqtt is up") for message in messages)
    assert any("ending" in message for message in messages)


@pytest.mark.parametrize("setting", ["MQTT__HOTS", "MQTT__PORT"])
def test_also_the_errors_that_end_it_are_json(tmp_path: Path, setting: str) -> None:
    service = Service(tmp_path, 1, fresh=True, LOG__FORMAT="json", **{setting: "nonsense"})
    service.start(wait=False)
    assert service.process.wait(30) == 2
    assert [entry["level"] for entry in entries(service.log)] == ["error"]
