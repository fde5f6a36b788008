"""Small media files, made by ffmpeg once per test run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filelock import FileLock


def make(folder: Path) -> Path:
    """Return a folder with video.mp4, audio.mp3, cover.png, hls/, avhls/ (two heights)."""
    with FileLock(folder.parent / "media.lock"):
        if not (folder / "ready").exists():
            folder.mkdir(exist_ok=True)
            _make(folder)
            (folder / "ready").touch()
    return folder


def _make(folder: Path) -> None:
    video = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=6"]
    audio = ["-f", "lavfi", "-i", "sine=frequency=440:duration=6"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac"]
    _ffmpeg(folder, *video, *audio, *codecs, "video.mp4")
    _ffmpeg(folder, "-i", "video.mp4", "-vn", "-c:a", "libmp3lame", "audio.mp3")
    _ffmpeg(folder, "-i", "video.mp4", "-frames:v", "1", "cover.png")
    hls = ["-hls_time", "1", "-hls_list_size", "0", "-hls_segment_filename"]
    for name in ("hls", "avhls"):
        (folder / name).mkdir(exist_ok=True)
    _ffmpeg(folder, "-i", "video.mp4", "-c", "copy", *hls, "hls/s%03d.ts", "hls/i.m3u8")
    high = ["-i", "video.mp4", "-an", "-c:v", "copy", *hls]
    _ffmpeg(folder, *high, "avhls/h%03d.ts", "avhls/high.m3u8")
    low = ["-i", "video.mp4", "-an", "-vf", "scale=160:120", *codecs[:6], *hls]
    _ffmpeg(folder, *low, "avhls/l%03d.ts", "avhls/low.m3u8")
    sound = ["-i", "video.mp4", "-vn", "-c:a", "copy", *hls]
    _ffmpeg(folder, *sound, "avhls/a%03d.ts", "avhls/audio.m3u8")
    (folder / "avhls" / "master.m3u8").write_text(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",DEFAULT=YES,URI="audio.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=160x120,CODECS="avc1.42c00a,mp4a.40.2",'
        'AUDIO="a"\nlow.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x240,CODECS="avc1.42c00d,mp4a.40.2",'
        'AUDIO="a"\nhigh.m3u8\n'
    )


def _ffmpeg(folder: Path, *arguments: str) -> None:
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *arguments], cwd=folder, check=True)
