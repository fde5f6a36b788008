"""The bundle for a bug report: complete, and without secrets."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.doctor.conftest import Broker
from tests.support.broker import Client, Mosquitto
from tests.support.cli import Cli
from tests.support.doctor import lone
from tests.support.server import MediaServer
from tests.support.service import Service

slow = pytest.mark.slow


@pytest.fixture
def secrets() -> dict[str, str]:
    """Return secrets, each in its own place; none is a part of another."""
    places = (
        *("password", "proxy", "args", "header", "index", "query", "user", "log", "cookie"),
        *("environment", "prefix", "fragment"),
    )
    return {name: f"s3cr3t-{name}-{os.urandom(4).hex()}" for name in places}


@slow
def test_the_bundle_tells_no_secret(
    tmp_path: Path, broker: Broker, media: MediaServer, secrets: dict[str, str]
) -> None:
    passwords = tmp_path / "passwords"
    words = ["mosquitto_passwd", "-b", "-c", str(passwords), "me", secrets["password"]]
    subprocess.run(words, check=True, capture_output=True)
    port = broker(f"password_file {passwords}", anonymous=False).port
    options = {
        "http_headers": {"Authorization": f"Bearer {secrets['header']}"},
        "extractor_args": {"youtube": {"po_token": [secrets["args"]]}},
        "geo_verification_proxy": f"http://u:{secrets['proxy']}@127.0.0.1:9",
        "retries": 1,
    }
    settings: dict[str, Any] = {
        "MQTT__HOST": "127.0.0.1",  # named: the Supervisor is not asked
        "MQTT__USERNAME": "me",
        "MQTT__PASSWORD": secrets["password"],
        "DOWNLOADS__YTDLP_OPTIONS": json.dumps(options),
        "DOWNLOADS__SEARCH_PREFIX": f"https://find.example/?key={secrets['prefix']}&q=",
        "UPDATES__INDEX_URL": f"http://u:{secrets['index']}@127.0.0.1:9/simple",
        "UPDATES__CHECK_INTERVAL": "0",
    }
    service = Service(tmp_path, port, **settings).start()
    client = Client(port, username="me", password=secrets["password"])
    try:
        url = media.url("status/404/x.mp4")
        job = client.download(f"{url}?signature={secrets['query']}#{secrets['fragment']}")
        client.wait_status(job, "failed")
        log = tmp_path / "log"
        log.write_text(
            f"{service.log}\nCookie: sid={secrets['cookie']}; a=b\n"
            f"broker_password={secrets['log']} of ftp://me:{secrets['user']}@host/x\n"
            f"user {secrets['password']} and {secrets['environment']}, the last line\n"
        )
        variables = {f"MEDIARIP__{key}": one for key, one in settings.items()}
        cli = lone(tmp_path, port, SUPERVISOR_TOKEN=secrets["environment"], **variables)
        report = tmp_path / "report.zip"
        done = cli.run("doctor", "--bundle", str(report), "--log", str(log))
        assert done.returncode == 0, done.stdout
        with zipfile.ZipFile(report) as archive:
            files = {name: archive.read(name).decode() for name in archive.namelist()}
        shown = done.stdout + done.stderr + cli.run("check-config").stdout
        for name, secret in secrets.items():
            assert secret not in shown, name
            for file, text in files.items():
                assert secret not in text, (name, file)
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        held = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}
        assert set(held) == {
            *("doctor.json", "versions.json", "settings.json", "mqtt.json", "errors.json")
        }
        values = {one["setting"]: one["value"] for one in held["settings.json"]}
        assert values["mqtt.password"] == "***"
        assert values["downloads.ytdlp_options"]["retries"] == 1
        assert held["mqtt.json"]["info"]["service"] == "mediarip-mqtt"
        assert held["mqtt.json"]["status"] == "online"
        assert held["errors.json"]["errors"][0]["error_code"] == "not_found"
        assert "status/404/x.mp4" in held["errors.json"]["errors"][0]["url"]
        assert files["service.log"].rstrip().endswith("the last line")
        assert held["versions.json"]["packages"]["paho-mqtt"]
        # What is there already is kept.
        content = report.read_bytes()
        again = cli.run("doctor", "--bundle", str(report))
        assert (again.returncode, again.stdout) == (1, "")
        assert "exists already" in again.stderr
        assert report.read_bytes() == content
    finally:
        client.close()
        service.stop()


@slow
def test_the_bundle_has_the_errors_of_a_service_that_is_down(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, service: Service, media: MediaServer
) -> None:
    job = client.download(media.url("status/404/x.mp4"))
    client.wait_status(job, "failed")
    service.stop()
    cli = Cli(tmp_path, mosquitto.port, MEDIARIP__STORAGE__ROOT=str(service.root))
    report = tmp_path / "report.zip"
    done = cli.run("doctor", "--bundle", str(report))
    assert done.returncode == 0, done.stdout
    with zipfile.ZipFile(report) as archive:
        errors = json.loads(archive.read("errors.json"))
        assert errors["errors"][0]["job_id"] == job
        assert json.loads(archive.read("mqtt.json"))["status"] == "offline"
