"""Fetches a page's thumbnail and converts it to a small JPEG."""

from __future__ import annotations

import subprocess
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import programs

MAX_BYTES: Final = 5 * 2**20  # of the site's picture
MAX_PIXELS: Final = 40_000_000
WIDTH: Final = 640
CONVERT_TIME: Final = 10.0
# Magic bytes, their offset, and ffmpeg's demuxer: always named, since a guessed one may open other
# files.
_KINDS: Final = (
    (b"\xff\xd8\xff", 0, "jpeg_pipe"),
    (b"\x89PNG\r\n\x1a\n", 0, "png_pipe"),
    (b"WEBP", 8, "webp_pipe"),
)


def fetch(session: Any, url: str) -> bytes:
    """Return the picture at a URL as a JPEG of at most `WIDTH` pixels; raises `DownloadError`."""
    with session.urlopen(url) as response:
        content = response.read(MAX_BYTES + 1)
    kind = next(
        (demuxer for magic, offset, demuxer in _KINDS if content[offset:].startswith(magic)), None
    )
    program = programs.ffmpeg()
    if kind is None or program is None or len(content) > MAX_BYTES:
        raise DownloadError(
            ErrorCode.POSTPROCESSING,
            "The thumbnail is not a JPEG, PNG or WebP of at most 5 MiB.",
        )
    command = [program, "-v", "error", "-nostdin", "-threads", "1", "-protocol_whitelist", "pipe"]
    command += ["-max_pixels", str(MAX_PIXELS), "-f", kind, "-i", "pipe:0", "-frames:v", "1"]
    command += ["-vf", f"scale='min({WIDTH},iw)':-2", "-q:v", "5", "-f", "mjpeg", "pipe:1"]
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
