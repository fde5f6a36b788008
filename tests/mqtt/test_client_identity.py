"""Nobody else knows the service's client id, and no command is lost when it changes.

Hard-coded ids end in two clients that take the session from each other:
chrisuthe/Multi-SendSpin-Player-Container#239, flyte/mqtt-io#110.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]


class OldSession:
    """The MQTT session that an earlier version has left: its id is the bare node id."""

    def __init__(self, port: int, identifier: str = "mediarip") -> None:
        self.present = False
        self._ready = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=identifier,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        kept.SessionExpiryInterval = 3600
        self._client.on_connect = self._on_connect
        self._client.connect("127.0.0.1", port, clean_start=False, properties=kept)
        self._client.loop_start()

    def _on_connect(self, _: Any, __: Any, flags: Any, *___: Any) -> None:
        self.present = flags.session_present
        self._ready = True

    def subscribe(self) -> None:
        done: list[int] = []
        self._client.on_subscribe = lambda *_: done.append(1)
        wait_for(self._client.is_connected)
        self._client.subscribe([("mediarip/command", 1), ("mediarip/command/+", 1)])
        wait_for(lambda: done)

    def leave(self) -> bool:
        """Disconnect; return whether the broker had a session."""
        wait_for(lambda: self._ready)
        self._client.disconnect()
        self._client.loop_stop()
        return self.present


def kept(service: Service) -> dict[str, Any]:
    with sqlite3.connect(service.root / ".mediarip" / "store.db") as store:
        row = store.execute("SELECT value FROM config WHERE key = 'client_id'").fetchone()
    found: dict[str, Any] = json.loads(row[0])
    return found


def forget(service: Service) -> None:
    """Make the store one of an earlier version, which was online."""
    with sqlite3.connect(service.root / ".mediarip" / "store.db") as store:
        store.execute("DELETE FROM config WHERE key = 'client_id'")
        store.execute(
            "INSERT OR IGNORE INTO config (key, value, updated_at) "
            "VALUES ('base_topics', '[\"mediarip\"]', '2026-01-01T00:00:00.000Z')"
        )


def test_the_client_id_has_a_random_part_that_stays(run: Run, mosquitto: Mosquitto) -> None:
    service = run(mosquitto.port)
    identifier = kept(service)["identifier"]
    assert identifier.startswith("mediarip-")
    assert len(identifier) == len("mediarip-") + 12
    service.stop()
    service.start()
    assert kept(service)["identifier"] == identifier
    assert not OldSession(mosquitto.port).leave()


def test_a_client_that_takes_the_node_id_takes_nothing(
    run: Run, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = run(mosquitto.port)
    intruder = OldSession(mosquitto.port)
    intruder.subscribe()
    assert client.request("list")["ok"]
    assert "lost" not in service.log
    service.stop()
    client.publish("command", {"url": media.url("/bytes/1000/x.mp4"), "request_id": "while-down"})
    intruder.leave()
    service.start()
    assert wait_for(lambda: client.replies("while-down"))[0]["ok"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_waits_for_an_earlier_version_is_carried_out_once_after_the_upgrade(
    protocol: str, run: Run, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = run(mosquitto.port, MQTT__PROTOCOL=protocol)
    service.stop()
    forget(service)
    earlier = OldSession(mosquitto.port)
    earlier.subscribe()
    earlier.leave()
    urls = [media.url(f"/bytes/1000/{number}.mp4") for number in range(40)]
    for url in urls:
        client.publish("command", url)
    service.start()
    for number in range(40, 60):  # while the service changes its id
        urls.append(media.url(f"/bytes/1000/{number}.mp4"))
        client.publish("command", urls[-1])
    wait_for(lambda: len(client.payloads("response")) >= len(urls), 30)
    assert client.request("list", limit=200)["count"] == len(urls)
    replies = [json.loads(payload) for payload in client.payloads("response")]
    queued = [one["job"]["url"] for one in replies if one.get("job")]
    assert sorted(queued) == sorted(urls)
    assert [one for one in replies if not one["ok"]] == []
    assert kept(service)["former"] is None
    assert not OldSession(mosquitto.port).leave()


def test_a_former_id_that_another_client_holds_does_not_keep_the_service_away(
    run: Run, mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port)
    service.stop()
    forget(service)
    service.environment["MEDIARIP__MQTT__CLIENT_ID"] = "fixed"
    service.start()
    assert client.request("list")["ok"]
    assert kept(service)["identifier"] == "fixed"
    assert OldSession(mosquitto.port, "fixed").leave()


def test_a_broker_that_gives_a_user_one_id_has_nothing_to_move(run: Run, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)

    for name in ("mediarip", "me"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, name], check=True)
    extra = f"password_file {passwords}\nuse_username_as_clientid true"
    broker = Mosquitto(tmp_path / "broker", extra, anonymous=False).start()
    client = Client(broker.port, username="me", password="me")
    try:
        service = run(broker.port, MQTT__USERNAME="mediarip", MQTT__PASSWORD="mediarip")
        assert client.request("list")["ok"]
        service.stop()
        forget(service)
        client.publish("command/list", {"request_id": "while-down"})
        service.start()
        wait_for(lambda: client.replies("while-down"))
        assert client.request("list")["ok"]
        assert len(client.replies("while-down")) == 1
    finally:
        client.close()
        broker.stop()
