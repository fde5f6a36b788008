"""Phones, lists and calendars of a household, and automations made from the blueprints."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant

BLUEPRINTS = Path(__file__).parents[3] / "homeassistant" / "blueprints" / "automation" / "mediarip"
ENTRIES = "/api/config/config_entries"


class Phone:
    """A phone with the companion app, registered as the app does; its push server is ours.

    Event types and data are those of the apps' sources: `ShareActivity.kt` and
    `NotificationActionReceiver.kt` of home-assistant/android, `HAAPI.swift` of home-assistant/iOS.
    They send events to the webhook of their registration (`fire_event`).
    """

    def __init__(self, ha: HomeAssistant, name: str) -> None:
        self.name = name
        self.own_id = f"id-{name}"  # the app's
        self.pushed: list[dict[str, Any]] = []
        self._ha = ha
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.pushed))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        push_url = f"http://127.0.0.1:{self._server.server_address[1]}/push"
        registration = {
            "app_data": {"push_token": "token", "push_url": push_url},
            "app_id": "tests",
            "app_name": "Tests",
            "app_version": "1",
            "device_id": self.own_id,
            "device_name": name,
            "manufacturer": "Tests",
            "model": "Phone",
            "os_name": "Android",
            "os_version": "16",
            "supports_encryption": False,
        }
        registered = ha.post("/api/mobile_app/registrations", registration)
        self._webhook = f"/api/webhook/{registered['webhook_id']}"
        self.device_id = str(wait_for(lambda: ha.device(name).get("id"), what=f"the phone {name}"))

    def remove(self) -> None:
        entries = self._ha.get(f"{ENTRIES}/entry?domain=mobile_app")
        for one in entries:
            if one["title"] == self.name:
                self._ha.delete(f"{ENTRIES}/entry/{one['entry_id']}")
        self._server.shutdown()
        self._server.server_close()

    def fire(self, event_type: str, **data: Any) -> None:
        event = {"event_type": event_type, "event_data": data}
        self._ha.webhook(self._webhook, {"type": "fire_event", "data": event})

    def tap(self, action: str) -> None:
        self.fire("mobile_app_notification_action", action=action)

    def push(self, title: str, timeout: float = 60) -> dict[str, Any]:
        """Wait for a notification with a title; remove it and all before it."""
        found = wait_for(
            lambda: [one for one in self.pushed if one.get("title") == title],
            timeout,
            f"the notification {title!r}; there are {self.pushed}",
        )[0]
        del self.pushed[: self.pushed.index(found) + 1]
        return dict(found)


def _handler(pushed: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Push(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pushed.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    return Push


def use(ha: HomeAssistant, blueprint: str, name: str, node_id: str, **inputs: Any) -> str:
    """Add an automation of a blueprint for a service; return its entity id."""
    given = {"service": ha.device(node_id)["id"], **inputs}
    ha.add_automation(name, use_blueprint={"path": f"mediarip/{blueprint}.yaml", "input": given})
    assert ha.state(f"automation.{name}")["state"] == "on", ha.log()[-3000:]
    return f"automation.{name}"


def triggered(ha: HomeAssistant, automation: str) -> str | None:
    """Return when an automation ran its actions last."""
    told = ha.state(automation)["attributes"]["last_triggered"]
    return None if told is None else str(told)


def offered(push: dict[str, Any]) -> dict[str, str]:
    """Return the buttons of a notification: label to action."""
    return {one["title"]: one["action"] for one in push["data"].get("actions", [])}


@contextmanager
def entry(ha: HomeAssistant, domain: str, entity_id: str, **answers: Any) -> Iterator[str]:
    """Set up an integration through its config flow; yield its entity."""
    step = ha.post(f"{ENTRIES}/flow", {"handler": domain})
    step = ha.post(f"{ENTRIES}/flow/{step['flow_id']}", answers)
    assert step["type"] == "create_entry", step
    wait_for(lambda: ha.state(entity_id), what=entity_id)
    try:
        yield entity_id
    finally:
        ha.delete(f"{ENTRIES}/entry/{step['result']['entry_id']}")
