"""The same device over MQTT 3.1.1, and behind the access list of the documentation."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.homeassistant import Installation
from tests.homeassistant.real.device import found
from tests.support.broker import Mosquitto
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

ACL = Path(__file__).parents[3] / "docs" / "mosquitto.acl"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    for name in ("mediarip", "homeassistant"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, name], check=True)
    acl = tmp_path / "acl"
    acl.write_text(ACL.read_text())
    acl.chmod(0o600)
    files = f"password_file {passwords}\nacl_file {acl}"
    one = Mosquitto(tmp_path / "broker", files, anonymous=False).start()
    yield one
    one.stop()


def test_the_device_works_over_mqtt_3_1_1_and_behind_an_access_list(
    installation: Installation, guarded: Mosquitto, tmp_path: Path, media: MediaServer
) -> None:
    ha = HomeAssistant(
        installation,
        tmp_path / "config",
        guarded.port,
        protocol="3.1.1",
        username="homeassistant",
        password="homeassistant",
    )
    service = Service(
        tmp_path,
        guarded.port,
        MQTT__PROTOCOL="3.1.1",
        MQTT__USERNAME="mediarip",
        MQTT__PASSWORD="mediarip",
    )
    try:
        ha.start()
        service.start()
        names = found(ha, "mediarip")
        url = media.url("/bytes/1000/a.mp4")
        ha.call("notify.send_message", entity_id=names["download"], message=url)
        ha.wait(names["completed_today"], "1")
        ha.call("select.select_option", entity_id=names["preset"], option="480p")
        ha.wait(names["preset"], "480p")
        ha.call("switch.turn_on", entity_id=names["paused"])
        ha.wait(names["paused"], "on")
        assert "MQTT 3.1.1" in service.log
        assert ha.complaints() == []
    finally:
        service.stop()
        ha.stop()
