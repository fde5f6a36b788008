"""Files without a page: a name and a type from the server's answer, where the URL has none.

yt-dlp names such a file by its URL alone: `/download?id=7` becomes `download.unknown_video`. What a
server says is as untrusted as a page: the name passes through `names.safe_name` like any title.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from yt_dlp.utils import MEDIA_EXTENSIONS, disposition_filename, mimetype2ext

HEADER_LIMIT: Final = 2000  # characters of a Content-Disposition
HEAD_BYTES: Final = 512
_MEDIA: Final = frozenset((*MEDIA_EXTENSIONS.video, *MEDIA_EXTENSIONS.audio, "ts", "mpeg"))
_AUDIO: Final = frozenset(MEDIA_EXTENSIONS.audio)
# Names in URLs that say nothing of the file: those of scripts, numbers and hashes.
_EMPTY_NAME: Final = re.compile(
    r"(?:api|attachment|audio|clip|content|data|default|download|enclosure|episode|fetch|file|get"
    r"|index|master|media|movie|original|output|play|raw|redirect|serve|song|source|stream|track"
    r"|video|view|watch)?[-_]?\d*|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
_HEADS: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), extension)
    for pattern, extension in (
        (rb"....ftypM4[AB]", "m4a"),
        (rb"....ftypqt", "mov"),
        (rb"....(?:ftyp|moov|mdat)", "mp4"),
        (rb"\x1aE\xdf\xa3.{0,60}webm", "webm"),
        (rb"\x1aE\xdf\xa3", "mkv"),
        (rb"OggS.{20,60}OpusHead", "opus"),
        (rb"OggS.{20,60}(?:\x80theora|fishead)", "ogv"),
        (rb"OggS", "ogg"),
        (rb"fLaC", "flac"),
        (rb"ID3|\xff[\xfb\xfa\xf3\xf2]", "mp3"),
        (rb"\xff[\xf1\xf9]", "aac"),
        (rb"RIFF....WAVE", "wav"),
        (rb"RIFF....AVI ", "avi"),
        (rb"FLV\x01", "flv"),
        (rb"G.{187}G", "ts"),
    )
)


@dataclass
class ServerAnswer:
    """A response: its headers, and the beginning of its body as far as it was read."""

    headers: Any
    head: bytes = b""

    def received(self, data: bytes) -> None:
        """Keep the beginning."""
        if not self.head:
            self.head = data[:HEAD_BYTES]


def describe(info: dict[str, Any], answers: Mapping[str, ServerAnswer]) -> None:
    """Complete the title and extension of a file without a page, in place."""
    if not info.get("direct") or info.get("extractor_key") != "Generic":
        return
    for part in [info, *(info.get("formats") or ())]:
        url = str(part.get("url") or "")
        if answer := answers.get(url):
            name = _name(answer.headers)
            _entitle(info, url, name)
            _type(part, name, answer)


def _entitle(info: dict[str, Any], url: str, name: str) -> None:
    """Take the title from the header, unless the URL or a feed has a better one."""
    stem, extension = _split(unquote(urlsplit(url).path.rpartition("/")[2]))
    says_something = extension in _MEDIA and not _EMPTY_NAME.fullmatch(stem)
    if not name or says_something or (stem and info.get("title") != stem):
        return
    title, extension = _split(name)
    info["title"] = title if extension in _MEDIA else name


def _type(part: dict[str, Any], name: str, answer: ServerAnswer) -> None:
    """Take the extension from the header's name, the type, or the content, if it is unknown."""
    if str(part.get("ext") or "").lower() in _MEDIA:
        return
    for extension in _extensions(name, answer):
        if extension in _MEDIA:
            part["ext"] = extension
            if extension in _AUDIO:
                part["vcodec"] = "none"
            return


def _extensions(name: str, answer: ServerAnswer) -> Iterator[str]:
    yield _split(name)[1]
    yield str(mimetype2ext(answer.headers.get("Content-Type"), default=None) or "")
    yield next((extension for head, extension in _HEADS if head.match(answer.head)), "")


def _split(name: str) -> tuple[str, str]:
    """Return a name's stem and extension, as yt-dlp splits the name of a URL."""
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a page's text, maybe not a path
    return stem, extension[1:].lower()


def _name(headers: Any) -> str:
    """Return the file name of a Content-Disposition, without folders; "" if there is none."""
    if len(headers.get("Content-Disposition") or "") > HEADER_LIMIT:
        return ""
    try:
        name = _decoded(disposition_filename(headers) or "")
    except (ValueError, LookupError, TypeError, AttributeError, HeaderParseError):
        return ""
    return re.split(r"[/\\]", name)[-1].strip()


def _decoded(name: str) -> str:
    """Undo the encodings that servers use for `filename`, though only `filename*` may have one."""
    if not name.isascii():
        try:
            return name.encode("latin-1").decode()  # raw UTF-8, read as the Latin-1 of HTTP
        except UnicodeError:
            return name
    if re.match(r"=\?[\w-]+\?[bq]\?", name, re.IGNORECASE):
        return str(make_header(decode_header(name)))
    return unquote(name) if re.search(r"%[0-9a-fA-F]{2}", name) else name
