"""`download`: follows a download of the running service to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.server import MediaServer

pytestmark = pytest.mark.slow


def test_a_download_ends_with_the_path_of_its_file(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", media.url("media/video.mp4"))
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.read_bytes() == (media.media / "video.mp4").read_bytes()
    assert "completed" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_failed_download_says_why_and_exits_with_1(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", media.url("status/404/x.mp4"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "not_found" in done.stderr


def test_a_refused_download_says_why_and_exits_with_1(cli: Cli) -> None:
    done = cli.run("download", "ftp://example.com/x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Only http and https" in done.stderr
    assert "invalid_url" in done.stderr


def test_programs_get_json(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", "--json", "--folder", "films", media.url("media/video.mp4"))
    job = json.loads(done.stdout)
    assert job["status"] == "completed"
    assert Path(job["path"]).is_file()
    assert Path(job["path"]).parent.name == "films"


def test_without_waiting_the_id_is_printed_and_a_request_id_acts_once(
    cli: Cli, media: MediaServer
) -> None:
    words = ("download", "--no-wait", "--request-id", "r1", media.url("media/video.mp4"))
    first, second = cli.run(*words), cli.run(*words)
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) == 36


def test_a_playlist_tells_the_counts_of_its_items(cli: Cli, media: MediaServer) -> None:
    items = "".join(
        f'<item><title>{name}</title><enclosure url="{media.url(path)}" type="video/mp4"/></item>'
        for name, path in (("one", "media/video.mp4"), ("two", "status/404/x.mp4"))
    )
    feed = f'<rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'
    media.texts["feed.xml"] = ("application/rss+xml", feed.encode())
    done = cli.run("download", media.url("text/feed.xml"))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 items, 1 not downloaded" in done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_dir()
