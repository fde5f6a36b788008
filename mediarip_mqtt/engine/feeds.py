"""Reads RSS and Atom feeds, also of podcasts: asks for them, and takes the items out.

Both happen in a reader process: the XML is a stranger's, and a parser may take any time for it.
"""

from __future__ import annotations

import calendar
import codecs
import io
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin

import feedparser
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import parse_duration

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_url
from mediarip_mqtt.engine.protocol import FeedAnswer, ListedItem

SIZE_LIMIT: Final = 8 * 2**20  # bytes, after decompression
ITEM_LIMIT: Final = 5000
KEY_LIMIT: Final = 200  # characters
TEXT_LIMIT: Final = 300
_VALIDATOR_LIMIT: Final = 500  # characters of an ETag
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_ACCEPT: Final = (
    "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
)
_MARKS: Final = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_PROLOG: Final = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_DOCTYPE: Final = "<!doctype"
_ROOT: Final = re.compile(r"<(?:[\w.-]+:)?(?:rss|feed|rdf)\b", re.IGNORECASE)
_YOUTUBE_ID: Final = re.compile(r"[\w-]{11}", re.ASCII)
_MEDIA_SUFFIX: Final = re.compile(
    r"\.(?:mp3|m4a|m4b|aac|ogg|oga|opus|flac|wav|mp4|m4v|mov|mkv|webm|ogv)(?:$|[?#])", re.IGNORECASE
)


@dataclass(frozen=True)
class Document:
    """A response's text and what identifies this version of it."""

    url: str  # after redirects
    text: str
    etag: str | None = None
    last_modified: str | None = None


class NoFeedError(DownloadError):
    """A document that is not a feed."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.UNAVAILABLE, message)


def read(
    session: Any,
    url: str,
    security: SecuritySettings,
    etag: str | None = None,
    last_modified: str | None = None,
) -> FeedAnswer:
    """Ask for a feed; raise yt-dlp's errors and `DownloadError`."""
    document = fetch(session, url, etag, last_modified)
    if document is None:
        return FeedAnswer("unchanged", etag=etag, last_modified=last_modified)
    return parse(document, security)


def fetch(
    session: Any, url: str, etag: str | None = None, last_modified: str | None = None
) -> Document | None:
    """Return the document at a URL; None if it has not changed."""
    headers = {"Accept": _ACCEPT}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        response = session.urlopen(Request(url, headers=headers))
    except HTTPError as error:
        if error.status == HTTPStatus.NOT_MODIFIED and (etag or last_modified):
            return None
        raise
    with response:
        data = response.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise NoFeedError(f"The feed has more than {SIZE_LIMIT >> 20} MiB.")
        kind = str(response.headers.get("Content-Type") or "")
        return Document(
            url=response.url,
            text=_decoded(data, kind),
            etag=_validator(response.headers.get("ETag")),
            last_modified=_validator(response.headers.get("Last-Modified")),
        )


def is_feed(text: str) -> bool:
    """Whether a document's first element is a feed's."""
    return _ROOT.match(text, _prolog_end(text)) is not None


def parse(document: Document, security: SecuritySettings) -> FeedAnswer:
    """Return a feed's items, each key once; raise `DownloadError` if it isn't a feed."""
    text = document.text
    if text[(at := _prolog_end(text)) : at + len(_DOCTYPE)].lower() == _DOCTYPE:
        if "<html" in text[at : at + 1000].lower():
            raise NoFeedError("The site sent a web page instead of the feed.")
        raise NoFeedError("The feed has a document type declaration, which is not accepted.")
    if not is_feed(text):
        raise NoFeedError("The site sent something that is not an RSS or Atom feed.")
    # Without what precedes the feed, where feedparser takes hours for a few MiB of line breaks. A
    # file object: a text might be taken for a file's name or a URL.
    content = io.BytesIO(text[at:].encode("utf-8", "replace"))
    parsed = feedparser.parse(
        content,
        response_headers={"content-type": "application/xml; charset=utf-8"},
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    if not parsed.get("version"):
        raise NoFeedError("The feed is damaged: its format is not known.")
    about = parsed.get("feed") or {}
    return FeedAnswer(
        "new",
        items=tuple(_items(parsed.get("entries") or [], document.url, about, security)),
        etag=document.etag,
        last_modified=document.last_modified,
        title=_text(about.get("title")),
    )


def _items(
    entries: list[Mapping[str, Any]],
    base: str,
    about: Mapping[str, Any],
    security: SecuritySettings,
) -> Iterator[ListedItem]:
    guids = Counter(str(entry.get("id")) for entry in entries if entry.get("id"))
    channel = _text(about.get("author")) or _text(about.get("title"))
    seen: set[str] = set()
    for entry in entries[:ITEM_LIMIT]:
        url = _url(entry, base, security)
        if url is None:
            continue
        guid = str(entry.get("id") or "")
        # Some feeds give all items the same guid.
        key = _key(entry, guid if guids[guid] == 1 else url)
        if key in seen:
            continue
        seen.add(key)
        yield ListedItem(
            key=key,
            url=url,
            title=_text(entry.get("title")),
            duration=_duration(entry),
            published_at=_time(entry.get("published_parsed") or entry.get("updated_parsed")),
            channel=_text(entry.get("author")) or channel,
        )


def _key(entry: Mapping[str, Any], identity: str) -> str:
    video_id = str(entry.get("yt_videoid") or "")
    if _YOUTUBE_ID.fullmatch(video_id):
        return f"youtube {video_id}"
    return bounded_key(identity)


def bounded_key(identity: str) -> str:
    """Return a key for a guid or URL; a digest of one that is long or holds odd characters."""
    if 0 < len(identity) <= KEY_LIMIT and not texts.UNFIT.search(identity):
        return identity
    return f"sha256 {sha256(identity.encode('utf-8', 'replace')).hexdigest()}"


def _url(entry: Mapping[str, Any], base: str, security: SecuritySettings) -> str | None:
    """Return the medium's URL, else the page's; None if the item has none that may be requested."""
    link = str(entry.get("link") or "")
    if link == entry.get("id") and not link.lower().startswith(("http:", "https:")):
        link = ""  # a guid is taken for a link if nothing says that it is none
    candidates = [link] if entry.get("yt_videoid") else [*_media(entry), link]
    for candidate in candidates:
        if candidate.strip():
            try:
                return check_url(urljoin(base, candidate.strip()), security)
            except (CommandError, ValueError):
                continue
    return None


def _media(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the URLs of a podcast's media."""
    for enclosure in entry.get("enclosures") or ():
        kind, url = str(enclosure.get("type") or ""), str(enclosure.get("href") or "")
        if kind.startswith(("audio/", "video/")) or _MEDIA_SUFFIX.search(url):
            yield url


def _duration(entry: Mapping[str, Any]) -> float | None:
    contents = entry.get("media_content") or [{}]
    for value in (entry.get("itunes_duration"), contents[0].get("duration")):
        seconds = parse_duration(str(value)[:40]) if value else None
        if seconds and 0 < seconds < 1e7:  # noqa: PLR2004 - four months
            return float(seconds)
    return None


def _time(value: Any) -> datetime | None:
    """Return the time of a tuple in UTC; None for one outside of what a date may be."""
    if not isinstance(value, time.struct_time):
        return None
    try:
        seconds = calendar.timegm(value)
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if _EARLIEST <= seconds <= _LATEST else None


def _text(value: object) -> str | None:
    return texts.clean(value, TEXT_LIMIT) or None if isinstance(value, str) else None


def _validator(value: object) -> str | None:
    """Return a header for the next request; None for one that can't be sent back."""
    text = str(value or "").strip()
    fit = text.isascii() and text.isprintable() and len(text) <= _VALIDATOR_LIMIT
    return text if text and fit else None


def _decoded(data: bytes, content_type: str) -> str:
    """Return a document's text, by its byte order mark, its declaration, or the header."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    declared = _DECLARED.search(data[:500])
    header = _CHARSET.search(content_type)
    names = [declared[1].decode()] if declared else []
    names += [header[1]] if header else []
    for name in names:
        with suppress(LookupError, UnicodeError):
            return data.decode(name, "replace")
    return data.decode("utf-8", "replace")


def _prolog_end(text: str) -> int:
    """Return where a document's first element or declaration begins."""
    at = 0
    while match := _PROLOG.match(text, at):
        at = match.end()
    return at
