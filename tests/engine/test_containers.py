"""A codec that the wanted container refuses costs the container or the extra, not the film."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.postprocessor import get_postprocessor
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor, FFmpegPostProcessorError

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.engine import containers, programs
from tests.support.named import NamedFile
from tests.support.server import MediaServer

Get = Callable[..., tuple[NamedFile, ...]]
Make = Callable[..., str]
VIDEO = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=2"]
SOUND = ["-f", "lavfi", "-i", "sine=d=2"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
SRT = "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n"
# A picture subtitle of Blu-rays (PGS): an empty composition and its end.
PGS = (
    b"PG" + bytes(8) + b"\x16\x00\x0b" + b"\x00\x40\x00\x40\x10\x00\x00\x80\x00\x00\x00"
    b"PG" + bytes(8) + b"\x80\x00\x00"
)


@pytest.fixture
def make(media: MediaServer, tmp_path: Path) -> Make:
    """Return what makes a file with ffmpeg and serves it."""

    def make(name: str, *arguments: str | Path) -> str:
        path = tmp_path / name
        subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, path], check=True)
        return media.text(name, path.read_bytes(), "video/mp4")

    return make


def streams(path: str) -> list[str]:
    shown = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path]
    return subprocess.run(
        ["ffprobe", *shown], capture_output=True, check=True, text=True
    ).stdout.split()


def test_a_codec_that_mp4_refuses_leaves_the_film_in_its_own_container(
    get: Get, make: Make, tmp_path: Path
) -> None:
    # yt-dlp/yt-dlp#10494
    url = make("film.webm", *VIDEO, *SOUND, "-c:v", "libvpx", "-c:a", "libvorbis")
    (film,) = get(url, output_format="mp4")
    assert film.filename.endswith(".webm")
    assert film.warning == "The file stays webm: mp4 takes no vp8."
    assert streams(film.temp_path) == ["vp8", "vorbis"]
    assert {path.name for path in (tmp_path / "temp").glob("media.*[!n]")} == {"media.webm"}


def test_sound_that_mp4_refuses_is_named(get: Get, make: Make) -> None:
    (film,) = get(make("film.mkv", *VIDEO, *SOUND, *X264, "-c:a", "pcm_s16le"), output_format="mp4")
    assert film.warning == "The file stays mkv: mp4 takes no pcm_s16le."


def test_text_subtitles_in_the_film_are_converted(get: Get, make: Make, tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text(SRT)
    inputs = [*VIDEO, *SOUND, "-i", tmp_path / "s.srt", "-map", "0", "-map", "1", "-map", "2"]
    (film,) = get(make("a.mp4", *inputs, *X264, "-c:s", "mov_text"), output_format="mkv")
    assert streams(film.temp_path) == ["h264", "aac", "subrip"]
    assert film.warning is None
    (film,) = get(make("b.mkv", *inputs, *X264, "-c:a", "aac"), output_format="mp4")
    assert streams(film.temp_path) == ["h264", "aac", "mov_text"]
    assert film.warning is None


def test_picture_subtitles_that_mp4_refuses_are_left_out(
    get: Get, make: Make, tmp_path: Path
) -> None:
    """rigaya/NVEnc#336: mp4 takes no PGS, and it can't be converted to text."""
    (tmp_path / "s.sup").write_bytes(PGS)
    inputs = [*VIDEO, "-i", tmp_path / "s.sup", "-map", "0", "-map", "1"]
    (film,) = get(make("film.mkv", *inputs, *X264, "-c:s", "copy"), output_format="mp4")
    assert film.filename.endswith(".mp4")
    assert streams(film.temp_path) == ["h264"]
    assert film.warning == (
        "The subtitles in the file were left out: mp4 takes no hdmv_pgs_subtitle."
    )


def test_a_font_in_the_film_does_not_keep_it_from_mp4(get: Get, make: Make, tmp_path: Path) -> None:
    (tmp_path / "f.ttf").write_bytes(b"\0\1\0\0" + bytes(60))
    font = ["-attach", tmp_path / "f.ttf", "-metadata:s:t", "mimetype=application/x-truetype-font"]
    (film,) = get(make("film.mkv", *VIDEO, *X264, *font), output_format="mp4")
    assert film.filename.endswith(".mp4")
    assert film.warning is None


def test_picture_and_sound_that_mp4_does_not_take_together_become_mkv(
    get: Get, make: Make, media: MediaServer
) -> None:
    picture = make("picture.webm", *VIDEO, "-c:v", "libvpx")
    sound = make("sound.m4a", *SOUND, "-c:a", "aac")

    def apart(info: dict[str, Any]) -> None:
        info["formats"] = [
            {"format_id": "a", "url": sound, "ext": "m4a", "vcodec": "none", "acodec": "aac"},
            {"format_id": "v", "url": picture, "ext": "webm", "vcodec": "vp8", "acodec": "none"},
        ]
        for key in ("url", "format_id", "ext", "direct"):
            info.pop(key, None)

    (film,) = get(media.url("media/video.mp4"), apart, output_format="mp4")
    assert film.filename.endswith(".mkv")
    assert streams(film.temp_path) == ["vp8", "aac"]
    assert film.warning
    assert "vp8 and aac" in film.warning


def test_a_stream_with_sound_that_mp4_refuses_is_named_for_what_it_is(
    get: Get, make: Make, media: MediaServer
) -> None:
    sound = ["-ar", "48000", "-ac", "2", "-c:a", "s302m", "-strict", "-2"]
    segment = make("s.ts", *VIDEO, *SOUND, *X264, *sound)
    url = media.text(
        "list.m3u8",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{segment}\n#EXT-X-ENDLIST\n",
        "application/vnd.apple.mpegurl",
    )
    (film,) = get(url)
    assert not film.filename.endswith(".mp4")
    assert set(streams(film.temp_path)) == {"h264", "s302m"}
    assert film.warning
    assert "s302m" in film.warning


def test_audio_of_a_film_without_sound_is_a_failure_with_the_reason(
    get: Get, media: MediaServer
) -> None:
    with pytest.raises(DownloadError, match="no sound") as caught:
        get(media.url("media/avhls/high.m3u8"), media_type="audio")
    assert caught.value.code == "unavailable"
    assert not caught.value.transient


def test_sound_that_can_not_be_converted_stays_as_it_is(
    get: Get, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FFmpegPostProcessor.run_ffmpeg

    def without_mp3(self: Any, path: str, out_path: str, opts: Any, **named: Any) -> Any:
        if "libmp3lame" in opts:
            raise FFmpegPostProcessorError("Unknown encoder 'libmp3lame'")
        return original(self, path, out_path, opts, **named)

    monkeypatch.setattr(FFmpegPostProcessor, "run_ffmpeg", without_mp3)
    (song,) = get(media.url("media/video.mp4"), media_type="audio", output_format="mp3")
    assert song.filename.endswith(".mka")
    assert streams(song.temp_path) == ["aac"]
    assert song.warning == "The sound is mka: aac could not be converted to mp3."


@pytest.mark.parametrize("key", ["FFmpegMetadata", "FFmpegSplitChapters", "ModifyChapters"])
def test_an_extra_that_fails_costs_itself_only(
    key: str, get: Get, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """yt-dlp/yt-dlp#11122: metadata that can't be embedded fail the whole download."""

    def fail(self: Any, *_: Any, **__: Any) -> None:
        raise FFmpegPostProcessorError("Conversion failed!")

    kind = get_postprocessor(key)
    monkeypatch.setattr(kind, "real_run_ffmpeg", fail)
    monkeypatch.setattr(kind, "_get_real_video_duration", fail)

    def chapters(info: dict[str, Any]) -> None:
        parts = [{"start_time": n, "end_time": n + 2, "title": "x"} for n in (0, 2, 4)]
        info |= {"chapters": parts, "sponsorblock_chapters": []}

    film, *_ = get(
        media.url("media/video.mp4"),
        chapters,
        embed=["metadata"],
        split_chapters=True,
        sponsorblock="remove",
    )
    assert film.warning
    assert containers.EXTRAS[kind.pp_key()] in film.warning


def test_what_can_be_recovered_is_known_by_yt_dlp_s_names() -> None:
    names = [*containers.EXTRAS, *containers.OTHER_WAYS]
    keys = [f"{start}{name}" for name in names for start in ("FFmpeg", "") if _exists(start + name)]
    assert {get_postprocessor(key).pp_key() for key in keys} == set(names)


def _exists(key: str) -> bool:
    try:
        get_postprocessor(key)
    except KeyError:
        return False
    return True


def test_a_full_volume_is_not_taken_for_a_refused_codec(
    media: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'x.mkv: No space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    programs.programs()  # cached for the whole process
    monkeypatch.setattr(programs, "ffmpeg", lambda: str(program))
    with pytest.raises(OSError, match="No space left"):
        containers._run(["a.mp4"], str(tmp_path / "b.mkv"), [])  # noqa: SLF001 - no other way to fill it
