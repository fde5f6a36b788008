"""Patterns in titles: episodes, years, artists.

Every repetition is bounded and titles are truncated, so that no title takes long to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200  # characters of a title that are read
_SEPARATORS: Final = " \t-–—|:·.,_#([{"
_SXXEYY: Final = re.compile(
    r"(?<![a-z0-9])s(\d{1,4})[ ._x-]{0,3}e(\d{1,6})(?![0-9a-z])", re.IGNORECASE
)
_1X07: Final = re.compile(r"(?<![\d.,x])(\d{1,2})x(\d{2,3})(?![\dx])")
_SEASON: Final = r"(?:staffel|season|series|saison)[ .:#-]{0,3}(\d{1,4})(?!\d)"
_EPISODE: Final = r"(?:folge|episode|épisode|ep|part|teil)[ .:#-]{0,3}(\d{1,6})(?!\d)"
_BETWEEN: Final = r"[ ,.:;/|()\[\]–—-]{0,6}"
_IN_WORDS: Final = (
    re.compile(rf"\b{_SEASON}{_BETWEEN}{_EPISODE}", re.IGNORECASE),
    re.compile(rf"\b{_EPISODE}{_BETWEEN}{_SEASON}", re.IGNORECASE),
)
_WITH_YEAR: Final = re.compile(r"^(.{1,180}?) ?[(\[]((?:18|19|20)\d\d)[)\]]")
_ARTIST: Final = re.compile(r"^([^-–—]{1,100}) [-–—] ([^-–—]{1,100})$")


@dataclass(frozen=True)
class EpisodeInTitle:
    """An episode as a title names it; ``show`` and ``title`` may be empty."""

    season: int
    episode: int
    show: str
    title: str
    confidence: float


def episode_in(title: str) -> EpisodeInTitle | None:
    """Find a season and an episode in a title."""
    text = title[:LONGEST]
    if match := _SXXEYY.search(text):
        return _episode(text, match, int(match[1]), int(match[2]), 0.8)
    if match := _1X07.search(text):
        return _episode(text, match, int(match[1]), int(match[2]), 0.7)
    if match := _IN_WORDS[0].search(text):
        return _episode(text, match, int(match[1]), int(match[2]), 0.6)
    if match := _IN_WORDS[1].search(text):
        return _episode(text, match, int(match[2]), int(match[1]), 0.6)
    return None


def _episode(
    text: str, match: re.Match[str], season: int, episode: int, confidence: float
) -> EpisodeInTitle:
    before, after = text[: match.start()], text[match.end() :]
    return EpisodeInTitle(
        season, episode, before.rstrip(_SEPARATORS), after.strip(_SEPARATORS + ")]}"), confidence
    )


def year_in(title: str) -> tuple[str, int] | None:
    """Return (title, year) of `Title (2019)`."""
    match = _WITH_YEAR.match(title[:LONGEST])
    name = match[1].strip(_SEPARATORS) if match else ""
    return (name, int(match[2])) if match and name else None


def artist_in(title: str) -> tuple[str, str] | None:
    """Return (artist, track) of `Artist - Track`."""
    match = _ARTIST.match(title[:LONGEST].strip())
    return (match[1].strip(), match[2].strip()) if match else None
