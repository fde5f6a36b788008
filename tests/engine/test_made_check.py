"""What was downloaded is looked at: kinds of streams, length, and that it is a medium at all."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import made_check, media_probe, programs
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.broker import wait_for
from tests.support.named import NamedFile
from tests.support.server import MediaServer

Get = Callable[..., tuple[NamedFile, ...]]
HLS = "application/vnd.apple.mpegurl"
PAGE = """<!doctype html><html><head><title>A film</title>
<script type="application/ld+json">%s</script></head><body></body></html>"""


def take_ffmpeg_away(monkeypatch: pytest.MonkeyPatch) -> None:
    programs.programs()  # cached for the whole process: not without ffmpeg
    monkeypatch.setattr(programs, "ffmpeg", lambda: None)


def streams(path: str) -> list[str]:
    shown = ["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", path]
    return subprocess.run(
        ["ffprobe", *shown], capture_output=True, check=True, text=True
    ).stdout.split()


def master(media: MediaServer, attributes: str, group: str = 'AUDIO="a"') -> str:
    """Serve an HLS master list whose picture and sound are lists of their own."""
    return media.text(
        "master.m3u8",
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,'
        'URI="/media/avhls/audio.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Described",LANGUAGE="en",DEFAULT=NO,'
        'URI="/media/avhls/none.m3u8"\n'
        f"#EXT-X-STREAM-INF:BANDWIDTH=300000{attributes},{group}\n/media/avhls/high.m3u8\n",
        HLS,
    )


def page(media: MediaServer, duration: str, link: str = "media/video.mp4") -> str:
    content = {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": "A film",
        "duration": duration,
        "contentUrl": media.url(link),
    }
    return media.text("film.html", PAGE % json.dumps(content))


# Kinds of streams


@pytest.mark.parametrize(
    ("attributes", "group"),
    [
        (",RESOLUTION=320x240", 'AUDIO="a"'),
        ("", 'AUDIO="a"'),
        (',RESOLUTION=320x240,CODECS="x264.new"', 'AUDIO="a"'),
        (",RESOLUTION=320x240", "FRAME-RATE=10"),
        (',RESOLUTION=320x240,CODECS="avc1.42c00d,mp4a.40.2"', "FRAME-RATE=10"),
    ],
    ids=["no codecs", "no size", "unknown codecs", "no group", "codecs of both, no group"],
)
def test_a_film_whose_sound_is_a_list_of_its_own_has_sound(
    attributes: str, group: str, get: Get, media: MediaServer
) -> None:
    # yt-dlp/yt-dlp#9562: without CODECS yt-dlp takes the variant as complete.
    (film,) = get(master(media, attributes, group))
    assert sorted(streams(film.temp_path)) == ["audio", "video"]
    assert film.warning is None
    assert film.filename.endswith(".mp4")


def test_a_live_stream_s_sound_is_recorded_with_its_picture(media: MediaServer) -> None:
    for name in ("high", "audio"):
        listed = (media.media / "avhls" / f"{name}.m3u8").read_text()
        media.text(f"{name}.m3u8", listed.replace("#EXT-X-ENDLIST\n", ""), HLS)
    master(media, ",RESOLUTION=320x240")
    kind, content = media.texts["master.m3u8"]
    media.texts["master.m3u8"] = (kind, content.replace(b"/media/avhls/", b"/text/"))
    engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allow_private_addresses=True))
    task = Task("job", media.url("text/master.m3u8"), Path("unused"))
    info = engine.extract(task, engine.control()).handle.info
    assert info["is_live"]
    assert [item["acodec"] for item in info["formats"] if item.get("height")] == ["none"]


def test_a_film_is_not_lost_for_sound_that_is_gone_and_the_warning_says_so(
    get: Get, media: MediaServer
) -> None:
    url = master(media, ",RESOLUTION=320x240")
    kind, content = media.texts["master.m3u8"]
    media.texts["master.m3u8"] = (kind, content.replace(b"audio.m3u8", b"gone.m3u8"))
    (film,) = get(url)
    assert streams(film.temp_path) == ["video"]
    assert film.warning
    assert "sound" in film.warning


def test_a_film_that_is_silent_everywhere_is_complete(get: Get, media: MediaServer) -> None:
    (film,) = get(media.url("media/avhls/high.m3u8"))
    assert streams(film.temp_path) == ["video"]
    assert film.warning is None


def test_what_the_page_claims_and_the_file_lacks_is_said(get: Get, media: MediaServer) -> None:
    url = media.text(
        "claims.m3u8",
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=9x9,CODECS="avc1.42c00d,mp4a.40.2"\n'
        "/media/avhls/high.m3u8\n",
        HLS,
    )
    (film,) = get(url)
    assert film.warning == "The file has no sound, though the page offers it."


# A medium at all


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
        ("\ufeff \n<html><head></head></html>", "web page"),
        ('{"error": "expired"}', "JSON"),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"output_format": "mkv"}, {"media_type": "audio"}])
@pytest.mark.parametrize("with_ffmpeg", [True, False])
def test_a_page_in_place_of_the_film_is_a_failure_with_the_reason(
    content: str,
    named: str,
    options: dict[str, Any],
    with_ffmpeg: bool,  # noqa: FBT001 - a parameter of the test
    get: Get,
    media: MediaServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ytdl-org/youtube-dl#30735: picture and sound of 463 bytes, both of them pages of HTML."""
    if not with_ffmpeg:
        take_ffmpeg_away(monkeypatch)
    url = media.text("film.mp4", b"\0" * 8000, "video/mp4")

    def replaced(_: dict[str, Any]) -> None:
        media.text("film.mp4", content, "text/html")

    with pytest.raises(DownloadError) as caught:
        get(url, replaced, **options)
    assert caught.value.code == "unavailable"
    assert named in caught.value.message
    # The next attempt must not take the page for a film that was downloaded.
    assert not list((tmp_path / "temp").glob("media.mp4"))


def test_bytes_that_nothing_is_known_of_are_kept(get: Get, media: MediaServer) -> None:
    (file,) = get(media.url("bytes/20000/film.mp4"))
    assert file.filesize == 20_000


# The whole


def cut(media: MediaServer, path: Path, share: float) -> bytes:
    source = media.media / "video.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", source, "-c", "copy", "-movflags", "faststart", path],
        check=True,
    )
    whole = path.read_bytes()
    return whole[: int(len(whole) * share)]


@pytest.mark.parametrize("with_ffmpeg", [True, False])
def test_a_film_without_its_index_is_a_failure_with_the_reason(
    with_ffmpeg: bool,  # noqa: FBT001 - a parameter of the test
    get: Get,
    media: MediaServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not with_ffmpeg:
        take_ffmpeg_away(monkeypatch)
    # The index is at the end, as ffmpeg writes it by default.
    content = (media.media / "video.mp4").read_bytes()
    (media.media / "half.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(DownloadError, match="moov") as caught:
        get(media.url("/unknown/media/half.mp4"))  # no length tells whether that was all
    assert caught.value.code == "network"
    assert caught.value.transient


def test_a_film_without_its_index_is_kept_with_a_warning_where_the_site_has_no_more(
    get: Get, media: MediaServer
) -> None:
    content = (media.media / "video.mp4").read_bytes()
    url = media.text("half.mp4", content[: len(content) // 2], "video/mp4")
    (film,) = get(url)
    assert "The site's file is damaged" in (film.warning or "")


def test_a_film_that_ends_early_is_kept_and_the_warning_says_so(
    get: Get, media: MediaServer, tmp_path: Path
) -> None:
    url = media.text("cut.mp4", cut(media, tmp_path / "whole.mp4", 0.6), "video/mp4")
    (film,) = get(url, output_format="mkv")
    assert film.warning
    assert "ends early" in film.warning


@pytest.mark.parametrize(
    ("duration", "short"),
    [("PT10M", True), ("PT20S", True), ("PT9S", False), ("PT6S", False), ("PT1S", False)],
)
def test_a_film_much_shorter_than_its_page_says_has_a_warning(
    duration: str,
    short: bool,  # noqa: FBT001 - a parameter of the test
    get: Get,
    media: MediaServer,
) -> None:
    """ytdl-org/youtube-dl#773: 27 seconds of a film of nine minutes, and no error."""
    (film,) = get(page(media, duration))
    assert (film.warning is not None) is short
    if short:
        assert "0:06" in str(film.warning)


@pytest.mark.parametrize(
    "change",
    [
        {"live_status": "is_live", "is_live": True},
        {"section_start": 1, "section_end": 3},
        {"sponsorblock_chapters": [{"category": "sponsor"}]},
    ],
)
def test_a_length_that_need_not_be_the_page_s_is_not_compared(
    change: dict[str, Any], media: MediaServer
) -> None:
    session = type("Session", (), {"params": {}})
    info = {"filepath": str(media.media / "video.mp4"), "duration": 600}
    assert made_check.check_result(session, info)
    assert not made_check.check_result(session, {**info, **change})


def test_sound_that_ends_long_before_the_picture_has_a_warning(
    get: Get, media: MediaServer, tmp_path: Path
) -> None:
    """ytdl-org/youtube-dl#22943: the sound stops, the picture goes on."""
    source = media.media / "video.mp4"
    loop = ["ffmpeg", "-v", "error", "-stream_loop", "3", "-i", str(source), "-an", "-c", "copy"]
    subprocess.run([*loop, str(tmp_path / "picture.mp4")], check=True)
    sound = ["ffmpeg", "-v", "error", "-i", str(source), "-vn", "-c", "copy"]
    subprocess.run([*sound, str(tmp_path / "sound.m4a")], check=True)
    picture = media.text("p.mp4", (tmp_path / "picture.mp4").read_bytes(), "video/mp4")
    audio = media.text("a.m4a", (tmp_path / "sound.m4a").read_bytes(), "audio/mp4")

    def apart(info: dict[str, Any]) -> None:
        info["formats"] = [
            {"format_id": "a", "url": audio, "ext": "m4a", "vcodec": "none", "acodec": "aac"},
            {"format_id": "v", "url": picture, "ext": "mp4", "vcodec": "h264", "acodec": "none"},
        ]
        for key in ("url", "format_id", "ext", "direct"):
            info.pop(key, None)

    (film,) = get(media.url("media/video.mp4"), apart)
    assert film.warning == "The sound ends at 0:06 of 0:24."


def test_without_ffmpeg_a_size_far_below_the_page_s_is_said(
    get: Get, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_ffmpeg_away(monkeypatch)

    def told(info: dict[str, Any]) -> None:
        info["formats"][0]["filesize"] = 10**8

    (film,) = get(media.url("media/video.mp4"), told)
    assert film.warning
    assert "100000000" in film.warning


def hls_list(media: MediaServer, kind: str = "", *, ended: bool = False) -> str:
    """Serve the segments of a film in a list of a certain kind."""
    listed = (media.media / "hls" / "i.m3u8").read_text().replace("s0", "/media/hls/s0")
    listed = listed if ended else listed.replace("#EXT-X-ENDLIST\n", "")
    return media.text("list.m3u8", listed.replace("#EXTINF", f"{kind}#EXTINF", 1), HLS)


def test_a_list_of_a_film_is_not_live_without_its_end_tag(get: Get, media: MediaServer) -> None:
    """video-dev/hls.js#668: a list of the type VOD whose ENDLIST comes late or not at all."""
    (film,) = get(hls_list(media, "#EXT-X-PLAYLIST-TYPE:VOD\n"))
    probed = media_probe.probe(film.temp_path)
    assert probed
    assert probed.duration == pytest.approx(6, abs=0.2)
    assert film.warning is None


def test_what_holds_its_first_segment_is_recorded_from_there(get: Get, media: MediaServer) -> None:
    url = hls_list(media)

    def end() -> None:
        wait_for(lambda: any("s000" in one.path for one in media.requests), 20)
        hls_list(media, ended=True)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    (film,) = get(url)
    thread.join(5)
    probed = media_probe.probe(film.temp_path)
    assert probed
    assert probed.duration == pytest.approx(6, abs=0.2)


@pytest.mark.parametrize("kind", ["#EXT-X-MEDIA-SEQUENCE:7\n", "#EXT-X-PLAYLIST-TYPE:EVENT\n"])
def test_what_began_before_is_recorded_from_now(
    kind: str, media: MediaServer, tmp_path: Path
) -> None:
    hls_list(media)
    listed = media.texts["list.m3u8"][1].decode().replace("#EXT-X-MEDIA-SEQUENCE:0\n", kind)
    url = media.text("began.m3u8", listed, HLS)
    engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allow_private_addresses=True))
    extraction = engine.extract(Task("job", url, tmp_path), engine.control())
    assert extraction.handle.info["is_live"]
    assert "downloader_options" not in extraction.handle.info["formats"][0]


# What ffmpeg says


def test_ffmpeg_s_words_for_an_input_are_read() -> None:
    probed = media_probe.parse(
        "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:x.mp4':\n"
        "  Metadata:\n    title           : Stream #0:9: Audio: evil\n"
        "  Duration: 01:00:02.50, start: 0.000000, bitrate: 71 kb/s\n"
        "  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 320x240\n"
        "  Stream #0:1[0x2](eng): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz (default)\n"
        "  Stream #0:2[0x3](eng): Subtitle: mov_text (tx3g / 0x67337874)\n"
        "  Stream #0:3[0x0]: Video: mjpeg (Baseline), yuvj444p, 1x1 (attached pic)\n"
        "At least one output file must be specified\n"
    )
    assert [(one.number, one.kind, one.codec) for one in probed.streams] == [
        (0, "video", "h264"),
        (1, "audio", "aac"),
        (2, "subtitle", "mov_text"),
    ]
    assert probed.duration == 3602.5
    assert not media_probe.parse("x.mp4: Invalid data found when processing input").readable


def test_the_boxes_of_any_file_end(tmp_path: Path) -> None:
    path, begin = tmp_path / "x.mp4", b"\0\0\0\x08ftyp"
    for content in (b"", bytes(100), begin, begin + b"\0\0\0\0mdat", b"\0\0\0\1mdat"):
        path.write_bytes(content)
        found = media_probe.boxes(str(path))
        assert found is None or not found.has_index
    path.write_bytes(begin + b"\0\0\0\1mdat" + (2**60).to_bytes(8, "big") + bytes(9))
    assert media_probe.boxes(str(path)) == (False, 2**60 - 25)
