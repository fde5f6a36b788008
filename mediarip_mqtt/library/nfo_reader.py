"""NFO files of other tools, read as facts about a medium; what is in them is not trusted.

The parser keeps only the texts of a few elements, so that neither depth nor size of a file matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

_TEXT: Final = 5000
_ROOTS: Final = frozenset({"episodedetails", "movie", "musicvideo"})
_KEYS: Final = frozenset(
    (
        *("title", "showtitle", "season", "episode", "plot", "aired", "premiered", "year"),
        *("runtime", "artist", "album", "track", "studio"),
    )
)
# Databases of films and series: their ids are none of a site's.
_DATABASES: Final = frozenset({"", "default", "imdb", "tmdb", "tvdb", "trakt", "anidb"})


class _Refused(Exception):  # noqa: N818 - not an error of the service
    """The file has a document type: entities could expand without end."""


@dataclass
class _Reading:
    """The texts of the first document of a file."""

    root: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    ids: list[tuple[str, str]] = field(default_factory=list)  # (type, id)
    depth: int = 0
    ended: bool = False
    key: str = ""
    kind: str = ""
    text: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1:
            self.root = name
        elif self.depth == 2:  # noqa: PLR2004 - below the root
            self.key, self.kind, self.text = name, attributes.get("type", ""), ""

    def end(self, name: str) -> None:
        if self.depth == 2:  # noqa: PLR2004 - below the root
            text = self.text.strip()
            if name == "uniqueid" and text:
                self.ids.append((self.kind.strip().lower(), text))
            elif name in _KEYS and text:
                self.texts.setdefault(name, text)
            self.key = ""
        self.depth -= 1
        self.ended = self.depth == 0

    def data(self, text: str) -> None:
        if self.depth == 2 and len(self.text) < _TEXT:  # noqa: PLR2004 - below the root
            self.text += text[:_TEXT]


@dataclass(frozen=True)
class Nfo:
    """What an NFO file says: its kind of medium, and fields as pages have them."""

    is_movie: bool
    fields: dict[str, Any]


def read_nfo(content: bytes) -> Nfo | None:
    """Return what an NFO file says of its medium; None if it can't be read."""
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(content, True)  # noqa: FBT003 - positional only
    except expat.ExpatError:
        # Several documents or a URL may follow the first one, which is whole then.
        if not reading.ended:
            return None
    except (_Refused, ValueError, LookupError):  # LookupError: an unknown encoding
        return None
    if reading.root not in _ROOTS:
        return None
    return Nfo(reading.root == "movie", _fields(reading))


def _refuse(*_: object) -> None:
    raise _Refused


def _fields(reading: _Reading) -> dict[str, Any]:
    texts = reading.texts
    day = (texts.get("aired") or texts.get("premiered") or "")[:10].replace("-", "")
    values: dict[str, Any] = {
        "title": texts.get("title"),
        "description": texts.get("plot"),
        "upload_date": day or None,
        "release_year": texts.get("year"),
        "album": texts.get("album"),
        "track_number": texts.get("track"),
        "artist": texts.get("artist"),
    }
    if reading.root == "episodedetails":
        values |= {
            "series": texts.get("showtitle"),
            "season_number": texts.get("season"),
            "episode_number": texts.get("episode"),
            "episode": texts.get("title"),
        }
    minutes = texts.get("runtime", "")
    if minutes.isascii() and minutes.isdecimal():
        values["duration"] = float(minutes[:6]) * 60
    for kind, key in reading.ids:
        if kind not in _DATABASES:
            values |= {"extractor_key": kind, "id": key}
            break
    return {name: value for name, value in values.items() if value is not None}
