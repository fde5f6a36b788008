"""Decides about an HLS stream before its first segment is fetched: yt-dlp, ffmpeg, or an error.

yt-dlp gives up on a second initialization section (EXT-X-MAP). ffmpeg goes on with the first one's
description of the codecs, which is right only if both say the same, and decrypts no more than
AES-128 and SAMPLE-AES; whatever else it copies as it is, and ends with success.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.networking import Request
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor
from yt_dlp.utils import DownloadError as YtdlpError
from yt_dlp.utils import PostProcessingError, parse_m3u8_attributes

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import work_control

INIT_LIMIT: Final = 2**20  # bytes of an initialization section
INITS: Final = 50  # different ones in a stream
KEYS: Final = 100  # different kinds of keys in a stream
SLACK: Final = 0.02  # of a stream's duration: its list is rounded

_DECRYPTED: Final = frozenset({"AES-128", "SAMPLE-AES"})
# Boxes of MP4 that describe a codec to its decoder.
_CONFIGURATIONS: Final = (b"avcC", b"hvcC", b"av1C", b"vpcC", b"dOps", b"dfLa", b"dac3", b"dec3")
# The AudioSpecificConfig of AAC within `esds`, behind descriptors that also hold bit rates.
_AAC: Final = re.compile(
    rb"esds.{4}\x03(?:\x80{3})?..{3}\x04(?:\x80{3})?..{13}\x05(?:\x80{3})?(.)", re.DOTALL
)
_KEY: Final = re.compile(r"^\s*#EXT-X-KEY:(.*)$", re.MULTILINE)
_KEY_KIND: Final = re.compile(r'(?:URI|KEYID)="[^"]*",?|(?:IV|KEYID)=[^,"]*,?')
_EXITED: Final = re.compile(r"exited with code \d+")
_original = HlsFD.real_download


def download(self: Any, filename: str, info: dict[str, Any]) -> Any:
    """Replace `HlsFD.real_download`."""
    if work_control.current() is None or self.params.get("test"):
        return _original(self, filename, info)
    text = info.get("hls_media_playlist_data")
    if not text:
        response = self.ydl.urlopen(Request(info["url"], headers=info.get("http_headers") or {}))
        text = response.read().decode("utf-8", "replace")
        info = {**info, "url": response.url, "hls_media_playlist_data": text}
    _refuse_encrypted(text)
    inits = list(_inits(text, info["url"]))
    if not inits and HlsFD.can_download(text, info):
        return _original(self, filename, info)
    _refuse_another_encoding(self, inits, info)
    try:
        done = FFmpegFD(self.ydl, self.params).real_download(filename, info)
    except YtdlpError as error:
        if not _EXITED.search(str(error)):
            raise
        raise DownloadError(
            ErrorCode.POSTPROCESSING, "ffmpeg could not download the stream.", transient=True
        ) from error
    if done and "#EXT-X-ENDLIST" in text:
        _check_duration(self, Path(filename), text)
    return done


def _refuse_encrypted(text: str) -> None:
    # Each kind of key once: a list may have any number of them.
    kinds = dict.fromkeys(_KEY_KIND.sub("", line) for line in _KEY.findall(text))
    keys = [parse_m3u8_attributes(line) for line in islice(kinds, KEYS)]
    keys = [key for key in keys if key.get("METHOD", "NONE") != "NONE"]
    usable = [
        key
        for key in keys
        if key.get("METHOD") in _DECRYPTED and key.get("KEYFORMAT", "identity") == "identity"
    ]
    in_mp4 = "#EXT-X-MAP" in text and any(key.get("METHOD") == "SAMPLE-AES" for key in usable)
    if keys and (not usable or in_mp4):
        raise DownloadError(
            ErrorCode.DRM_PROTECTED,
            f"The stream is encrypted ({str(keys[0].get('METHOD'))[:30]}) in a way that only "
            "players with DRM can decrypt.",
        )


def _inits(text: str, base: str) -> Iterator[Request]:
    """Yield a request for each initialization section if there is one behind the first segment."""
    sections: dict[tuple[str, str], None] = {}
    begun = late = False
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            begun = True
        elif line.startswith("#EXT-X-MAP:"):
            late = late or begun
            if len(sections) > INITS:
                break
            found = parse_m3u8_attributes(line.partition(":")[2])
            sections[urljoin(base, found.get("URI") or ""), found.get("BYTERANGE") or ""] = None
    if not late:
        return
    for url, byte_range in sections:
        length, _, start = byte_range.partition("@")
        headers = {}
        if length.isdigit():
            first = int(start) if start.isdigit() else 0
            headers["Range"] = f"bytes={first}-{first + int(length) - 1}"
        yield Request(url, headers=headers)


def _refuse_another_encoding(downloader: Any, inits: list[Request], info: dict[str, Any]) -> None:
    known: set[frozenset[bytes]] = set()
    for request in inits[:INITS]:
        request.headers.update(info.get("http_headers") or {})
        known.add(_codecs(downloader.ydl.urlopen(request).read(INIT_LIMIT)))
    if len(known) > 1 or len(inits) > INITS:
        raise DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "The stream changes its encoding on the way, at an advertisement perhaps; that can't "
            "be put into one file. Try another format of it: `probe` shows them.",
        )


def _codecs(init: bytes) -> frozenset[bytes]:
    """Return what an initialization section says to decoders; itself if nothing is known in it."""
    found: set[bytes] = set()
    for name in _CONFIGURATIONS:
        for match in re.finditer(name, init):
            size = int.from_bytes(init[match.start() - 4 : match.start()], "big")
            found.add(init[match.start() : match.start() - 4 + size])
    for match in _AAC.finditer(init):
        found.add(b"esds" + init[match.end() : match.end() + match[1][0]])
    return frozenset(found or {init})


def _check_duration(downloader: Any, path: Path, text: str) -> None:
    """Raise `DownloadError` if parts are missing: ffmpeg leaves out what it can't fetch."""
    listed = sum(float(value) for value in re.findall(r"#EXTINF:\s*(\d+(?:\.\d+)?)", text))
    try:
        found = FFmpegPostProcessor(downloader.ydl).get_metadata_object(str(path))
        seconds = float((found.get("format") or {}).get("duration") or 0)
    except (PostProcessingError, ValueError):
        return  # without ffprobe
    if seconds + 1 < listed * (1 - SLACK):
        path.unlink(missing_ok=True)
        raise DownloadError(
            ErrorCode.NETWORK,
            f"Parts of the stream could not be fetched: {seconds:.0f} of {listed:.0f} s are there.",
            transient=True,
        )
