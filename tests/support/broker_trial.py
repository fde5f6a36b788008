"""One short scenario that a service goes through at any broker."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.support.broker import wait_for
from tests.support.other_brokers import OtherBroker
from tests.support.proxy import FreezingProxy
from tests.support.server import MediaServer
from tests.support.service import Service

VERSIONS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
SHORT: Final = 10.0  # seconds
LISTED: Final = 150  # jobs in the large reply


@dataclass(frozen=True)
class Outcome:
    """What became of one step; ``problem`` is empty if it went well."""

    step: str
    problem: str


class Watcher:
    """A client that records what it has subscribed to, usually all below the base topic."""

    def __init__(self, broker: OtherBroker, protocol: str, filters: Sequence[str] = ("#",)) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"watcher-{uuid.uuid4().hex[:8]}",
            protocol=VERSIONS[protocol],
            clean_session=None if protocol == "5" else True,
        )
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password)
        self._client.on_message = self._on_message
        wanted = [(f"mediarip/{one}", 1) for one in filters]
        self._client.on_connect = lambda client, *_: client.subscribe(wanted)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._ready.wait(SHORT), "the watcher's own connection"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str) -> None:
        self._client.publish(f"mediarip/{topic}", payload, 1).wait_for_publish(SHORT)

    def last(self, topic: str, *, retained: bool = False) -> str | None:
        """Return the last payload on a topic; ``retained``: only from before this client."""
        found = [
            payload
            for one, payload, flag in self.messages
            if one == f"mediarip/{topic}" and (flag or not retained)
        ]
        return found[-1] if found else None

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        request_id = uuid.uuid4().hex
        self.publish(f"command/{command}", json.dumps({"request_id": request_id, **fields}))
        return self.reply(request_id)

    def reply(self, request_id: str) -> dict[str, Any]:
        def find() -> str | None:
            replies = [text for topic, text, _ in self.messages if topic == "mediarip/response"]
            return next((text for text in replies if request_id in text), None)

        return dict(json.loads(wait_for(find, SHORT, "the reply") or ""))

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        text = message.payload.decode("utf-8", "replace")
        self.messages.append((message.topic, text, message.retain))


class Trial:
    """A service at one broker, with one version of MQTT."""

    def __init__(
        self, broker: OtherBroker, protocol: str, folder: Path, media: MediaServer
    ) -> None:
        self._broker = broker
        self._protocol = protocol
        self._media = media
        self._proxy = FreezingProxy(broker.port).start()
        self.service = _service(
            broker,
            folder,
            self._proxy.port,
            MQTT__PROTOCOL=protocol,
            HOMEASSISTANT__ENABLED="true",
        )
        self._watcher = Watcher(broker, protocol)
        self._job = ""

    def run(self) -> list[Outcome]:
        """Go through all steps; a step that fails does not end the trial."""
        steps: list[tuple[str, Callable[[], None]]] = [
            ("connects, and is `online`", self._start),
            ("command as plain text, and its reply", self._command),
            ("states are retained", self._retained),
            ("… and sent for a wildcard", self._retained_for_a_wildcard),
            ("progress", self._progress),
            ("cancel", self._cancel),
            ("a reply of 150 KB", self._large_reply),
            ("a command while the service is down", self._restart),
            ("reconnects after a cut", self._cut),
            ("`offline` after a crash", self._crash),
            ("cleared after `delete`", self._clear),
        ]
        try:
            return [Outcome(name, _problem(step)) for name, step in steps]
        finally:
            self._watcher.close()
            if self.service.running:
                self.service.stop()
            self._proxy.stop()

    def _start(self) -> None:
        self.service.start()
        wait_for(lambda: self._watcher.last("status") == "online", SHORT, "`online`")
        spoken = f"(MQTT {self._protocol})"
        assert spoken in self.service.log, f"not {spoken}"

    def _command(self) -> None:
        self._watcher.publish("command", self._media.url("/bytes/2000/a.mp4"))
        reply = json.loads(wait_for(lambda: self._watcher.last("response"), SHORT, "reply") or "")
        assert reply["ok"], reply
        self._job = reply["job_id"]
        wait_for(lambda: self._status(self._job) == "completed", 2 * SHORT, "the download")

    def _retained(self) -> None:
        topics = ("status", "info", "state", "jobs", f"job/{self._job}/state")
        self._sent_to(topics, topics)

    def _retained_for_a_wildcard(self) -> None:
        self._sent_to(("#",), ("status", f"job/{self._job}/state"))

    def _sent_to(self, filters: Sequence[str], topics: Sequence[str]) -> None:
        """Subscribe with a new client; fail unless it gets what is retained."""
        fresh = Watcher(self._broker, self._protocol, filters)
        try:
            for topic in topics:
                wait_for(partial(fresh.last, topic), SHORT / 2, topic)
                marked = fresh.last(topic, retained=True)
                assert marked, f"`{topic}` comes without the retain flag"
        finally:
            fresh.close()

    def _progress(self) -> None:
        self._job = self._slow_download()
        topic = f"job/{self._job}/progress"
        wait_for(
            lambda: json.loads(self._watcher.last(topic) or "{}").get("progress_percent", 0) > 0,
            2 * SHORT,
            "progress",
        )

    def _cancel(self) -> None:
        assert self._watcher.ask("cancel", id=self._job)["ok"]
        wait_for(lambda: self._status(self._job) == "cancelled", SHORT, "`cancelled`")

    def _large_reply(self) -> None:
        for part in range(3):
            jobs = [
                {
                    "url": f"https://videos.example/{part}-{number}?{'x' * 100}",
                    "title": "t" * 150,
                    "status": "completed",
                    "completed_at": "2026-01-02T03:04:05Z",
                }
                for number in range(LISTED // 3)
            ]
            assert self._watcher.ask("import", jobs=jobs)["ok"]
        reply = self._watcher.ask("list", limit=200)
        assert reply["ok"], reply["error"]["message"]
        assert not reply["truncated"], f"{reply['count']} jobs fit"

    def _restart(self) -> None:
        self.service.stop()
        wait_for(lambda: self._watcher.last("status") == "offline", SHORT, "`offline`")
        request_id = uuid.uuid4().hex
        self._watcher.publish("command/settings", json.dumps({"request_id": request_id}))
        self.service.start()
        assert self._watcher.reply(request_id)["ok"]

    def _cut(self) -> None:
        lines = self.service.log.count("reconnected to")
        self._proxy.cut = True
        time.sleep(1)
        self._proxy.cut = False
        wait_for(lambda: self.service.log.count("reconnected to") > lines, 2 * SHORT, "reconnect")
        assert self._watcher.ask("settings")["ok"]
        wait_for(lambda: self._watcher.last("status") == "online", SHORT, "`online`")

    def _crash(self) -> None:
        self.service.kill()
        wait_for(lambda: self._watcher.last("status") == "offline", SHORT, "`offline`")
        self.service.start()
        wait_for(lambda: self._watcher.last("status") == "online", SHORT, "`online`")

    def _clear(self) -> None:
        assert self._watcher.ask("delete", id=self._job)["ok"]
        wait_for(lambda: self._watcher.last(f"job/{self._job}/state") == "", SHORT, "empty state")
        topics = ("state", f"job/{self._job}/state")
        fresh = Watcher(self._broker, self._protocol, topics)
        try:
            wait_for(lambda: fresh.last("state"), SHORT, "`state`")
            assert fresh.last(f"job/{self._job}/state") is None, "the state stays retained"
        finally:
            fresh.close()

    def _slow_download(self) -> str:
        url = self._media.url("/slow/20000/bytes/2000000/slow.mp4")
        return str(self._watcher.ask("download", url=url)["job_id"])

    def _status(self, job_id: str) -> str | None:
        text = self._watcher.last(f"job/{job_id}/state")
        return json.loads(text)["status"] if text else None


def _problem(step: Callable[[], None]) -> str:
    try:
        step()
    except (AssertionError, KeyError, OSError, ValueError) as error:
        text = str(error).partition(": ")[2] if "timed out" in str(error) else str(error)
        return (text or type(error).__name__).splitlines()[0][:120]
    return ""


def _service(broker: OtherBroker, folder: Path, port: int, **settings: str) -> Service:
    if broker.username:
        settings |= {"MQTT__USERNAME": broker.username, "MQTT__PASSWORD": broker.password}
    return Service(folder, port, fresh=False, **settings)


def spoken_by_default(broker: OtherBroker, folder: Path) -> str:
    """Return the version of MQTT that a service with the default settings uses."""
    service = _service(broker, folder, broker.port)
    try:
        service.start(wait=False)
        wait_for(lambda: "connected to" in service.log, 90, "the service to connect")
        return service.log.rpartition("(MQTT ")[2].partition(")")[0]
    finally:
        service.stop()
