"""What `doctor` finds at a broker."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.doctor.conftest import Broker
from tests.support.broker import Mosquitto
from tests.support.doctor import checks, lone

slow = pytest.mark.slow


@slow
def test_no_broker(tmp_path: Path, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert found["broker"]["state"] == "problem"
    assert f"localhost:{mosquitto.port} can't be reached" in found["broker"]["found"]
    assert "mqtt.host" in found["broker"]["remedy"]
    assert found["database"]["state"] == "ok"


@slow
def test_a_wrong_password(tmp_path: Path, broker: Broker) -> None:
    passwords = tmp_path / "passwords"
    words = ["mosquitto_passwd", "-b", "-c", str(passwords), "me", "right-one"]
    subprocess.run(words, check=True, capture_output=True)
    port = broker(f"password_file {passwords}", anonymous=False).port
    cli = lone(tmp_path, port, MEDIARIP__MQTT__USERNAME="me", MEDIARIP__MQTT__PASSWORD="wrong-one")
    done = cli.run("doctor", "--json")
    found = checks(done)
    assert found["broker"]["state"] == "ok"
    assert found["credentials"]["state"] == "problem"
    assert "mqtt.password" in found["credentials"]["remedy"]
    assert "wrong-one" not in done.stdout + done.stderr
    right = lone(
        tmp_path, port, MEDIARIP__MQTT__USERNAME="me", MEDIARIP__MQTT__PASSWORD="right-one"
    )
    found = checks(right.run("doctor", "--json"))
    assert "credentials" not in found
    assert found["permissions"]["state"] == "ok"
    assert found["service"]["state"] == "warning"


@slow
def test_a_user_without_the_right_to_publish(tmp_path: Path, broker: Broker) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read mediarip/#\n")
    acl.chmod(0o600)
    found = checks(lone(tmp_path, broker(f"acl_file {acl}").port).run("doctor", "--json"))
    assert found["permissions"]["state"] == "problem"
    assert "mediarip/#" in found["permissions"]["remedy"]


@slow
def test_a_broker_that_keeps_nothing(tmp_path: Path, broker: Broker) -> None:
    port = broker("retain_available false").port
    found = checks(lone(tmp_path, port).run("doctor", "--json"))
    assert "problem" in {
        found[name]["state"] for name in ("permissions", "retained messages") if name in found
    }
