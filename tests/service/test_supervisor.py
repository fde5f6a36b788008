"""As Home Assistant's app: options from a file, the broker from the Supervisor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import load_settings, supervisor
from mediarip_mqtt.service.supervisor import SupervisorError, with_broker
from tests.support.broker import Client, Mosquitto, free_port
from tests.support.cli import Cli
from tests.support.server import MediaServer
from tests.support.service import Service
from tests.support.supervisor import NONE, TOKEN, Answer, Supervisor, broker

slow = pytest.mark.slow
PASSWORD = "the-brokers-passw0rd"
Start = Callable[..., Supervisor]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a Supervisor, and be its app."""
    started: list[Supervisor] = []

    def begin(*answers: Answer) -> Supervisor:
        started.append(Supervisor(*answers))
        monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
        monkeypatch.setenv("MEDIARIP_SUPERVISOR", started[-1].url)
        return started[-1]

    monkeypatch.setattr(supervisor, "PAUSE", 0.05)
    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Path]:
    """Write the app's options."""

    def write(content: Any) -> Path:
        path = tmp_path / "options.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
        monkeypatch.setenv("MEDIARIP_OPTIONS", str(path))
        return path

    return write


def test_the_apps_options_are_settings(
    options: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = options(
        {
            "mqtt": {"host": "", "username": None, "base_topic": "films"},
            "storage": {"root": "/media/🎬"},
            "downloads": {"max_concurrent": 2, "rate_limit": "1M"},
        }
    )
    monkeypatch.setenv("MEDIARIP__DOWNLOADS__MAX_CONCURRENT", "5")
    loaded = load_settings.load()
    assert loaded.mqtt.base_topic == "films"
    assert str(loaded.storage.root) == "/media/🎬"
    assert (loaded.downloads.rate_limit, loaded.downloads.max_concurrent) == (1048576, 5)
    assert loaded.mqtt.username is None
    assert supervisor.names_broker(loaded)
    found = load_settings.origins()
    assert found["mqtt", "base_topic"].startswith(f"{path}, line ")
    assert found["downloads", "max_concurrent"] == "environment MEDIARIP__DOWNLOADS__MAX_CONCURRENT"
    monkeypatch.delenv("SUPERVISOR_TOKEN")
    assert load_settings.load().mqtt.base_topic == "mediarip"


def test_a_file_that_is_named_wins_over_the_apps_options(
    options: Callable[[Any], Path], tmp_path: Path
) -> None:
    options({"mqtt": {"base_topic": "films"}})
    config = tmp_path / "mine.yaml"
    config.write_text("mqtt: {base_topic: mine}")
    assert load_settings.load(config).mqtt.base_topic == "mine"


def test_a_wrong_option_is_named(options: Callable[[Any], Path]) -> None:
    path = options({"downloads": {"max_concurrent": 99}, "mqtt": {"password": PASSWORD, "x": 1}})
    with pytest.raises(ConfigError, match=r"line 1: downloads\.max_concurrent") as caught:
        load_settings.load()
    assert f"{path}, line 1: mqtt.x: unknown setting" in caught.value.message
    options(f'{{"mqtt": {{"password": "{PASSWORD}')
    with pytest.raises(ConfigError, match="not valid") as caught:
        load_settings.load()
    assert PASSWORD not in caught.value.message


def test_the_supervisor_names_the_broker(start: Start) -> None:
    one = start(broker(8883, ssl=True, username="addons", password=PASSWORD))
    mqtt = with_broker(Settings()).mqtt
    assert (mqtt.host, mqtt.port, mqtt.tls, mqtt.username) == ("127.0.0.1", 8883, True, "addons")
    assert mqtt.password is not None
    assert mqtt.password.get_secret_value() == PASSWORD
    assert one.asked == [("/services/mqtt", f"Bearer {TOKEN}")]


def test_a_broker_that_the_options_name_is_not_asked_for(
    start: Start, options: Callable[[Any], Path]
) -> None:
    one = start(broker(1))
    options({"mqtt": {"host": "broker.example", "port": 1234}})
    mqtt = with_broker(load_settings.load()).mqtt
    assert (mqtt.host, mqtt.port) == ("broker.example", 1234)
    assert one.asked == []


def test_outside_of_the_app_nobody_is_asked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    one = start(broker(1))
    monkeypatch.delenv("SUPERVISOR_TOKEN")
    assert with_broker(Settings()).mqtt.host == "localhost"
    assert one.asked == []


@pytest.mark.parametrize(
    "before", [NONE, (502, b"Bad Gateway"), (200, {"result": "ok", "data": {}})]
)
def test_a_supervisor_that_is_still_starting_is_waited_for(start: Start, before: Answer) -> None:
    one = start(before, before, broker(1883))
    assert with_broker(Settings(), patience=10).mqtt.host == "127.0.0.1"
    assert len(one.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (NONE, ConfigError, "Mosquitto broker"),
        ((403, {"result": "error"}), SupervisorError, "refuses"),
        ((401, b""), SupervisorError, "refuses"),
        ((500, b"no"), SupervisorError, "HTTP 500"),
        ((200, b"<html>"), ConfigError, "Mosquitto broker"),
        ((200, {"result": "ok", "data": {"port": 1}}), SupervisorError, "can't be used"),
        (broker(70000, password=PASSWORD), SupervisorError, "can't be used"),
    ],
)
def test_what_the_supervisor_can_not_say_is_an_error_that_helps(
    start: Start, answer: Answer, error: type[Exception], said: str
) -> None:
    start(answer)
    with pytest.raises(error, match=said) as caught:
        with_broker(Settings(), patience=0.2)
    assert "mqtt.host" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_supervisor_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
    monkeypatch.setenv("MEDIARIP_SUPERVISOR", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SupervisorError, match="can't be reached") as caught:
        with_broker(Settings(), patience=0)
    assert TOKEN not in str(caught.value)


def test_the_token_goes_to_nobody_else(start: Start) -> None:
    other = Supervisor(broker(1))
    one = start((302, b""))
    one.headers["Location"] = f"{other.url}/services/mqtt"
    try:
        with pytest.raises(SupervisorError, match="HTTP 302"):
            with_broker(Settings(), patience=0)
        assert other.asked == []
    finally:
        other.stop()


@slow
def test_the_service_runs_as_an_app_and_tells_no_secret(
    tmp_path: Path, options: Callable[[Any], Path], media: MediaServer, start: Start
) -> None:
    passwords = tmp_path / "passwords"
    words = ["mosquitto_passwd", "-b", "-c", str(passwords), "addons", PASSWORD]
    subprocess.run(words, check=True, capture_output=True)
    mosquitto = Mosquitto(tmp_path / "b", f"password_file {passwords}", anonymous=False).start()
    one = start(NONE, broker(mosquitto.port, username="addons", password=PASSWORD))
    path = options({"storage": {"root": "/nowhere"}, "downloads": {"max_concurrent": 2}})
    service = Service(tmp_path, 1, LOG__LEVEL="debug").start()  # a port that must not count
    client = Client(mosquitto.port, username="addons", password=PASSWORD)
    app = {"MEDIARIP_SUPERVISOR": one.url, "MEDIARIP_OPTIONS": str(path)}
    cli = Cli(tmp_path, 1, MEDIARIP__STORAGE__ROOT=str(service.root), **app)
    try:
        job = client.download(media.url("media/video.mp4"))
        client.wait_status(job, "completed")
        assert client.json("info")["settings"]["max_concurrent"]["value"] == 2
        assert cli.run("list").stdout.split()[:2] == ["completed", job]
        assert cli.run("healthcheck").returncode == 0
        checked = cli.run("check-config")
        assert 'mqtt.host = "127.0.0.1"  # the Supervisor' in checked.stdout
        doctor = cli.run("doctor", "--json")
        assert doctor.returncode == 0, doctor.stdout
        told = service.log + checked.stdout + checked.stderr + doctor.stdout + doctor.stderr
        told += "".join(payload for _, payload in client.messages)
        assert TOKEN not in told
        assert PASSWORD not in told
    finally:
        client.close()
        service.stop()
        mosquitto.stop()


@slow
def test_the_exit_code_says_whether_the_configuration_is_wrong(
    tmp_path: Path, start: Start
) -> None:
    one = start(NONE)
    cli = Cli(tmp_path, 1, MEDIARIP_SUPERVISOR=one.url)
    none = cli.run("healthcheck")
    assert (none.returncode, "Mosquitto broker" in none.stderr) == (2, True)
    doctor = cli.run("doctor")
    assert doctor.returncode == 1
    assert "problem  Supervisor" in doctor.stdout
    one.answers = [(403, b"")]
    assert cli.run("healthcheck").returncode == 1
