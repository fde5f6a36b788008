"""A real Home Assistant, onboarded and connected to a broker, and a client for it."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from scripts.homeassistant import Installation
from tests.support.broker import free_port, wait_for
from tests.support.home_configuration import CARD, configure, has_card

START_TIME = 180  # seconds; the first start compiles
# Bytes of a row in the recorder's database without its texts, indexes included.
STATE_ROW = 120
ATTRIBUTES_ROW = 25
ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.)", re.MULTILINE)  # of the log
LEVELS = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) ")
# Warnings about the test machine, about the tests' own integration, and `mark`'s own lines.
NOISE = re.compile(
    r"aiohttp_fast_zlib|libturbojpeg|get_mac_address|integration call_recorder|\[tests\.mark\]"
)
PASSWORD = "test-only"
ADMIN = "admin"
MEMBERS = "system-users"  # Home Assistant's group of those who are no administrators


class HomeAssistant:
    """An instance with its own configuration folder."""

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
        self._marked = 0  # characters of the log
        self._calls_marked = 0
        self._tokens: dict[str, str] = {}  # of the members, by group
        self._added: list[str] = []  # paths of automations and scripts

    # Start and stop

    def start(self, *, broker: bool = True) -> HomeAssistant:
        """Start it; the first time, also onboard it and set up the MQTT integration.

        ``broker``: wait until the integration is connected.
        """
        first = not (self.folder / "configuration.yaml").exists()
        if first:
            configure(self.folder, self._port, self.version)
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
            if has_card(self.folder):
                url = f"/local/{CARD}"
                self.command("lovelace/resources/create", res_type="module", url=url)
        self._calls_marked = 0
        if broker:
            self.wait_broker()
        return self

    def wait_broker(self) -> None:
        """Wait until the MQTT integration is loaded."""
        wait_for(lambda: self._entry().get("state") == "loaded", 60, "its MQTT integration")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it and its child processes."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):  # remaining children
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def restart(self) -> None:
        self.stop()
        self.start()

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
        user = {"name": "Admin", "username": ADMIN, "password": PASSWORD, "language": "en"}
        # The web server answers before onboarding is possible.
        code = wait_for(
            lambda: (
                self._send(
                    "POST", "/api/onboarding/users", json={"client_id": self._client, **user}
                )
                .json()
                .get("auth_code")
            ),
            30,
        )
        self.token = self._login(code)
        with contextlib.suppress(AssertionError):
            # Newer versions revert an imported `http:` after five minutes unless it is confirmed.
            self.command("http/config/promote")

    @property
    def _client(self) -> str:
        return f"{self.url}/"

    def _login(self, code: str) -> str:
        """Return a token that lasts for a code from the onboarding or a login."""
        grant = {"grant_type": "authorization_code", "code": code, "client_id": self._client}
        short = self._as(self._send("POST", "/auth/token", data=grant).json()["access_token"])
        return str(short.command("auth/long_lived_access_token", client_name="tests", lifespan=30))

    def _as(self, token: str) -> HomeAssistant:
        """Return a client of the same instance with another user's token."""
        other = copy.copy(self)
        other.token = token
        return other

    def member(self, group: str = MEMBERS) -> HomeAssistant:
        """Return a client for a member of the household, who is no administrator.

        ``group`` `system-read-only`: who may look, but not change anything.
        """
        if group not in self._tokens:
            name = "Member" if group == MEMBERS else "Guest"
            created = self.command("config/auth/create", name=name, group_ids=[group])
            login = {"username": group, "password": PASSWORD}
            user_id = created["user"]["id"]
            self.command("config/auth_provider/homeassistant/create", user_id=user_id, **login)
            flow = {"client_id": self._client, "handler": ["homeassistant", None]}
            step = self.post("/auth/login_flow", {**flow, "redirect_uri": self._client})
            answer = {"client_id": self._client, **login}
            step = self.post(f"/auth/login_flow/{step['flow_id']}", answer)
            self._tokens[group] = self._login(step["result"])
        return self._as(self._tokens[group])

    def _connect(self) -> None:
        """Set up the MQTT integration through its config flow."""
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

    def delete(self, path: str) -> None:
        self._send("DELETE", path).raise_for_status()

    def webhook(self, path: str, content: Any) -> None:
        """Send to a webhook, as apps do: without a user."""
        requests.post(self.url + path, json=content, timeout=60).raise_for_status()

    def picture(self, path: str) -> bytes:
        answer = self._send("GET", path)
        answer.raise_for_status()
        return answer.content

    def states(self) -> dict[str, dict[str, Any]]:
        return {one["entity_id"]: one for one in self.get("/api/states")}

    def state(self, entity_id: str) -> dict[str, Any]:
        """Return an entity's state object; empty if it does not exist."""
        answer = self._send("GET", f"/api/states/{entity_id}")
        return dict(answer.json()) if answer.ok else {}

    def call(self, action: str, *, return_response: bool = False, **content: Any) -> Any:
        """Perform an action; fail if it fails.

        Return its response data if ``return_response``, else the changed states.
        """
        path = f"/api/services/{action.replace('.', '/', 1)}"
        if return_response:
            return self.post(f"{path}?return_response", content)["service_response"]
        return self.post(path, content)

    def wait(
        self, entity_id: str, state: str | None = None, timeout: float = 60, **attributes: Any
    ) -> dict[str, Any]:
        """Wait until an entity exists with the given state and attributes; return it."""
        deadline = time.monotonic() + timeout
        while not _has(found := self.state(entity_id), state, attributes):
            if time.monotonic() > deadline:
                wanted = f"{entity_id} to be {state!r} with {attributes}"
                raise AssertionError(f"timed out after {timeout} s waiting for {wanted}: {found}")
            time.sleep(0.05)
        return found

    def render(self, template: str) -> str:
        """Render a template."""
        answer = self._send("POST", "/api/template", json={"template": template})
        assert answer.ok, answer.text
        return answer.text

    def say(self, sentence: str, language: str = "en") -> str:
        """Send a sentence to Assist; return its spoken answer."""
        content = {"text": sentence, "language": language}
        answer = self.post("/api/conversation/process", content)
        return str(answer["response"]["speech"]["plain"]["speech"])

    def fire(self, event_type: str, **data: Any) -> None:
        """Fire an event on Home Assistant's bus."""
        self.post(f"/api/events/{event_type}", data)

    def add_automation(self, name: str, **content: Any) -> None:
        """Add an automation; the fixture `ha` removes it after the test."""
        self._add("automation", name, content)

    def add_script(self, name: str, **content: Any) -> None:
        """Add a script; the fixture `ha` removes it after the test."""
        self._add("script", name, content)

    def _add(self, domain: str, name: str, content: dict[str, Any]) -> None:
        path = f"/api/config/{domain}/config/{name}"
        self.post(path, {"alias": name, **content})
        self._added.append(path)
        wait_for(lambda: self.state(f"{domain}.{name}"), what=f"{domain} {name}")

    def remove_added(self) -> None:
        """Remove the automations and scripts that were added."""
        while self._added:
            self._send("DELETE", self._added.pop()).raise_for_status()

    def calls(self, action: str) -> list[dict[str, Any]]:
        """Return the calls of an action on the test devices since the mark."""
        return [one for one in self._calls()[self._calls_marked :] if one["action"] == action]

    def _calls(self) -> list[dict[str, Any]]:
        return list(self.call("call_recorder.calls", return_response=True)["calls"])

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
            return _ask(socket, kind, content)

    @contextmanager
    def subscribe(self, kind: str, **content: Any) -> Iterator[Callable[[], Any]]:
        """Send a command that subscribes; yield a function that returns the next message.

        `subscribe_events` with ``event_type`` is the bus, `subscribe_trigger` with ``trigger`` any
        trigger of an automation, `render_template` with ``template`` each of its results.
        """
        with self._socket() as socket:
            _ask(socket, kind, content)
            yield lambda: json.loads(socket.recv(20))["event"]

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
        """Return the device with a name; empty if there is none."""
        found = self.command("config/device_registry/list")
        return next((one for one in found if one["name"] == name), {})

    def triggers(self, device_id: str) -> set[str]:
        """Return the subtypes of a device's MQTT triggers."""
        found = self.command("device_automation/trigger/list", device_id=device_id)
        return {one["subtype"] for one in found if one["domain"] == "mqtt"}

    def debug_info(self, device_id: str) -> dict[str, Any]:
        """Return the MQTT integration's debug info for a device."""
        return dict(self.command("mqtt/device/debug_info", device_id=device_id))

    # Files

    def log(self) -> str:
        path = self.folder / "hass.out"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def mark(self) -> None:
        """Make `complaints` and `calls` ignore everything up to now."""
        if self.running:
            self._calls_marked = len(self._calls())
        self._marked = len(self._whole_log())

    def _whole_log(self) -> str:
        """Return the log when it has everything up to now; Home Assistant writes it in a thread."""
        if self.running:
            mark = uuid.uuid4().hex
            self.call("system_log.write", message=mark, level="error", logger="tests.mark")
            wait_for(lambda: mark in self.log(), what="the log to be written")
        return self.log()

    def complaints(self, expected: str = "") -> list[str]:
        """Return the warnings and errors logged since the mark, except those matching ``expected``.

        They are not filtered by topic or entity: the error of a bad template names neither.
        """
        entries = [
            one for one in ENTRY.split(self._whole_log()[self._marked :]) if LEVELS.match(one)
        ]
        return [
            one
            for one in entries
            if not NOISE.search(one) and not (expected and re.search(expected, one))
        ]

    def rows(self, entity_ids: list[str]) -> dict[str, int]:
        """Return the number of recorded states of each entity."""
        marks = ", ".join("?" * len(entity_ids))
        return dict(
            self._query(
                "SELECT m.entity_id, count(*) FROM states s JOIN states_meta m "  # noqa: S608 - only placeholders
                f"ON m.metadata_id = s.metadata_id WHERE m.entity_id IN ({marks}) "
                "GROUP BY m.entity_id",
                *entity_ids,
            )
        )

    def recorded_bytes(self, entity_ids: list[str]) -> int:
        """Return the bytes that the recorded states of entities take, with their attributes.

        Equal attributes are stored once. A row also has its times, ids and places in five indexes.
        """
        marks = ", ".join("?" * len(entity_ids))
        ((rows, states),) = self._query(
            "SELECT count(*), sum(length(s.state)) FROM states s JOIN states_meta m "  # noqa: S608 - only placeholders
            f"ON m.metadata_id = s.metadata_id WHERE m.entity_id IN ({marks})",
            *entity_ids,
        )
        ((different, attributes),) = self._query(
            "SELECT count(*), sum(length(CAST(shared_attrs AS BLOB))) FROM state_attributes "  # noqa: S608 - only placeholders
            "WHERE attributes_id IN (SELECT attributes_id FROM states s JOIN states_meta m "
            f"ON m.metadata_id = s.metadata_id WHERE m.entity_id IN ({marks}))",
            *entity_ids,
        )
        return int(rows * STATE_ROW + states + different * ATTRIBUTES_ROW + attributes)

    def wait_recorded(self) -> None:
        """Wait until the recorder has committed all events so far."""
        event_type = (
            f"recorded_{uuid.uuid4().hex}"  # the recorder writes in the order of the event bus
        )
        self.fire(event_type)
        wait_for(
            lambda: self._query("SELECT 1 FROM event_types WHERE event_type = ?", event_type),
            what="the recorder's next commit",
        )

    def _query(self, statement: str, *values: str) -> list[Any]:
        database = sqlite3.connect(f"file:{self.folder / 'home-assistant_v2.db'}?mode=ro", uri=True)
        try:
            return database.execute(statement, values).fetchall()
        finally:
            database.close()


def _has(found: dict[str, Any], state: str | None, attributes: dict[str, Any]) -> bool:
    if not found or state not in {None, found["state"]}:
        return False
    missing = object()
    return all(found["attributes"].get(key, missing) == one for key, one in attributes.items())


def _ask(socket: Connection, kind: str, content: dict[str, Any]) -> Any:
    socket.send(json.dumps({"id": 1, "type": kind, **content}))
    answer = json.loads(socket.recv(60))
    assert answer["success"], f"{kind}: {answer.get('error')}"
    return answer["result"]
