"""A real Mosquitto, and a client that records all messages."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

T = TypeVar("T")
PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port() -> int:
    """Return a port on which nothing listens.

    Never an ephemeral port: an outgoing connection could occupy it before a broker restarts, or a
    client that retries could connect to itself.
    """
    while True:
        port = random.randrange(10_000, 32_768)  # noqa: S311 - not a secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(condition: Callable[[], T], timeout: float = 60, what: str = "") -> T:
    """Return the condition's result once it is true; fail after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout} s: {what or condition}")
        time.sleep(0.01)


class Mosquitto:
    """A broker with persistence on a free port."""

    def __init__(self, folder: Path, extra: str = "", *, anonymous: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.extra = extra
        self.anonymous = anonymous
        self.persistence = True
        self.saves_each_change = True  # without it, a kill loses all changes since the start
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\n{self.extra}\n"
            f"allow_anonymous {str(self.anonymous).lower()}\n"
            "max_queued_messages 100000\nset_tcp_nodelay true\n"
        )
        if self.persistence:
            kept = f"persistence true\npersistence_location {self.folder}/\n"
            saved = "autosave_on_changes true\nautosave_interval 1\n"
            config.write_text(config.read_text() + kept + saved * self.saves_each_change)
        if Path("/root").exists() and self.folder.owner() == "root":
            config.write_text(f"user root\n{config.read_text()}")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(config)], stdout=log, stderr=log)
        wait_for(self._answers, what=f"mosquitto: {(self.folder / 'mosquitto.log').read_text()}")
        return self

    def stop(self) -> None:
        self._end(kill=False)

    def kill(self) -> None:
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def _without_nagle(_: paho.Client, __: Any, connection: Any) -> None:
    # Nagle's algorithm would delay a command by 40 ms after our own acknowledgements.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """Subscribes to everything below a base topic and records it; thread-safe."""

    def __init__(
        self, port: int, base: str = "mediarip", *, username: str | None = None, password: str = ""
    ) -> None:
        self.base = base
        self.retained: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        self._arrivals: list[float] = []  # of `messages`, by time.monotonic
        self._count = 0
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{uuid.uuid4().hex}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        if username:
            self._client.username_pw_set(username, password)
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.on_socket_open = _without_nagle
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        kept.SessionExpiryInterval = 3600  # messages published while it is offline arrive later
        self._client.connect("127.0.0.1", port, clean_start=False, properties=kept)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _on_connect(self, *_: Any) -> None:
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        self._client.subscribe([(f"{self.base}/#", options), ("reply/#", options)])

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload.decode("utf-8", "replace")
        with self._lock:
            self.messages.append((message.topic, payload))
            self._arrivals.append(time.monotonic())
            if message.retain and payload:
                self.retained[message.topic] = payload
            elif message.retain:
                self.retained.pop(message.topic, None)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self,
        topic: str,
        payload: str | bytes | dict[str, Any],
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
        wait: bool = True,
    ) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
        if response_topic:
            properties.ResponseTopic = response_topic
            properties.CorrelationData = correlation
        data = json.dumps(payload) if isinstance(payload, dict) else payload
        if wait:
            wait_for(self._client.is_connected, what="the test's own connection")
        info = self._client.publish(f"{self.base}/{topic}", data, qos, retain, properties)
        if wait:
            info.wait_for_publish(10)

    def request(self, command: str, timeout: float = 15, **fields: Any) -> dict[str, Any]:
        """Send a command with a new request id; return its reply."""
        self._count += 1
        request_id = fields.pop("request_id", f"{id(self)}-{self._count}")
        self.publish(f"command/{command}", {"request_id": request_id, **fields})
        return wait_for(lambda: self.replies(request_id), timeout, f"reply to {command}")[0]

    def replies(self, request_id: str) -> list[dict[str, Any]]:
        found = [json.loads(payload) for payload in self.payloads("response")]
        return [one for one in found if one["request_id"] == request_id]

    def payloads(self, topic: str) -> list[str]:
        with self._lock:
            return [payload for one, payload in self.messages if one == f"{self.base}/{topic}"]

    def arrivals(self, topic: str) -> list[tuple[float, str]]:
        """Return when the messages on a topic arrived, by `time.monotonic`, with their payloads."""
        with self._lock:
            pairs = zip(self._arrivals, self.messages, strict=True)
            return [(at, text) for at, (name, text) in pairs if name == f"{self.base}/{topic}"]

    def wait_count(self, topic: str, count: int) -> None:
        """Wait until ``count`` messages have arrived on a topic."""
        wait_for(lambda: len(self.payloads(topic)) >= count, what=f"message {count} on {topic}")

    def events(self, event_type: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(payload) for payload in self.payloads("event")]
        return [one for one in found if event_type in {None, one["event_type"]}]

    def kept(self, topic: str) -> str | None:
        with self._lock:
            return self.retained.get(f"{self.base}/{topic}")

    def json(self, topic: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kept(topic) or "{}")
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        return self.json(f"job/{job_id}/state")

    def wait_status(self, job_id: str, *statuses: str, timeout: float = 20) -> dict[str, Any]:
        """Wait until a job's retained state has one of the statuses; return it."""
        deadline = time.monotonic() + timeout
        while self.job(job_id).get("status") not in statuses:
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out waiting for {statuses}: {self.job(job_id)}")
            time.sleep(0.01)
        return self.job(job_id)

    def statuses(self, job_id: str) -> list[str]:
        """Return the job's published statuses in order, without repetitions."""
        seen: list[str] = []
        for payload in self.payloads(f"job/{job_id}/state"):
            status = json.loads(payload)["status"] if payload else "cleared"
            if seen[-1:] != [status]:
                seen.append(status)
        return seen

    def download(self, url: str, **fields: Any) -> str:
        """Send a download that must be accepted; return the job's id."""
        reply = self.request("download", url=url, **fields)
        assert reply["ok"], reply
        return str(reply["job_id"])
