"""Binds a partial file to what it is a part of, and continues it only if the site still has that.

yt-dlp continues a ``.part`` file with whatever the URL of the next attempt sends from that byte on:
another format, another item of a page, or a file that was replaced meanwhile. A record beside the
file says what the file was made of: `FileOrigin`. A Range request carries its validator as If-Range
(RFC 9110, 13.1.5), and the answer must be the part that was asked for, of the same origin. Where
anything differs, the file begins anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from yt_dlp.downloader.http import HttpFD
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils.networking import HTTPHeaderDict

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.engine import work_control
from mediarip_mqtt.engine.progress_meter import SUBTITLES
from mediarip_mqtt.engine.stable_urls import digest, path_of, without_signature

BEGINNINGS: Final = 3  # of one file in one attempt
RECORD: Final = ".origin.json"  # the suffix of a record, behind the name of the complete file

_REFUSED: Final = frozenset({412, 416})  # answers to a Range or If-Range that can't be met
_PARTIAL: Final = 206
_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d+)\s*-\s*(\d*)\s*")
_CONTENT_RANGE: Final = re.compile(r"\s*bytes\s+(\d+)\s*-\s*(\d+)\s*/\s*(\d+|\*)\s*", re.IGNORECASE)

logger = logging.getLogger(__name__)
_original = HttpFD.real_download
_current: ContextVar[_Part | None] = ContextVar("partial_file", default=None)


class ChangedError(Exception):
    """The site doesn't have what the partial file is a part of, or doesn't continue it."""


class FileOrigin(Frozen):
    """What a file is made of; URLs as digests, without their signatures.

    ``served`` and what follows it is unknown where a file isn't the body of one response: a stream
    of segments.
    """

    format_id: str | None = None
    requested: str
    served: str | None = None  # after redirects
    name: str = ""  # the last part of that URL's path
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def validator(self) -> str | None:
        """The value of If-Range: a strong ETag, else the date."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def continues(self, now: FileOrigin) -> bool:
        """Whether a response is about the same file.

        Where there is a validator it decides: the URL of a CDN changes with each visit. ETags are
        unique for one URL only, so the file's name must be the same, too.
        """
        dated = bool(self.last_modified and now.last_modified)
        if (
            self.format_id != now.format_id
            or (self.size is not None and now.size is not None and self.size != now.size)
            or _opaque(self.etag) != _opaque(now.etag)
            or (dated and self.last_modified != now.last_modified)
        ):
            return False
        if self.etag or dated:
            return self.name == now.name
        return self.served == now.served and self.size is not None and now.size is not None


class _Section(Frozen):
    """A range of bytes; ``end`` is included, and None for an open end."""

    start: int
    end: int | None = None
    total: int | None = None


class _Part:
    """The partial file of one run of yt-dlp's HTTP downloader."""

    def __init__(self, path: Path, complete: Path, info: Mapping[str, Any]) -> None:
        self._path = path
        self._record = record_of(complete)
        self._info = info
        self._origin: FileOrigin | None = None
        # Segments are small and many, subtitles are small: they go on within one run only.
        self._is_brief = "frag_resume_len" in info or info.get("format_id") == SUBTITLES
        # The section of a file that is a segment, from its manifest.
        self._section = _asked(HTTPHeaderDict(info.get("http_headers") or {}).get("Range"))

    def prepare(self) -> None:
        """Forget a partial file that can't be continued."""
        if self._is_brief:
            self.forget()
            return
        size = self._path.stat().st_size if self._path.is_file() else 0
        origin = self._origin = read(self._record)
        known = origin is not None and _may_continue(origin, self._info)
        if not size or origin is None or not known or size > (origin.size or size):
            self.forget()
        elif size == origin.size:
            # The last byte is asked for again: the answer says whether the site has it still. A
            # Range behind the end would be answered with 416, which says nothing.
            os.truncate(self._path, size - 1)

    def forget(self) -> None:
        """Remove the partial file and what is known about it."""
        self._origin = None
        control = work_control.current()
        if control is not None and control.keep_part:
            control.keep_part(str(self._path))  # what was recorded of a stream can't be had again
        self._path.unlink(missing_ok=True)
        if not self._is_brief:
            self._record.unlink(missing_ok=True)

    def tidy(self, complete: Path) -> None:
        """Remove the record of a file that doesn't exist."""
        if not self._is_brief and not self._path.exists() and not complete.exists():
            self._record.unlink(missing_ok=True)

    @property
    def _is_exact(self) -> bool:
        """Whether the section's end is the manifest's, not what yt-dlp takes at a time."""
        return self._section is not None and self._section.end is not None

    def open(self, request: Any, send: Callable[[Any], Any], *, conditional: bool = True) -> Any:
        """Send a request; return its response if the file may take it.

        Raises `ChangedError` if the file has to begin anew, `DownloadError` if that can't help.
        """
        asked = _asked(request.headers.get("Range"))
        first = self._section.start if self._section else 0
        continued = asked is not None and asked.start > first
        if continued and self._origin is None:
            raise ChangedError("it is unknown what the partial file is a part of")
        # Not for sections: each would cost another answer where a CDN doesn't know If-Range.
        validator = self._origin.validator if continued and self._origin else None
        if validator and conditional and asked and asked.end is None:
            request.headers["If-Range"] = validator
        try:
            response = send(request)
        except HTTPError as error:
            if continued and error.status in _REFUSED:
                raise ChangedError(str(error)) from None
            raise
        try:
            if continued:
                return self._continued(request, response, asked, send)
            self._begin(response, asked)
        except BaseException:
            response.close()
            raise
        return response

    def _continued(
        self, request: Any, response: Any, asked: _Section | None, send: Callable[[Any], Any]
    ) -> Any:
        origin, now = self._origin, self._seen(response)
        if asked is None or origin is None or now is None or not origin.continues(now):
            raise ChangedError("the site has another file now")
        if _is(response, asked, to_the_end=not self._is_exact):
            return response
        ranges = response.headers.get("Accept-Ranges") == "bytes"
        if request.headers.pop("If-Range", None) and ranges and response.status != _PARTIAL:
            # The same file, whole: this server does not understand its own validator.
            response.close()
            return self.open(request, send, conditional=False)
        raise ChangedError("the site sends another part than was asked for")

    def _begin(self, response: Any, asked: _Section | None) -> None:
        """Check the first bytes of a file or segment, and note where they come from."""
        section = _sent(response)
        if response.status == _PARTIAL or (asked and section):
            # Within a file that is asked for in sections, its end may come first.
            if not _is(response, asked or _Section(start=0), to_the_end=not self._is_exact):
                raise _wrong_part()
        elif self._is_exact and self._section and not _is_whole(response, self._section):
            raise DownloadError(
                ErrorCode.UNAVAILABLE,
                "The stream is made of parts of a file, and the site sends only the whole file.",
            )
        self._origin = self._seen(response)
        if self._is_brief:
            return
        if self._origin is None:
            self._record.unlink(missing_ok=True)
        else:
            write(self._record, self._origin)

    def _seen(self, response: Any) -> FileOrigin | None:
        """Return a response's origin; None if its bytes aren't those of the file."""
        headers = response.headers
        if headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
            return None
        section = _sent(response)
        size = section.total if section else _length(response)
        return _origin(self._info).model_copy(
            update={
                "served": digest(without_signature(response.url)),
                "name": path_of(response.url).rpartition("/")[2][:200],
                "size": size,
                "etag": (headers.get("ETag") or "").strip()[:500] or None,
                "last_modified": (headers.get("Last-Modified") or "").strip()[:100] or None,
            }
        )


def download(self: Any, filename: str, info: dict[str, Any]) -> Any:
    """Replace `HttpFD.real_download`: begin anew where a partial file can't be continued."""
    if work_control.current() is None or self.params.get("test"):
        return _original(self, filename, info)
    part = _Part(Path(self.temp_name(filename)), Path(filename), info)
    part.prepare()
    for _ in range(BEGINNINGS):
        token = _current.set(part)
        try:
            return _original(self, filename, info)
        except ChangedError as error:
            logger.info("a file begins anew: %s", error)
            part.forget()
        finally:
            _current.reset(token)
            part.tidy(Path(filename))
    raise DownloadError(
        ErrorCode.NETWORK,
        "The site's file changed while it was downloaded, or the site can't continue a download.",
        transient=True,
    )


def send(request: Any, urlopen: Callable[[Any], Any]) -> Any:
    """Send a request; for the file that this thread downloads, check the response."""
    part = _current.get()
    return urlopen(request) if part is None else part.open(request, urlopen)


def reopen(complete: Path, info: Mapping[str, Any]) -> None:
    """Make a complete file of an earlier attempt partial again, so that the site is asked for it.

    A stream of segments can't be asked for: it counts if its URL and format are the same.
    """
    if not complete.is_file():
        return
    record = record_of(complete)
    origin = read(record)
    if origin is not None and _may_continue(origin, info):
        if origin.served is None:
            return
        if complete.stat().st_size == origin.size:
            complete.replace(f"{complete}.part")
            return
    complete.unlink()
    record.unlink(missing_ok=True)


def is_whole(complete: Path) -> bool:
    """Whether a file has the size that the server stated for it."""
    origin = read(record_of(complete))
    return origin is not None and origin.size == complete.stat().st_size


def note(complete: Path, info: Mapping[str, Any]) -> None:
    """Note what a complete file is made of, unless its response has said so."""
    record = record_of(complete)
    if complete.is_file() and not record.exists():
        write(record, _origin(info))


def may_go_on(path: Path) -> bool:
    """Whether a file of an earlier attempt is one that `download` or `reopen` decides about."""
    return path.suffix == ".part" or path.name.endswith(RECORD) or record_of(path).exists()


def record_of(complete: Path) -> Path:
    """Return the path of a file's record."""
    return complete.with_name(complete.name + RECORD)


def read(record: Path) -> FileOrigin | None:
    """Return a record; None if there is none, or a broken one."""
    try:
        return FileOrigin.model_validate_json(record.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write(record: Path, origin: FileOrigin) -> None:
    """Write a record; a reader never sees half of it."""
    unfinished = record.with_name(record.name + ".new")
    unfinished.write_text(origin.model_dump_json())
    unfinished.replace(record)


def _origin(info: Mapping[str, Any]) -> FileOrigin:
    urls = [info.get("url"), *(part.get("url") for part in info.get("requested_formats") or ())]
    requested = " ".join(without_signature(str(url)) for url in urls if url)
    format_id = info.get("format_id")
    return FileOrigin(
        format_id=None if format_id is None else str(format_id), requested=digest(requested)
    )


def _may_continue(origin: FileOrigin, info: Mapping[str, Any]) -> bool:
    """Whether a file's format is the same, and its URL, unless a validator will tell."""
    now = _origin(info)
    return origin.format_id == now.format_id and (
        origin.requested == now.requested or bool(origin.etag or origin.last_modified)
    )


def _asked(value: str | None) -> _Section | None:
    match = _RANGE.fullmatch(value or "")
    if match is None:
        return None
    return _Section(start=int(match[1]), end=int(match[2]) if match[2] else None)


def _sent(response: Any) -> _Section | None:
    """Return the section that a response says it is; None if it doesn't, or it is nonsense."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
    if match is None:
        return None
    total = None if match[3] == "*" else int(match[3])
    start, end = int(match[1]), int(match[2])
    if end < start or (total is not None and end >= total):
        return None
    return _Section(start=start, end=end, total=total)


def _is(response: Any, asked: _Section, *, to_the_end: bool = True) -> bool:
    """Whether a response is the section that was asked for; ``to_the_end``: or what exists of it.

    A shorter section is allowed in HTTP, but yt-dlp would take it for all of it.
    """
    sent = _sent(response)
    if response.status != _PARTIAL and asked.start:
        return False
    if sent is None or sent.end is None or sent.start != asked.start:
        return False
    length = _length(response)
    if length is not None and length != sent.end - sent.start + 1:
        return False
    if sent.end == asked.end:
        return True
    is_last = sent.total is None or sent.end == sent.total - 1
    return is_last and (asked.end is None or (to_the_end and sent.end < asked.end))


def _is_whole(response: Any, section: _Section) -> bool:
    """Whether a whole file is the section."""
    return section.start == 0 and _length(response) == (section.end or 0) + 1


def _length(response: Any) -> int | None:
    with contextlib.suppress(ValueError):
        return int(response.headers.get("Content-Length") or "")
    return None


def _opaque(etag: str | None) -> str:
    return (etag or "").removeprefix("W/")


def _wrong_part() -> DownloadError:
    return DownloadError(
        ErrorCode.NETWORK,
        "The site sent another part of the file than was asked for.",
        transient=True,
    )
