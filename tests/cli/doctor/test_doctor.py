"""`doctor` on sound and on broken set-ups, and what its bundle tells."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.cli.doctor.check_machine import judge_age
from mediarip_mqtt.service.redaction import scrub, scrub_text
from mediarip_mqtt.store.database import migrations
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.cli import SECONDS, Cli
from tests.support.server import MediaServer
from tests.support.service import Service

slow = pytest.mark.slow
Broker = Callable[..., Mosquitto]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Start brokers with lines of their own in their configuration."""
    started: list[Mosquitto] = []

    def start(extra: str = "", *, anonymous: bool = True) -> Mosquitto:
        folder = tmp_path / f"broker-{len(started)}"
        started.append(Mosquitto(folder, extra, anonymous=anonymous).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """Return what `doctor --json` found, by name."""
    report = json.loads(done.stdout)
    found = {one["name"]: one for one in report["checks"]}
    states = [one["state"] for one in report["checks"]]
    assert report["problems"] == states.count("problem")
    assert report["warnings"] == states.count("warning")
    assert all(one["remedy"] for one in found.values() if one["state"] != "ok")
    assert done.returncode in {0, 1, 2}
    assert (done.returncode == 0) == (report["problems"] == 0)
    return found


def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir(exist_ok=True)
    return tmp_path / "volume"


def lone(tmp_path: Path, port: int, **variables: str) -> Cli:
    """Without a service."""
    root = str(volume(tmp_path))
    return Cli(tmp_path, port, MEDIARIP__STORAGE__ROOT=root, **variables)


@slow
def test_a_sound_set_up_has_no_problem(
    tmp_path: Path, service: Service, mosquitto: Mosquitto
) -> None:
    cli = Cli(tmp_path, mosquitto.port, MEDIARIP__STORAGE__ROOT=str(service.root))
    done = cli.run("doctor", "--json")
    found = checks(done)
    assert done.returncode == 0, done.stdout
    for name in (
        *("configuration", "volume", "broker", "permissions", "retained messages", "service"),
        *("signs of life", "journal mode", "space", "files", "locks", "database", "store"),
        *("temporary folder", "volume's clock", "ffmpeg", "ffprobe", "clock"),
    ):
        assert found[name]["state"] == "ok", found[name]
    assert {"JavaScript", "yt-dlp", "user"} <= set(found)
    assert "in use by the service" in found["store"]["found"]
    plain = cli.run("doctor")
    assert "\x1b" not in plain.stdout
    assert plain.stdout.splitlines()[-1].startswith("no problems, ")


@slow
def test_it_leaves_nothing_behind_and_disturbs_no_service(
    tmp_path: Path, service: Service, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    job = client.download(media.url("/slow/100000/bytes/300000/film.mp4"))
    cli = Cli(tmp_path, mosquitto.port, MEDIARIP__STORAGE__ROOT=str(service.root))
    wait_for(service.temporary)
    before, log = sorted(service.root.glob(".mediarip/*")), len(service.log.splitlines())
    assert cli.run("doctor").returncode == 0
    assert client.wait_status(job, "completed", "failed")["status"] == "completed"
    after = {one.name for one in service.root.glob(".mediarip/*")}
    assert {one.name for one in before} == after
    assert not any(
        " ERROR" in line or " WARNING" in line for line in service.log.splitlines()[log:]
    )
    kept = [topic for topic in list(client.retained) if "/doctor/" in topic]
    assert kept == []
    assert client.payloads("status").count("offline") == 0


@slow
def test_others_may_not_look_into_the_services_folder(service: Service) -> None:
    assert stat.S_IMODE((service.root / ".mediarip").stat().st_mode) == 0o700


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


@slow
def test_a_folder_that_is_none_or_is_not_there(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port)
    file = tmp_path / "file"
    file.touch()
    cli.environment["MEDIARIP__STORAGE__ROOT"] = str(file)
    found = checks(cli.run("doctor", "--json"))
    assert found["volume"]["state"] == "problem"
    assert "database" not in found
    cli.environment["MEDIARIP__STORAGE__ROOT"] = str(tmp_path / "new" / "folder")
    found = checks(cli.run("doctor", "--json"))
    assert found["volume"]["state"] == "warning"
    assert not (tmp_path / "new").exists()
    cli.environment["MEDIARIP__STORAGE__CREATE"] = "false"
    assert checks(cli.run("doctor", "--json"))["volume"]["state"] == "problem"


@slow
def test_too_little_room_and_a_wrong_journal_mode(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port, MEDIARIP__STORAGE__MIN_FREE="900T")
    found = checks(cli.run("doctor", "--json"))
    assert found["space"]["state"] == "problem"
    assert "storage.min_free" in found["space"]["found"]


def old_store(tmp_path: Path, version: int) -> Path:
    own = volume(tmp_path) / ".mediarip"
    own.mkdir(mode=0o700)
    with closing(sqlite3.connect(own / "store.db")) as connection:
        for number, script in migrations():
            if number <= version:
                connection.executescript(script)
        connection.execute(f"PRAGMA user_version={version}")
    return own / "store.db"


@slow
@pytest.mark.parametrize(
    ("version", "state", "said"),
    [
        (1, "warning", "older version 1"),
        (99, "problem", "this one knows"),
        (migrations()[-1][0], "ok", "sound"),
    ],
    ids=["older", "newer", "same"],
)
def test_a_store_of_another_version(
    version: int, state: str, said: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    path = old_store(tmp_path, version)
    content = path.read_bytes()
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert (found["store"]["state"], said in found["store"]["found"]) == (state, True)
    assert path.read_bytes() == content
    assert sorted(one.name for one in path.parent.iterdir()) == ["store.db"]


@slow
def test_a_damaged_store(tmp_path: Path, mosquitto: Mosquitto) -> None:
    path = old_store(tmp_path, migrations()[-1][0])
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    path.write_bytes(content)
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert found["store"]["state"] == "problem"
    assert "damaged" in found["store"]["found"]
    assert path.read_bytes() == bytes(content)


@slow
def test_missing_programs(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port)
    # The wheel with ffmpeg is a dependency of the tests alone.
    program = (
        "import sys; sys.modules['imageio_ffmpeg'] = None; sys.argv = ['x', 'doctor', '--json'];"
        "from mediarip_mqtt.engine import tools; tools.sys = type('', (), {'executable': '/x/y'});"
        "from mediarip_mqtt.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**cli.environment, "PATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    found = checks(done)
    assert found["ffmpeg"]["state"] == "problem"
    assert "ffprobe" not in found
    assert found["JavaScript"]["state"] == "warning"


def test_an_old_ytdlp_is_told() -> None:
    assert judge_age("2026.8.19", "", date(2026, 10, 18)).state == "ok"
    old = judge_age("2026.8.19", ", fetched", date(2026, 10, 19))
    assert old.state == "warning"
    assert old.found.startswith("2026.08.19, fetched, 61 days old")
    assert "update_ytdlp" in old.remedy
    assert judge_age("2026.8.19.232846.dev0", "", date(2026, 8, 20)).state == "ok"
    assert judge_age("1.0", "", date(2026, 8, 20)).state == "warning"


@slow
def test_a_wrong_configuration_ends_with_2(tmp_path: Path, mosquitto: Mosquitto) -> None:
    config = tmp_path / "config.yaml"
    for text, said in (
        ("mqtt: {hots: x}", "unknown setting"),
        ("downloads: {ytdlp_options: {exec: rm}}", "this option can't be set here"),
        ("mqtt: {password: 'hunter22}", "not valid YAML"),
    ):
        config.write_text(text)
        done = lone(tmp_path, mosquitto.port).run("doctor", "--json", "--config", str(config))
        assert done.returncode == 2
        found = checks(done)
        assert list(found) == ["configuration"]
        assert said in found["configuration"]["found"]
        assert "hunter22" not in done.stdout + done.stderr


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/b?c=d#e now", "see https://a.example/b?*** now"),
        ("https://me:pw@a.example:8443/b", "https://a.example:8443/b"),
        ("socks5://me:p%40w@h:1", "socks5://h:1"),
        ("https://me:p/w@a.example/b", "https://***"),
        ("https://me:p?w@a.example/b", "https://***"),
        ("https://me:p#w@a.example/b", "https://***"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("https://www.youtube.com/@channel/videos", "https://www.youtube.com/@channel/videos"),
        ("Authorization: Bearer abcdef", "Authorization: ***"),
        ("got bearer abcdef", "got bearer ***"),
        ("api_key=abc def", "api_key=*** def"),
        ('{"password": "a b"}', '{"password": ***}'),
    ],
)
def test_texts_are_told_without_secrets(text: str, expected: str) -> None:
    assert scrub_text(text, ()) == expected


def test_values_are_hidden_by_their_key_also_below_it() -> None:
    value = {"cookies": {"sid": "abc"}, "title": "x", "token": None, "list": [{"api_key": "k"}]}
    assert scrub(value, ()) == {
        "cookies": "***",
        "title": "x",
        "token": None,
        "list": [{"api_key": "***"}],
    }


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    assert scrub({"a": ["x hunter22 y"], "hunter22": 1}, {"hunter22"}) == {
        "a": ["x *** y"],
        "***": 1,
    }
