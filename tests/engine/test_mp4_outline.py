"""The outline of MP4 files, against what ffmpeg says of the same files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.engine import media_probe
from mediarip_mqtt.engine.mp4_outline import outline

COPY = ["-c", "copy"]


def ffmpeg(source: Path, target: Path, *arguments: str) -> str:
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *arguments, str(target)]
    subprocess.run(command, check=True)
    return str(target)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("same.mp4", COPY),
        ("quick.mp4", [*COPY, "-movflags", "+faststart"]),
        ("silent.mp4", [*COPY, "-an"]),
        ("sound.m4a", [*COPY, "-vn"]),
        ("quicktime.mov", COPY),
    ],
)
def test_what_a_plain_file_holds_is_told_as_ffmpeg_tells_it(
    media_folder: Path, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    path = ffmpeg(media_folder / "video.mp4", tmp_path / name, *arguments)
    told, known = outline(path), media_probe.probe(path)
    assert told is not None
    assert known is not None
    assert told.streams == known.streams
    assert told.duration == pytest.approx(known.duration, abs=0.1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fragments.mp4", [*COPY, "-movflags", "frag_keyframe+empty_moov"]),
        ("matroska.mkv", COPY),
        ("sound.mp3", ["-vn"]),
        ("transport.ts", COPY),
        (
            "encrypted.mp4",
            [
                *COPY,
                "-encryption_scheme",
                "cenc-aes-ctr",
                "-encryption_key",
                "00" * 16,
                "-encryption_kid",
                "11" * 16,
            ],
        ),
    ],
)
def test_what_is_no_plain_mp4_file_is_left_to_ffmpeg(
    media_folder: Path, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    assert outline(ffmpeg(media_folder / "video.mp4", tmp_path / name, *arguments)) is None


def test_a_file_that_is_cut_is_left_to_ffmpeg(media_folder: Path, tmp_path: Path) -> None:
    whole = (media_folder / "video.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    for size in range(0, len(whole), 97):
        cut.write_bytes(whole[:size])
        assert outline(str(cut)) is None


@given(data=st.data())
def test_any_bytes_are_read_without_an_error(
    media_folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((media_folder / "video.mp4").read_bytes())
    path = tmp_path_factory.mktemp("changed") / "changed.mp4"
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    outline(str(path))
