"""Which programs the work may start, and what ffmpeg may open.

A page or a media server has a say in what lies in the files that ffmpeg reads, and ffmpeg goes by
content: a playlist named ``.mp4`` (HLS, DASH, ffconcat, SDP ...) would make it read any media file
of this machine, or connect anywhere. So each input may only be of a format that stands for itself,
in a file of the job's own folder or behind http and https.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any, Final

from mediarip_mqtt.contract.settings import SECRET_VARIABLES
from mediarip_mqtt.engine import programs

# ffmpeg's demuxers that open nothing but the input itself. image2 takes patterns in its file's
# name, which is ours; see `_local`.
_FORMATS: Final = (
    "aac,ac3,aiff,amr,ape,asf,ass,au,avi,av1,bmp_pipe,caf,dts,dtshd,eac3,ffmetadata,flac,flv,gif,"
    "gif_pipe,h264,hevc,image2,ivf,jpeg_pipe,live_flv,lrc,m4v,matroska,mov,mp3,mpeg,mpegts,"
    "mpegvideo,obu,ogg,png_pipe,rm,srt,truehd,tta,vc1,w64,wav,webp_pipe,webvtt,wv"
)
_PLAYLISTS: Final = "hls,dash"  # only from the network, where they can't lead to local files
_SILENCE: Final = 60_000_000  # microseconds without a byte after which ffmpeg gives up
_CUTS: Final = ".concat"
_CUT_FILE: Final = re.compile(r"file '?file:([^'\\]+)'?")
_CUT_TIME: Final = re.compile(r"ffconcat version 1\.0|(?:in|out)point [0-9.e+-]{1,40}")
_PATTERN: Final = re.compile(r"[%*?{\[]")


class ProgramRefusedError(OSError):
    """The work tried to start a program, or one with an input, that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EPERM, message)
        self.message = message


def environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return a child's environment: without the service's settings, which hold passwords."""
    source = os.environ if given is None else given
    return {key: value for key, value in source.items() if not key.startswith(SECRET_VARIABLES)}


def checked(
    arguments: Any,
    named: Mapping[str, Any],
    folder: Path | None,
    proxied: Callable[[str], str] | None,
) -> list[str]:
    """Return the arguments with which a program may be started.

    ``folder`` is the job's own. ``proxied`` makes of a URL what ffmpeg shall ask its proxy for;
    None where it goes without one. Raises `ProgramRefusedError`.
    """
    if isinstance(arguments, str | bytes) or named.get("shell") or named.get("executable"):
        raise _refused("a command line")
    texts = [os.fsdecode(one) for one in arguments]
    kind = programs.programs().get(os.path.abspath(texts[0])) if texts else None  # noqa: PTH100 - resolves no links
    if kind is None:
        raise _refused(f"the program {PurePath(texts[0]).name}" if texts else "nothing")
    if kind == "ffmpeg":
        return _confined(texts, folder, proxied)
    if kind == "ffprobe":
        place = next((n for n, one in enumerate(texts) if one == "-i"), len(texts) - 1)
        last = texts[-1]
        if place == len(texts) - 1 and (place == 0 or last.startswith("-")):
            return texts  # asks for its version
        url, limits = _limits(last, folder, proxied)
        return [texts[0], *limits, *texts[1:-1], url]
    return texts


def opens_network(texts: list[str]) -> bool:
    """Whether ffmpeg or ffprobe is to open a URL: behind ``-i``, or as ffprobe's last argument."""
    inputs = [after for one, after in pairwise(texts) if one == "-i"]
    return any("://" in one for one in [*inputs, *texts[-1:]])


def _confined(
    texts: list[str], folder: Path | None, proxied: Callable[[str], str] | None
) -> list[str]:
    """Return ffmpeg's arguments with limits before each input."""
    result = texts[:1]
    rest = iter(texts[1:])
    for one in rest:
        if one == "-i":
            url, limits = _limits(next(rest, ""), folder, proxied)
            result += [*limits, "-i", url]
        else:
            result.append(one)
    return result


def _limits(
    url: str, folder: Path | None, proxied: Callable[[str], str] | None
) -> tuple[str, list[str]]:
    """Return an input's URL and the options that go before it."""
    if found := re.match(r"https?(?=://)", url, re.IGNORECASE):
        url = found[0].lower() + url[found.end() :]
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
    raise ProgramRefusedError("yt-dlp wanted ffmpeg to open something that is no media file.")


def _only(protocols: str, formats: str) -> list[str]:
    return ["-protocol_whitelist", protocols, "-format_whitelist", formats]


def _check_local(path: Path, folder: Path | None) -> None:
    inside = folder is not None and path.resolve().is_relative_to(folder.resolve())
    if not inside or _PATTERN.search(path.name):
        raise ProgramRefusedError("yt-dlp wanted ffmpeg to open a file that is not the job's own.")


def _check_cuts(path: Path, folder: Path | None) -> None:
    """Refuse a list of cuts, as yt-dlp writes it to take segments out, that names other files."""
    for line in path.read_text("utf-8", "replace").splitlines():
        if found := _CUT_FILE.fullmatch(line):
            _check_local(Path(found[1]), folder)
        elif not _CUT_TIME.fullmatch(line):
            raise ProgramRefusedError("yt-dlp wanted ffmpeg to read a list that is none of cuts.")


def _refused(what: str) -> ProgramRefusedError:
    return ProgramRefusedError(
        f"yt-dlp wanted to start {what}, which is not allowed here: only ffmpeg and a JavaScript "
        "runtime are."
    )
