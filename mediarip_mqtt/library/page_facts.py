"""What a page says of a medium, with the types that the library expects; a page may say anything.

Texts are bounded, numbers in the ranges of the store's columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import MAX_EPISODE, MAX_SEASON
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.titles import Chapter

TEXT_LIMIT: Final = 200
DESCRIPTION_LIMIT: Final = 5000
AUDIO: Final = frozenset(
    ("aac", "aiff", "alac", "flac", "m4a", "m4b", "mka", "mp3", "oga", "ogg", "opus", "wav", "weba")
)
_YEARS: Final = range(1000, 10_000)
# The engine makes fields safe for file names; a name that people read has its own characters.
_PLAIN: Final = str.maketrans({"⧸": "/", "⧹": "\\"})


@dataclass(frozen=True)
class PageFacts:
    """A page's data about one medium."""

    title: str
    description: str = ""
    series: str | None = None
    season: int | None = None
    episode: int | None = None
    episode_title: str | None = None
    track: str | None = None
    track_number: int | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    channel: str | None = None
    channel_id: str | None = None
    playlist: str | None = None
    extractor: str | None = None
    source_id: str | None = None
    published: datetime | None = None
    year: int | None = None
    duration: float | None = None
    categories: tuple[str, ...] = ()
    is_audio: bool = False
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    chapters: tuple[Chapter, ...] = ()


def page_facts(job: Job, fields: Mapping[str, Any], extension: str) -> PageFacts:
    """Return the facts about a job's medium, whose file has an extension."""
    facts = file_facts(fields, extension, _first(fields)("id") or job.url)
    return replace(
        facts,
        title=job.title or facts.title,
        extractor=facts.extractor or job.extractor,
        duration=facts.duration or job.duration,
    )


def file_facts(fields: Mapping[str, Any], extension: str, name: str) -> PageFacts:
    """Return the facts about a medium; ``name`` is its title if the fields have none."""
    first = _first(fields)
    published = _published(fields)
    year = _integer(fields.get("release_year"), _YEARS)
    return PageFacts(
        title=first("title") or name,
        description=_plot(fields),
        series=first("series"),
        season=_integer(fields.get("season_number"), range(MAX_SEASON + 1)),
        episode=_integer(fields.get("episode_number"), range(MAX_EPISODE + 1)),
        episode_title=first("episode"),
        track=first("track"),
        track_number=_integer(fields.get("track_number"), range(10_000)),
        artist=first("artist", "artists", "creator"),
        album=first("album"),
        album_artist=first("album_artist", "album_artists"),
        channel=first("channel", "uploader", "playlist_channel", "playlist_uploader"),
        channel_id=first("channel_id", "uploader_id", "playlist_channel_id"),
        playlist=first("playlist_title", "playlist"),
        extractor=first("extractor_key", "extractor"),
        source_id=first("id"),
        published=published,
        year=year or (published.year if published else None),
        duration=_number(fields.get("duration")),
        categories=_texts(fields.get("categories")) + _texts(fields.get("genres")),
        is_audio=extension.lower() in AUDIO,
        width=_integer(fields.get("width"), range(1, 100_000)),
        height=_integer(fields.get("height"), range(1, 100_000)),
        codec=first("vcodec") if first("vcodec") != "none" else first("acodec"),
        chapters=_chapters(fields.get("chapters")),
    )


def _first(fields: Mapping[str, Any]) -> Callable[..., str | None]:
    def first(*keys: str) -> str | None:
        return next(filter(None, (_text(fields.get(key)) for key in keys)), None)

    return first


def _text(value: Any, limit: int = TEXT_LIMIT) -> str | None:
    if isinstance(value, list | tuple):
        value = next(iter(value), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).translate(_PLAIN)
    return texts.clean(text, limit) or None


def _plot(fields: Mapping[str, Any]) -> str:
    text = fields.get("plot") or fields.get("description")
    return texts.clean_lines(text, DESCRIPTION_LIMIT) if isinstance(text, str) else ""


def _chapters(value: Any) -> tuple[Chapter, ...]:
    """Return the page's chapters; what is none is left out."""
    chapters: list[Chapter] = []
    for item in value if isinstance(value, list) else ():
        with contextlib.suppress(ValidationError, TypeError):
            chapters.append(Chapter(**{**item, "position": len(chapters)}))
    return tuple(chapters)


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(filter(None, (_text(one) for one in values[:20])))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e9 else None  # noqa: PLR2004 - 30 years


def _integer(value: Any, allowed: range) -> int | None:
    number = _number(value)
    if number is None and isinstance(value, str) and value.isascii() and value.isdecimal():
        number = float(value[:12])
    return int(number) if number is not None and int(number) in allowed else None


def _published(fields: Mapping[str, Any]) -> datetime | None:
    """Return when it was published; at midnight UTC if only the day is known."""
    for key in ("timestamp", "release_timestamp"):
        seconds = _number_of_seconds(fields.get(key))
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
    for key in ("upload_date", "release_date"):
        text = str(fields.get(key) or "")
        if len(text) == len("20260102") and text.isascii() and text.isdecimal():
            try:
                return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


def _number_of_seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < 32503680000 else None  # noqa: PLR2004 - year 3000
