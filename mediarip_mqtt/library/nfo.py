"""NFO files: what Kodi, Jellyfin and Emby read of a title, show, season, artist or album.

They are well-formed XML whatever a page says, with the declaration that Kodi 21 requires.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.titles import Show, Title

TEXT_LIMIT: Final = 500
PLOT_LIMIT: Final = 5000
OWN_ID: Final = "mediarip-mqtt"
# Not characters of XML 1.0.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SEAL: Final = re.compile(rb"<!-- made by mediarip-mqtt ([0-9a-f]{32}) -->")


def of_title(title: Title, show: Show | None, *, lock: bool) -> bytes:
    """Return the NFO beside a title's medium."""
    match title.content_type:
        case ContentType.TV if title.season is not None and show is not None:
            root = _root("episodedetails", title.title)
            _add(root, "showtitle", show.name)
            # Always both: without them Kodi and Jellyfin take the numbers from the name.
            _add(root, "season", title.season)
            _add(root, "episode", title.episode or 0)
        case ContentType.MUSIC:
            root = _root("musicvideo", title.title)
            _add(root, "artist", title.artist or (show.name if show else None))
            _add(root, "album", title.album)
            _add(root, "track", title.track)
        case _:
            root = _root("movie", title.title)
    _add_plot(root, title.description)
    if title.content_type is ContentType.MOVIE:
        _add(root, "year", title.year)
    if day := _released(title):
        _add(root, "aired" if root.tag == "episodedetails" else "premiered", day)
    if title.duration:
        _add(root, "runtime", max(1, round(min(title.duration, 1e7) / 60)))
    _add_id(root, title.extractor, title.source_id or title.id)
    _add(root, "dateadded", f"{title.created_at:%Y-%m-%d %H:%M:%S}")
    _add(root, "studio", title.channel)
    _add(root, "genre", title.category)
    for tag in title.tags:
        _add(root, "tag", tag)
    return _written(root, lock=lock)


def of_show(show: Show, first: datetime | None, seasons: Iterable[int], *, lock: bool) -> bytes:
    """Return `tvshow.nfo`: without it Kodi adds neither a show nor its episodes.

    ``first`` is when its first title was published.
    """
    root = _root("tvshow", show.name)
    # A year alone becomes 1970 in Kodi.
    if show.year and (first is None or first.year != show.year):
        _add(root, "premiered", f"{show.year:04d}-01-01")
    elif first is not None:
        _add(root, "premiered", f"{first:%Y-%m-%d}")
    _add_id(root, show.extractor if show.channel_id else None, show.channel_id or show.id)
    _add(root, "studio", show.extractor)
    if show.numbering is Numbering.DATE:
        for season in sorted(set(seasons) - {0}):
            _add(root, "namedseason", season, number=str(season))
    return _sealed(root, lock=lock)


def of_season(season: int, *, lock: bool) -> bytes:
    """Return `season.nfo`, which Jellyfin and Emby read."""
    root = _root("season", f"Season {season}" if season else "Specials")
    _add(root, "seasonnumber", season)
    return _sealed(root, lock=lock)


def of_artist(show: Show, *, lock: bool) -> bytes:
    """Return `artist.nfo`."""
    root = ET.Element("artist")
    _add(root, "name", show.name)
    return _sealed(root, lock=lock)


def of_album(title: Title, show: Show, *, lock: bool) -> bytes:
    """Return `album.nfo`; the titles on it are known by their tags."""
    root = _root("album", title.album or "")
    _add(root, "artist", show.name)
    _add(root, "albumartist", show.name)
    _add(root, "year", title.year)
    return _sealed(root, lock=lock)


def is_unchanged(content: bytes) -> bool:
    """Whether the NFO of a show or season is as the service wrote it: nobody has edited it."""
    seal = _SEAL.search(content)
    return seal is not None and seal[1] == _digest(_SEAL.sub(b"", content, count=1))


def _root(tag: str, title: str) -> ET.Element:
    root = ET.Element(tag)
    _add(root, "title", title)
    return root


def _add(root: ET.Element, tag: str, value: object, **attributes: str) -> None:
    text = _NOT_XML.sub("", texts.clean(str(value), TEXT_LIMIT)) if value is not None else ""
    if text:
        ET.SubElement(root, tag, attributes).text = text


def _add_plot(root: ET.Element, description: str) -> None:
    if plot := _NOT_XML.sub("", texts.clean_lines(description, PLOT_LIMIT)):
        ET.SubElement(root, "plot").text = plot


def _add_id(root: ET.Element, site: str | None, value: str) -> None:
    kind = re.sub(r"[^a-z0-9]+", "", (site or "").lower()) or OWN_ID
    _add(root, "uniqueid", value, type=kind, default="true")


def _released(title: Title) -> str | None:
    """Return the day of a title's first release; a movie's upload may be years later."""
    day = title.published_at
    if day is None:
        return None
    if title.content_type is ContentType.MOVIE and title.year not in {None, day.year}:
        return None
    return f"{day:%Y-%m-%d}"


def _written(root: ET.Element, *, lock: bool) -> bytes:
    if lock:
        _add(root, "lockdata", "true")
    ET.indent(root)
    text: bytes = ET.tostring(
        root, encoding="utf-8", xml_declaration=True, short_empty_elements=False
    )
    return text + b"\n"


def _sealed(root: ET.Element, *, lock: bool) -> bytes:
    """Return an NFO that tells by a digest within it whether somebody has edited it."""
    content = _written(root, lock=lock)
    end = content.rindex(b"</")
    seal = b"<!-- made by mediarip-mqtt " + _digest(content) + b" -->"
    return content[:end] + seal + content[end:]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()
