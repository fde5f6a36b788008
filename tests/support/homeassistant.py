"""A real Home Assistant, onboarded and connected to a broker, and a client for it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from scripts.homeassistant import Installation
from tests.support.broker import free_port, wait_for

CONFIGURATION = """\
homeassistant: {{name: Test, unit_system: metric, country: NL, language: en, time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
websocket_api:
frontend:
config:
history:
recorder: {{commit_interval: 1}}
system_log:
logger: {{default: warning}}
automation: !include automations.yaml
script: !include scripts.yaml
"""
START_TIME = 180  # seconds; a first start compiles
LEVELS = re.compile(r" (WARNING|ERROR|CRITICAL) ")


class HomeAssistant:
    """One instance with a configuration folder of its own."""

    def __init__(
        self,
        installation: Installation,
        folder: Path,
        broker_port: int,
        *,
        protocol: str = "5",
        username: str = "",
        password: str = "",
    ) -> None:
        self.version = installation.version
        self.folder = folder
        self.url = ""
        self.token = ""
        self._installation = installation
        self._port = free_port()
        self._broker: dict[str, Any] = {"broker": "127.0.0.1", "port": broker_port}
        if username:
            self._broker |= {"username": username, "password": password}
        self._protocol = protocol
        self._process: subprocess.Popen[bytes] | None = None

    # Life

    def start(self) -> HomeAssistant:
        """Start it; onboard it and connect it to the broker at the first time."""
        first = not (self.folder / "configuration.yaml").exists()
        if first:
            self._configure()
        self.url = f"http://127.0.0.1:{self._port}"
        command = self._installation.command(
            "hass", "--config", str(self.folder), "--log-no-color", shared=self.folder
        )
        with (self.folder / "hass.out").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._installation.environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, START_TIME, "Home Assistant's web server")
        if first:
            self._onboard()
        wait_for(self._running, START_TIME, "Home Assistant to run")
        if first:
            self._connect()
        wait_for(lambda: self._entry().get("state") == "loaded", 60, "its MQTT integration")
        return self

    def stop(self) -> None:
        """End it and all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _configure(self) -> None:
        (self.folder / ".storage").mkdir(parents=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self._port))
        (self.folder / "automations.yaml").write_text("[]\n")
        (self.folder / "scripts.yaml").write_text("{}\n")
        # The later steps of the onboarding would fetch weather and radio stations.
        done = {"done": ["core_config", "analytics", "integration"]}
        (self.folder / ".storage" / "onboarding").write_text(
            json.dumps({"version": 4, "minor_version": 1, "key": "onboarding", "data": done})
        )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Home Assistant ended:\n{self.log()[-3000:]}")
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/manifest.json", timeout=3).ok
        return False

    def _running(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return bool(self.get("/api/config")["state"] == "RUNNING")
        return False

    def _onboard(self) -> None:
        client = f"{self.url}/"
        user = {"name": "Admin", "username": "admin", "password": "test-only", "language": "en"}
        # The page is there before the first step can be taken.
        code = wait_for(
            lambda: (
                self._send("POST", "/api/onboarding/users", json={"client_id": client, **user})
                .json()
                .get("auth_code")
            ),
            30,
        )
        grant = {"grant_type": "authorization_code", "code": code, "client_id": client}
        self.token = self._send("POST", "/auth/token", data=grant).json()["access_token"]
        self.token = self.command("auth/long_lived_access_token", client_name="tests", lifespan=30)
        with contextlib.suppress(AssertionError):
            # Newer versions import `http:` for five minutes only, unless it is confirmed.
            self.command("http/config/promote")

    def _connect(self) -> None:
        """Go through the dialog of the MQTT integration, as a person does."""
        path = "/api/config/config_entries/flow"
        step = self.post(path, {"handler": "mqtt", "show_advanced_options": True})
        for _ in range(3):
            if step["type"] == "create_entry":
                return
            assert not step.get("errors"), step
            names = {one["name"] for one in step["data_schema"]}
            answer = dict(self._broker)
            if "protocol" in names:
                answer["protocol"] = self._protocol
            more = {"set_client_cert": False, "set_ca_cert": "off"}
            if "other_settings" in names:
                answer["other_settings"] = more
            elif "set_ca_cert" in names:
                answer |= more
            step = self.post(f"{path}/{step['flow_id']}", answer)
        raise AssertionError(f"the MQTT integration could not be set up: {step}")

    def _entry(self) -> dict[str, Any]:
        entries = self.get("/api/config/config_entries/entry?domain=mqtt")
        return dict(entries[0]) if entries else {}

    # REST

    def _send(self, method: str, path: str, **content: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **content)

    def get(self, path: str) -> Any:
        answer = self._send("GET", path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, content: Any) -> Any:
        answer = self._send("POST", path, json=content)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def picture(self, path: str) -> bytes:
        answer = self._send("GET", path)
        answer.raise_for_status()
        return answer.content

    def states(self) -> dict[str, dict[str, Any]]:
        return {one["entity_id"]: one for one in self.get("/api/states")}

    def state(self, entity_id: str) -> dict[str, Any]:
        """Return an entity's state and attributes; empty where it is not there."""
        answer = self._send("GET", f"/api/states/{entity_id}")
        return dict(answer.json()) if answer.ok else {}

    def call(self, action: str, **content: Any) -> Any:
        """Run an action (a service); raise where it fails."""
        return self.post(f"/api/services/{action.replace('.', '/', 1)}", content)

    def wait(self, entity_id: str, state: str, timeout: float = 20) -> dict[str, Any]:
        """Wait until an entity has a state; return it."""
        deadline = time.monotonic() + timeout
        while (found := self.state(entity_id)).get("state") != state:
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {entity_id} to be {state!r}: {found}")
            time.sleep(0.05)
        return found

    def add_automation(self, name: str, **content: Any) -> None:
        self.post(f"/api/config/automation/config/{name}", {"alias": name, **content})
        wait_for(lambda: self.state(f"automation.{name}"), what=f"automation {name}")

    def add_script(self, name: str, **content: Any) -> None:
        self.post(f"/api/config/script/config/{name}", {"alias": name, **content})
        wait_for(lambda: self.state(f"script.{name}"), what=f"script {name}")

    # WebSocket

    @contextmanager
    def _socket(self) -> Iterator[Connection]:
        address = self.url.replace("http", "ws", 1) + "/api/websocket"
        with connect(address, max_size=None) as socket:
            assert json.loads(socket.recv())["type"] == "auth_required"
            socket.send(json.dumps({"type": "auth", "access_token": self.token}))
            assert json.loads(socket.recv())["type"] == "auth_ok"
            yield socket

    def command(self, kind: str, **content: Any) -> Any:
        """Send one command of the WebSocket API; return its result."""
        with self._socket() as socket:
            socket.send(json.dumps({"id": 1, "type": kind, **content}))
            answer = json.loads(socket.recv(60))
            assert answer["success"], f"{kind}: {answer.get('error')}"
            return answer["result"]

    def entities(self, node_id: str = "mediarip") -> dict[str, str]:
        """Return a device's entities: key (the unique id without the node id) to entity id."""
        prefix = f"{node_id}_"
        found = self.command("config/entity_registry/list")
        return {
            one["unique_id"].removeprefix(prefix): one["entity_id"]
            for one in found
            if one["platform"] == "mqtt" and one["unique_id"].startswith(prefix)
        }

    def device(self, name: str = "mediarip") -> dict[str, Any]:
        """Return the device of a name; empty where there is none."""
        found = self.command("config/device_registry/list")
        return next((one for one in found if one["name"] == name), {})

    def triggers(self, device_id: str) -> set[str]:
        """Return the subtypes of a device's MQTT triggers."""
        found = self.command("device_automation/trigger/list", device_id=device_id)
        return {one["subtype"] for one in found if one["domain"] == "mqtt"}

    # Files

    def log(self) -> str:
        path = self.folder / "hass.out"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def complaints(self, about: str = "mediarip|mqtt") -> list[str]:
        """Return the warnings and errors of the log that name something."""
        wanted = re.compile(about, re.IGNORECASE)
        return [
            line for line in self.log().splitlines() if LEVELS.search(line) and wanted.search(line)
        ]

    def rows(self, entity_ids: list[str]) -> dict[str, int]:
        """Return how many rows the recorder holds of each entity's states."""
        marks = ", ".join("?" * len(entity_ids))
        database = sqlite3.connect(f"file:{self.folder / 'home-assistant_v2.db'}?mode=ro", uri=True)
        try:
            return dict(
                database.execute(
                    "SELECT m.entity_id, count(*) FROM states s JOIN states_meta m "  # noqa: S608 - question marks
                    f"ON m.metadata_id = s.metadata_id WHERE m.entity_id IN ({marks}) "
                    "GROUP BY m.entity_id",
                    entity_ids,
                ).fetchall()
            )
        finally:
            database.close()
