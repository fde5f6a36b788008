"""What was recorded of a live stream is kept, whatever ends or interrupts the recording."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import ffmpeg_proxy, live_recording
from mediarip_mqtt.engine.protocol import Made, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.broker import wait_for
from tests.support.live import LiveServer
from tests.support.work import Work

OPEN = SecuritySettings(allow_private_addresses=True)
GUARDED = SecuritySettings(allowed_hosts=("127.0.0.1",))

Begin = Callable[..., Work]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    folder = tmp_path / "job"
    folder.mkdir()
    return lambda url, security=OPEN, **options: Work(url, folder, security, **options)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_recording, "PAUSE", 0.3)


def recorded(folder: Path, size: int) -> Callable[[], bool]:
    def enough() -> bool:
        files = [path for path in folder.rglob("media*") if path.is_file()]
        return sum(path.stat().st_size for path in files) > size

    return enough


def seconds(path: str | Path) -> float:
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True)
    return float(json.loads(done.stdout)["format"]["duration"])


def made(work: Work) -> Made:
    work.thread.join(60)
    assert isinstance(work.outcome, Made), work.outcome
    return work.outcome


@pytest.mark.parametrize("security", [OPEN, GUARDED], ids=["open", "guarded"])
def test_a_stream_that_no_longer_grows_has_ended_and_its_recording_is_whole(
    security: SecuritySettings, begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    live.until = 3
    work = begin(live.url("live.m3u8"), security)
    wait_for(recorded(tmp_path, 10_000), 20, "the recording")
    wait_for(lambda: live.age > 6, 20, "the stall")
    work.control.finish("stalled")
    files = made(work)
    assert seconds(files.files[0].path) > 2
    assert "without saying" in str(files.warning)


@pytest.mark.parametrize("security", [OPEN, GUARDED], ids=["open", "guarded"])
def test_a_list_that_is_not_served_for_seconds_is_asked_again(
    security: SecuritySettings, begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    work = begin(live.url("live.m3u8"), security)
    wait_for(recorded(tmp_path, 10_000), 20, "the recording")
    live.status, since = 503, live.age
    wait_for(lambda: live.age > since + 2.5, 10)
    live.status = 200
    wait_for(lambda: live.age > since + 6, 10)
    live.until, live.ended = live.age, True
    files = made(work)
    assert seconds(files.files[0].path) > live.until - since + 2
    assert len(files.files) == 1
    assert files.warning is None


def test_a_stream_that_comes_back_after_an_interruption_is_joined_and_the_gap_is_named(
    begin: Begin, live: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Michele0303/tiktok-live-recorder#158: the recording ends at the first connection problem."""
    monkeypatch.setattr(ffmpeg_proxy, "PATIENCE", 0.5)
    monkeypatch.setattr(live_recording, "PAUSE", 2.0)
    work = begin(live.url("live.m3u8"))
    wait_for(recorded(tmp_path, 10_000), 20, "the recording")
    live.status, since = 404, live.age
    wait_for(lambda: live.age > since + 4, 10)
    live.status = 200
    wait_for(lambda: live.age > since + 9, 10)
    live.until, live.ended = live.age, True
    files = made(work)
    assert len(files.files) == 1
    assert seconds(files.files[0].path) > since + 5
    assert "are missing" in str(files.warning)


def test_picture_and_sound_of_a_stream_are_recorded_at_the_same_time(
    begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    work = begin(live.url("master.m3u8"))
    wait_for(recorded(tmp_path, 60_000), 20, "the recording")
    live.until, live.ended = live.age, True
    path = made(work).files[0].path
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,duration:format"]
    done = subprocess.run([*command, "-of", "json", path], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert {stream["codec_type"] for stream in found["streams"]} == {"audio", "video"}
    assert all(float(stream["duration"]) > 2 for stream in found["streams"])
    assert "mp4" in found["format"]["format_name"]


@pytest.mark.parametrize("name", ["live.m3u8", "radio.mp3"])
def test_a_recording_that_was_stopped_is_joined_to_the_next_one(
    name: str, begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    """ytdl-org/youtube-dl#16347: a stream that is resumed overwrites what was recorded."""
    work = begin(live.url(name))
    wait_for(recorded(tmp_path, 40_000), 20, "the recording")
    work.stop()
    assert isinstance(work.outcome, Stopped)
    stopped = live.age
    # Otherwise the next recording begins with the same segments, and holds the first one.
    wait_for(lambda: live.age > stopped + 2, 10)
    work = begin(live.url(name))
    wait_for(lambda: live.age > stopped + 6, 20)
    live.until, live.ended, live.radio_limit = live.age, True, 0
    live.status = 200 if name == "live.m3u8" else 404
    if name == "radio.mp3":
        wait_for(lambda: work.control.live, 20)
        work.control.finish("stalled")
    files = made(work)
    assert len(files.files) == 1, files
    assert seconds(files.files[0].path) > stopped + 2
    assert "interrupted; about" in str(files.warning)


def test_a_radio_whose_connection_breaks_is_recorded_on(
    begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    live.radio_limit = 30_000
    work = begin(live.url("radio.mp3"))
    wait_for(lambda: live.requests.count("radio.mp3") >= 3, 20, "a new connection")
    wait_for(recorded(tmp_path, 50_000), 20, "more data")
    work.control.finish("stalled")
    files = made(work)
    assert len(files.files) == 1
    assert files.files[0].size > 48_000


def test_a_file_without_a_length_whose_download_began_again_is_there_once(
    begin: Begin, live: LiveServer
) -> None:
    live.icy, live.from_begin, live.radio_limit = False, True, 100_000
    files = made(begin(live.url("radio.mp3")))
    assert len(files.files) == 1
    whole = (live.folder / "radio.mp3").read_bytes()
    assert Path(files.files[0].path).read_bytes() == whole
    assert files.warning is None


def test_parts_that_can_not_be_joined_are_kept_beside_one_another(
    begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    work = begin(live.url("live.m3u8"))
    wait_for(recorded(tmp_path, 40_000), 20, "the recording")
    work.stop()
    live.segment = "odd.ts"
    work = begin(live.url("live.m3u8"))
    since = live.age
    wait_for(lambda: live.age > since + 3, 20)
    live.until, live.ended = live.age, True
    files = made(work)
    assert [file.kind for file in files.files] == ["medium", "part"]
    assert all(seconds(file.path) >= 1 for file in files.files)
    assert "kept beside it" in str(files.warning)


def test_a_stream_that_is_gone_at_the_next_attempt_leaves_its_recording(
    begin: Begin, live: LiveServer, tmp_path: Path
) -> None:
    work = begin(live.url("live.m3u8"))
    wait_for(recorded(tmp_path, 40_000), 20, "the recording")
    work.stop()
    live.status = 404
    work = begin(live.url("live.m3u8"))
    work.thread.join(30)
    assert isinstance(work.outcome, DownloadError)
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    task = Task("job", live.url("live.m3u8"), tmp_path / "job")
    rest = engine.recorded(task, engine.control())
    assert rest is not None
    assert rest.fields["title"].startswith("live")
    assert [Path(file.path).suffix for file in rest.made.files] == [".mp4"]
    assert seconds(rest.made.files[0].path) >= 2


def test_a_recording_that_the_volume_has_no_room_to_convert_is_kept_as_it_is(
    begin: Begin, live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DmitryScaletta/twitch-dlp#62: files are deleted when merging fails for lack of space."""
    live.until = 2
    work = begin(live.url("live.m3u8"))
    wait_for(lambda: live.age > 3 and work.control.live, 20, "the recording")
    monkeypatch.setattr("mediarip_mqtt.engine.kept_recording.ROOM", 2**60)
    live.ended = True
    files = made(work)
    assert [Path(file.path).suffix for file in files.files] == [".ts"]
    assert seconds(files.files[0].path) > 4
    assert "no space" in str(files.warning)


def test_a_live_dash_stream_that_ffmpeg_was_killed_at_can_be_played(
    tmp_path: Path, live: LiveServer
) -> None:
    options: Any = live_recording.live_options({"is_live": True, "ext": "mp4", "protocol": "dash"})
    target = tmp_path / "x.mp4"
    command = ["ffmpeg", "-loglevel", "error", "-re", "-i", str(live.folder / "all.m3u8")]
    command += ["-bsf:a", "aac_adtstoasc"]
    added = options["downloader_options"]["ffmpeg_args_out"]
    child = subprocess.Popen([*command, "-c", "copy", *added, "-f", "mp4", str(target)])
    wait_for(lambda: target.exists() and target.stat().st_size > 40_000, 20)
    child.kill()
    child.wait()
    assert seconds(target) > 1
