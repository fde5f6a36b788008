"""`run`: the service as a person or a script starts it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.cli import SECONDS, Cli
from tests.support.server import MediaServer

pytestmark = pytest.mark.slow


def test_run_with_a_url_downloads_it_and_ends(lone: Cli, media: MediaServer) -> None:
    done = lone.run("run", "--embedded-broker", "--download", media.url("media/video.mp4"))
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path == lone.folder / "data" / "video.mp4"
    assert path.read_bytes() == (media.media / "video.mp4").read_bytes()
    failed = lone.run("run", "--embedded-broker", "--download", media.url("status/404/x.mp4"))
    assert (failed.returncode, failed.stdout) == (1, "")


def test_run_tells_what_to_type_and_a_second_one_hands_its_url_over(
    lone: Cli, media: MediaServer, port: int
) -> None:
    lone.environment["MEDIARIP__SECURITY__ALLOWED_HOSTS"] = "127.0.0.1"
    service = lone.start("run", "--embedded-broker")
    assert service.stdout
    try:
        said = ""
        while "mosquitto_pub" not in said:
            line = service.stdout.readline()
            assert line, "the service ended"
            said += line
        assert f"127.0.0.1:{port}" in said
        assert str(lone.folder / "data") in said
        assert f"mosquitto_pub -p {port} -t mediarip/command" in said
        second = lone.run("run", "--embedded-broker", "--download", media.url("media/video.mp4"))
        assert second.returncode == 0, second.stderr
        assert Path(second.stdout.splitlines()[-1]).is_file()
        third = lone.run("run", "--embedded-broker")
        assert third.returncode == 1
        assert "Another mediarip-mqtt" in third.stderr
    finally:
        service.send_signal(signal.SIGTERM)
        _, err = service.communicate(timeout=SECONDS)
    assert service.returncode == 0, err


def test_a_service_without_a_broker_says_so_and_ends_when_told_to(lone: Cli, port: int) -> None:
    service = lone.start("run")
    assert service.stderr
    line = ""
    while f"localhost:{port} can't be reached" not in line:
        line = service.stderr.readline()
        assert line, "the service ended"
    service.send_signal(signal.SIGINT)
    out, err = service.communicate(timeout=SECONDS)
    assert service.returncode == 0
    assert "Traceback" not in err
    assert "is up" not in out
