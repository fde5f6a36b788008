"""OPML: the feeds of a feed reader or podcast app."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from mediarip_mqtt.cli.import_sources import SourceError
from mediarip_mqtt.cli.subscription_sources.found import (
    SMALL_LIMIT,
    Draft,
    FoundSource,
    is_channel_id,
    is_youtube,
    line,
    read_bytes,
)

_ROOT: Final = re.compile(rb"<opml\b", re.IGNORECASE)
_DECLARATION: Final = re.compile(rb"<!(?:doctype|entity)", re.IGNORECASE)


def is_opml(start: bytes) -> bool:
    """Whether a file begins as OPML."""
    return _ROOT.search(start.replace(b"\0", b"")[:4000]) is not None


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the feeds, the channels of YouTube's feeds."""
    data = read_bytes(path, SMALL_LIMIT)
    if _DECLARATION.search(data.replace(b"\0", b"")):
        raise SourceError(f"{path}: has a document type declaration, which is not accepted.")
    try:
        root = ET.fromstring(data)  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, LookupError, ValueError):
        raise SourceError(f"{path}: is not valid XML.") from None
    number = 0
    for outline in root.iter():
        attributes = {name.lower(): value for name, value in outline.attrib.items()}
        url = attributes.get("xmlurl", "").strip()
        if not str(outline.tag).lower().endswith("outline") or not url:
            continue
        number += 1
        draft = Draft(f"outline {number}")
        draft.put(url=_list_url(url), name=line(attributes.get("title") or attributes.get("text")))
        yield draft.found()


def _list_url(url: str) -> str:
    """Return a YouTube feed's channel or playlist, which has all items; other URLs unchanged."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        return url
    if not is_youtube(url) or parts.path != "/feeds/videos.xml":
        return url
    channel, playlist = (query.get(name, [""])[0] for name in ("channel_id", "playlist_id"))
    if is_channel_id(channel):
        return f"https://www.youtube.com/channel/{channel}"
    return f"https://www.youtube.com/playlist?list={playlist}" if playlist else url
