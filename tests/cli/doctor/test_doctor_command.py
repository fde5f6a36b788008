"""`doctor` as a whole: on a sound set-up, and with a configuration that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.cli import Cli
from tests.support.doctor import checks, lone
from tests.support.server import MediaServer
from tests.support.service import Service

slow = pytest.mark.slow


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
