"""Restricts the programs that work may start, and the files and URLs that ffmpeg may open.

A page or media server controls the content of the files that ffmpeg reads, and ffmpeg detects the
format by content: a playlist named ``.mp4`` (HLS, DASH, ffconcat, SDP ...) would make it read any
media file on this machine, or connect anywhere. So inputs are limited to self-contained formats, in
files in the job's own folder or over http and https.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any, Final

from mediarip_mqtt.contract.settings import SECRET_VARIABLES
from mediarip_mqtt.engine import programs

# ffmpeg's demuxers that open only the input itself. image2 expands patterns in the file name, which
# `_check_local` refuses.
_FORMATS: Final = (
    "aac,ac3,aiff,amr,ape,asf,ass,au,avi,av1,bmp_pipe,caf,dts,dtshd,eac3,ffmetadata,flac,flv,gif,"
    "gif_pipe,h264,hevc,image2,ivf,jpeg_pipe,live_flv,lrc,m4v,matroska,mov,mp3,mpeg,mpegts,"
    "mpegvideo,obu,ogg,png_pipe,rm,srt,truehd,tta,vc1,w64,wav,webp_pipe,webvtt,wv"
)
_PLAYLISTS: Final = "hls,dash"  # only over the network: there they can't refer to local files
_SILENCE: Final = 60_000_000  # microseconds without a byte after which ffmpeg gives up
EXTRA_TIME: Final = 60  # seconds of processor time for subtitles or a picture
EXTRA_MEMORY: Final = 2**30  # bytes
_EXTRAS: Final = frozenset({".ass", ".jpg", ".lrc", ".png", ".srt", ".vtt", ".webp"})
_CUTS: Final = ".concat"
_CUT_FILE: Final = re.compile(r"file '?file:([^'\\]+)'?")
_CUT_TIME: Final = re.compile(r"ffconcat version 1\.0|(?:in|out)point [0-9.e+-]{1,40}")
_PATTERN: Final = re.compile(r"[%*?{\[]")


class ProgramRefusedError(OSError):
    """Work tried to start a program, or to open an input, that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EPERM, message)
        self.message = message


def environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return a child's environment without the service's settings, which hold passwords."""
    source = os.environ if given is None else given
    return {key: value for key, value in source.items() if not key.startswith(SECRET_VARIABLES)}


def checked(
    arguments: Any,
    named: Mapping[str, Any],
    folder: Path | None,
    proxied: Callable[[str], str] | None,
) -> list[str]:
    """Return a program's arguments with limits added; raise `ProgramRefusedError`.

    ``folder`` is the job's own. ``proxied`` converts a URL to the one that ffmpeg requests from the
    guard's proxy; None if it uses none.
    """
    if isinstance(arguments, str | bytes) or named.get("shell") or named.get("executable"):
        raise _refused("a command line")
    texts = [os.fsdecode(argument) for argument in arguments]
    kind = programs.programs().get(os.path.abspath(texts[0])) if texts else None  # noqa: PTH100 - resolves no links
    if kind is None:
        raise _refused(f"the program {PurePath(texts[0]).name}" if texts else "nothing")
    if kind == "ffmpeg":
        return _confined(texts, folder, proxied)
    if kind == "ffprobe":
        input_index = next(
            (index for index, text in enumerate(texts) if text == "-i"), len(texts) - 1
        )
        last = texts[-1]
        if input_index == len(texts) - 1 and (input_index == 0 or last.startswith("-")):
            return texts  # it prints its version
        url, limits = _limits(last, folder, proxied)
        return [texts[0], *limits, *texts[1:-1], url]
    return texts


def limit_extra(pid: int, texts: list[str]) -> None:
    """Limit a program that makes subtitles or a picture: its input may claim any size.

    A medium has no limit: it may take hours, and its size is seen on the volume.
    """
    is_extra = bool(texts) and PurePath(texts[-1]).suffix.lower() in _EXTRAS
    if is_extra and sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_CPU, (EXTRA_TIME, EXTRA_TIME))
            resource.prlimit(pid, resource.RLIMIT_DATA, (EXTRA_MEMORY, EXTRA_MEMORY))


def opens_network(texts: list[str]) -> bool:
    """Whether ffmpeg or ffprobe opens a URL: after ``-i``, or as ffprobe's last argument."""
    inputs = [value for option, value in pairwise(texts) if option == "-i"]
    return any("://" in text for text in [*inputs, *texts[-1:]])


def _confined(
    texts: list[str], folder: Path | None, proxied: Callable[[str], str] | None
) -> list[str]:
    """Return ffmpeg's arguments with limits before each input."""
    result = texts[:1]
    rest = iter(texts[1:])
    for text in rest:
        if text == "-i":
            url, limits = _limits(next(rest, ""), folder, proxied)
            result += [*limits, "-i", url]
        else:
            result.append(text)
    return result


def _limits(
    url: str, folder: Path | None, proxied: Callable[[str], str] | None
) -> tuple[str, list[str]]:
    """Return an input's URL and the options to put before it."""
    if scheme := re.match(r"https?(?=://)", url, re.IGNORECASE):
        url = scheme[0].lower() + url[scheme.end() :]
        protocols = (
            "http,tcp,crypto,data" if proxied else "http,https,httpproxy,tls,tcp,crypto,data"
        )
        options = ["-rw_timeout", str(_SILENCE), *_only(protocols, f"{_FORMATS},{_PLAYLISTS}")]
        return (proxied(url) if proxied else url), options
    if url in {"-", "pipe:", "pipe:0"}:
        return url, _only("pipe", _FORMATS)
    if url.startswith("file:"):
        path = Path(url.removeprefix("file:"))
        _check_local(path, folder)
        if path.suffix == _CUTS:
            _check_cuts(path, folder)
            return url, _only("file", f"concat,{_FORMATS}")
        return url, _only("file", _FORMATS)
    raise ProgramRefusedError("yt-dlp tried to open an input with ffmpeg that is not a media file.")


def _only(protocols: str, formats: str) -> list[str]:
    return ["-protocol_whitelist", protocols, "-format_whitelist", formats]


def _check_local(path: Path, folder: Path | None) -> None:
    inside = folder is not None and path.resolve().is_relative_to(folder.resolve())
    if not inside or _PATTERN.search(path.name):
        raise ProgramRefusedError(
            "yt-dlp tried to open a file with ffmpeg that is not the job's own."
        )


def _check_cuts(path: Path, folder: Path | None) -> None:
    """Check yt-dlp's ffconcat list, which removes segments: it may only name the job's files."""
    for line in path.read_text("utf-8", "replace").splitlines():
        if match := _CUT_FILE.fullmatch(line):
            _check_local(Path(match[1]), folder)
        elif not _CUT_TIME.fullmatch(line):
            raise ProgramRefusedError(
                "yt-dlp tried to open a list with ffmpeg that does more than cut."
            )


def _refused(what: str) -> ProgramRefusedError:
    return ProgramRefusedError(
        f"yt-dlp tried to start {what}, which is not allowed; only ffmpeg and a JavaScript runtime "
        "are."
    )
