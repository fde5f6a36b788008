"""Fetches a page's thumbnail and converts it to a JPEG; makes tiles and posters of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import programs
from mediarip_mqtt.engine.protocol import WIDTH

MAX_BYTES: Final = 8 * 2**20  # of the site's picture
MAX_PIXELS: Final = 40_000_000
POSTER: Final = (600, 900)  # pixels, the shape of posters in media servers
CONVERT_TIME: Final = 10.0
COLUMNS: Final = 8
ROWS: Final = 5
TILE: Final = (128, 72)  # pixels
MAX_TILED: Final = 200_000  # bytes
LOWEST_QUALITY: Final = 15  # as ffmpeg counts: 31 is worst
# Magic bytes, their offset, and ffmpeg's demuxer: always named, since a guessed one may open other
# files.
_KINDS: Final = (
    (b"\xff\xd8\xff", 0, "jpeg_pipe"),
    (b"\x89PNG\r\n\x1a\n", 0, "png_pipe"),
    (b"WEBP", 8, "webp_pipe"),
)


def fetch(session: Any, url: str, width: int = WIDTH) -> bytes:
    """Return the picture at a URL as a JPEG of at most ``width`` pixels; raises `DownloadError`."""
    with session.urlopen(url) as response:
        content = response.read(MAX_BYTES + 1)
    kind = next(
        (demuxer for magic, offset, demuxer in _KINDS if content[offset:].startswith(magic)), None
    )
    if kind is None or programs.ffmpeg() is None or len(content) > MAX_BYTES:
        raise DownloadError(
            ErrorCode.POSTPROCESSING,
            "The thumbnail is not a JPEG, PNG or WebP of at most 8 MiB.",
        )
    return _convert(
        content,
        ["-max_pixels", str(MAX_PIXELS), "-f", kind, "-i", "pipe:0"],
        f"scale='min({width},iw)':-2",
        quality=5,
    )


def tile(picture: bytes) -> bytes:
    """Return a picture that `fetch` has returned as a JPEG of the size of a tile, cut to fit."""
    return _convert(
        picture,
        ["-f", "jpeg_pipe", "-i", "pipe:0"],
        f"scale={TILE[0]}:{TILE[1]}:force_original_aspect_ratio=increase,"
        f"crop={TILE[0]}:{TILE[1]},setsar=1,format=yuvj420p",
        quality=4,
    )


def poster(picture: bytes) -> bytes:
    """Return a picture that `fetch` has returned as a poster: whole, before itself, blurred."""
    width, height = POSTER
    return _convert(
        picture,
        ["-f", "jpeg_pipe", "-i", "pipe:0"],
        f"split[a][b];[a]scale={width}:{height}:force_original_aspect_ratio=increase,"
        f"crop={width}:{height},boxblur=24:2[back];"
        f"[b]scale={width}:{height}:force_original_aspect_ratio=decrease[front];"
        "[back][front]overlay=(W-w)/2:(H-h)/2,setsar=1,format=yuvj420p",
        quality=4,
    )


def tiled(tiles: Sequence[bytes]) -> bytes:
    """Return `COLUMNS` x `ROWS` tiles as one JPEG of at most `MAX_TILED` bytes."""
    quality = 5
    while True:
        picture = _convert(
            b"".join(tiles),
            ["-f", "jpeg_pipe", "-i", "pipe:0"],
            f"tile={COLUMNS}x{ROWS}",
            quality=quality,
        )
        if len(picture) <= MAX_TILED:
            return picture
        if quality > LOWEST_QUALITY:
            raise DownloadError(ErrorCode.POSTPROCESSING, "The tiled thumbnails are too large.")
        quality *= 2


def has_ffmpeg() -> bool:
    """Whether pictures can be converted; may take long the first time."""
    return programs.ffmpeg() is not None


def _convert(content: bytes, source: list[str], filters: str, *, quality: int) -> bytes:
    """Return the first frame as a JPEG; ``quality`` is from 2 (best) to 31."""
    program = programs.ffmpeg()
    if program is None:
        raise DownloadError(ErrorCode.POSTPROCESSING, "ffmpeg is missing.")
    command = [program, "-v", "error", "-nostdin", "-threads", "1", "-protocol_whitelist", "pipe"]
    command += [*source, "-frames:v", "1", "-vf", filters]
    command += ["-q:v", str(quality), "-f", "mjpeg", "pipe:1"]
    with subprocess.Popen(  # noqa: S603 - a path from `programs`
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            picture, _ = child.communicate(content, CONVERT_TIME)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    if child.returncode or not picture:
        raise DownloadError(ErrorCode.POSTPROCESSING, "The thumbnail could not be read.")
    return picture
