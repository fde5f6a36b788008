"""`watch`: what programs read."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.cli import SECONDS, Cli
from tests.support.server import MediaServer

pytestmark = pytest.mark.slow


def test_watch_gives_programs_one_line_a_message(cli: Cli, media: MediaServer) -> None:
    watching = cli.start("watch", "--json")
    assert watching.stdout
    try:
        assert json.loads(watching.stdout.readline())["payload"] == "online"
        cli.run("download", "--no-wait", media.url("media/video.mp4"))
        for line in watching.stdout:
            message = json.loads(line)
            if message["topic"].endswith("/state") and "/job/" in message["topic"]:
                assert message["payload"]["url"] == media.url("media/video.mp4")
                break
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=SECONDS)
    assert watching.returncode == 130
