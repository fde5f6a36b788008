"""Pages are read in processes of their own: what a page does there can't harm the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import page_info
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.page_readers import PageReaders, ReaderLimits
from mediarip_mqtt.engine.protocol import Extraction, Report, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)
SETTINGS = DownloadSettings()
DEFAULT = ReaderLimits()
VIDEO = b"\0\0\0\x20ftypisom" + b"x" * 999
# Takes yt-dlp's pattern for Brightcove hours.
ENDLESS = "<html><title>x</title>" + '<object class="BrightcoveExperience" a"' * 200
MPD = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT{}S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000" width="9" '
    'height="9" codecs="avc1"><SegmentTemplate media="s$Number$.m4s" initialization="i.mp4" '
    'timescale="1" startNumber="1"{}</SegmentTemplate></Representation></AdaptationSet></Period>'
    "</MPD>"
)
ISM = (
    '<?xml version="1.0"?><SmoothStreamingMedia Duration="100000000"><StreamIndex Type="video" '
    'Url="Q({bitrate})/F({start time})"><QualityLevel Index="0" Bitrate="1000" FourCC="H264" '
    'MaxWidth="10" MaxHeight="10" CodecPrivateData="00"/><c d="1" r="900000000"/></StreamIndex>'
    "</SmoothStreamingMedia>"
)


def children() -> list[psutil.Process]:
    """The readers that this process has started; a zombie has no command line."""
    return [
        child
        for child in psutil.Process().children()
        if "mediarip_mqtt.engine.reader_process" in _command(child)
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


class Desk:
    """An engine with readers, and what a test does with it."""

    def __init__(self, folder: Path, limits: ReaderLimits = DEFAULT) -> None:
        (folder / "cache").mkdir()
        (folder / "job").mkdir()
        self.folder = folder / "job"
        self.cookies = Cookies(folder / "cookies")
        self.readers = PageReaders(SETTINGS, OPEN, folder / "cache", limits=limits)
        self.engine = YtdlpEngine(SETTINGS, OPEN, self.cookies, self.readers)
        self.control = self.engine.control()

    def task(self, url: str, **more: Any) -> Task:
        return Task("job", url, self.folder, **more)

    def read(self, url: str, **more: Any) -> Extraction:
        return self.engine.extract(self.task(url, **more), self.control)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.readers.close()


def test_what_a_reader_finds_is_what_the_page_says(desk: Desk, media: MediaServer) -> None:
    feed = media.feed("list", [media.url(f"text/{number}.mp4") for number in range(3)])
    here = YtdlpEngine(SETTINGS, OPEN)
    for url in (media.text("clip.mp4", VIDEO), feed):
        there, near = desk.read(url), here.extract(desk.task(url), here.control())
        assert (there.info, there.host) == (near.info, near.host)
        fields = json.loads(json.dumps(near.fields))
        assert {**fields, "epoch": 0} == {**there.fields, "epoch": 0}  # the time of the extraction
        assert there.is_fresh


def test_a_page_that_was_read_there_is_downloaded_here(desk: Desk, media: MediaServer) -> None:
    page = desk.read(media.url("/media/video.mp4"))
    made = desk.engine.download(desk.task(page.info.url), page, desk.control, lambda _: None)
    assert Path(made.files[0].path).read_bytes() == (media.media / "video.mp4").read_bytes()


def test_one_process_reads_many_pages(desk: Desk, media: MediaServer) -> None:
    url = media.text("clip.mp4", VIDEO)
    desk.read(url)
    (first,) = children()
    desk.read(url)
    assert children() == [first]


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("a.mpd", MPD.format(900_000_000, ' duration="1">')),
        (
            "b.mpd",
            MPD.format(9, '><SegmentTimeline><S t="0" d="1" r="900000000"/></SegmentTimeline>'),
        ),
        ("c.ism/Manifest", ISM),
    ],
)
def test_a_manifest_with_a_billion_fragments_takes_no_memory_of_the_service(
    desk: Desk, media: MediaServer, name: str, manifest: str
) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(DownloadError, match="more than 512 MiB of memory") as caught:
        desk.read(media.text(name, manifest, "application/dash+xml"))
    assert (caught.value.code, caught.value.transient) == ("unsupported_url", False)
    assert psutil.Process().memory_info().rss - before < 20 * 2**20
    assert desk.read(media.text("clip.mp4", VIDEO)).info.title == "clip"


def test_a_page_that_takes_hours_is_given_up(tmp_path: Path, media: MediaServer) -> None:
    desk = Desk(tmp_path, ReaderLimits(processor_time=1))
    with pytest.raises(DownloadError, match="too much processor time") as caught:
        desk.read(media.text("x.html", ENDLESS, "text/html"))
    assert (caught.value.code, caught.value.transient) == ("unsupported_url", False)
    assert children() == []


def test_a_stop_kills_a_reader_that_is_busy(tmp_path: Path, media: MediaServer) -> None:
    desk = Desk(tmp_path)
    caught: list[BaseException] = []

    def read() -> None:
        try:
            desk.read(media.text("x.html", ENDLESS, "text/html"))
        except Stopped as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    while not any("x.html" in request.path for request in media.requests):
        time.sleep(0.01)
    desk.control.stop()
    thread.join(5)
    assert caught
    assert children() == []


def test_an_idle_reader_ends_and_the_next_page_gets_another(
    tmp_path: Path, media: MediaServer
) -> None:
    desk = Desk(tmp_path, ReaderLimits(rest=0.1))
    url = media.text("clip.mp4", VIDEO)
    desk.read(url)
    (reader,) = children()
    assert not psutil.wait_procs([reader], timeout=10)[1]
    while psutil.pid_exists(reader.pid):  # no zombie stays either
        time.sleep(0.01)
    assert desk.read(url).info.title == "clip"
    desk.readers.close()


def test_a_reader_that_is_killed_is_a_failure_that_is_tried_again(
    desk: Desk, media: MediaServer
) -> None:
    media.text("x.html", ENDLESS, "text/html")

    def kill() -> None:
        while not any("x.html" in request.path for request in media.requests):
            time.sleep(0.01)
        children()[0].kill()

    threading.Thread(target=kill).start()
    with pytest.raises(DownloadError) as caught:
        desk.read(media.url("text/x.html"))
    assert caught.value.transient


def test_a_session_is_logged_in_there(desk: Desk, media: MediaServer) -> None:
    desk.cookies.save(
        "default",
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n",
    )
    desk.read(media.text("clip.mp4", VIDEO))
    assert any("name=value" in str(request) for request in media.requests)


def test_an_inside_address_is_refused_there(tmp_path: Path, media: MediaServer) -> None:
    readers = PageReaders(SETTINGS, SecuritySettings(), tmp_path)
    engine = YtdlpEngine(SETTINGS, SecuritySettings(), None, readers)
    with pytest.raises(DownloadError) as caught:
        engine.extract(Task("job", media.url("text/x"), tmp_path), engine.control())
    assert caught.value.code == "blocked_address"
    assert media.requests == []
    readers.close()


def test_a_reader_can_also_download(desk: Desk, media: MediaServer) -> None:
    reports: list[Report] = []
    url = media.url("/media/video.mp4")
    done = desk.readers.download(desk.task(url), [], desk.control, reports.append)
    made = Path(done.made.files[0].path)
    assert made.read_bytes() == (media.media / "video.mp4").read_bytes()
    assert reports[-1].percent > 0
    assert children() == []


@pytest.mark.parametrize(
    ("info", "whole"),
    [
        ({"protocol": "https"}, False),
        ({"requested_formats": [{"protocol": "m3u8_native"}, {"protocol": "m3u8"}]}, False),
        ({"protocol": "http_dash_segments"}, False),
        ({"protocol": "http_dash_segments_generator"}, True),
        ({"protocol": "f4m"}, True),
        ({"requested_formats": [{"protocol": "https"}, {"protocol": "ism"}]}, True),
        ({"protocol": "http_dash_segments", "fragments": iter}, True),
    ],
)
def test_what_no_thread_can_download_is_downloaded_in_a_reader(
    info: dict[str, Any],
    whole: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert page_info.is_whole(info) is whole


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is a part of Linux")
def test_a_reader_writes_in_its_folder_only(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    program = """
import os, subprocess, sys
from pathlib import Path
from mediarip_mqtt.engine.reader_limits import restrict_writes
assert restrict_writes([Path("own")])
Path("own/file").write_text("x")
for attempt in (
    lambda: Path("file").write_text("x"),
    lambda: Path("own/file").rename("moved"),
    lambda: Path("kept").unlink(),
    lambda: os.truncate("kept", 0),
    lambda: subprocess.run(["touch", "file"], check=True, stderr=subprocess.DEVNULL),
):
    try:
        attempt()
    except (OSError, subprocess.CalledProcessError):
        continue
    sys.exit("written")
"""
    (tmp_path / "kept").write_text("kept")
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        timeout=30,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "own"]
    assert (tmp_path / "kept").read_text() == "kept"
