"""Which title a media player has played, and whether to its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.library.layout import fold
from mediarip_mqtt.library.slugs import slug
from mediarip_mqtt.store import Tx

END: Final = 0.9  # of the duration
_MOST: Final = 50  # titles of one name that are compared
_YEAR: Final = re.compile(r"^(.{1,300}?) ?\(((?:18|19|20)\d\d)\)$")
_ID: Final = re.compile(r"^(.{1,300}?) ?\[([^\[\]]{1,100})\]$")


@dataclass(frozen=True)
class Played:
    """What a media player says of what it plays; position and duration are in seconds."""

    show: str | None = None
    season: int | None = None
    episode: int | None = None
    title: str | None = None
    year: int | None = None
    position: float | None = None
    duration: float | None = None


def find_played(tx: Tx, played: Played, session_id: str | None = None) -> Title | None:
    """Return the title that is meant; None if none fits, or several do."""
    name, source_id = _split(_ID, played.title)
    name, year = _split(_YEAR, name)
    fitting = _episodes(tx, played, session_id)
    if not fitting:
        fitting = _named(tx, name, played, session_id)
    same_show = _same_show(tx, fitting, played.show)
    narrower: tuple[Callable[[Title], bool], ...] = (
        lambda title: title.source_id == source_id,
        lambda title: title.year == (played.year or (int(year) if year else None)),
        lambda title: slug(title.title) == slug(name or "-"),
        lambda title: fold(title.title) == fold(name or ""),
        lambda title: _as_long(title, played.duration),
    )
    for fits in narrower:
        if len(same_show) > 1:
            same_show = [title for title in same_show if fits(title)] or same_show
    if played.show is None and (played.year or year):
        # `Film (2019)` is not the film of another year.
        wanted = played.year or int(year or 0)
        same_show = [title for title in same_show if title.year in {None, wanted}]
    return same_show[0] if len(same_show) == 1 else None


def watch(tx: Tx, title: Title, played: Played, moment: datetime, *, watched: bool | None) -> Title:
    """Mark a title as watched, once; ``watched`` None: if it was played nearly to its end."""
    if watched is False:
        return tx.update_title(title.id, watched_at=None) if title.watched_at else title
    if title.watched_at or not (watched or _at_end(title, played)):
        return title
    seen = tx.update_title(title.id, watched_at=moment)
    tx.emit(events.TitleWatched(at=moment, title=seen))
    return seen


def _at_end(title: Title, played: Played) -> bool:
    duration = played.duration or title.duration
    return bool(duration and played.position and played.position >= END * duration)


def _episodes(tx: Tx, played: Played, session_id: str | None) -> list[Title]:
    if played.show is None or played.season is None or played.episode is None:
        return []
    keys = {fold(played.show), fold(_split(_YEAR, played.show)[0] or "")}
    ids = tx.played_episodes(sorted(keys), played.season, played.episode, session_id)
    return _titles(tx, ids)


def _named(tx: Tx, name: str | None, played: Played, session_id: str | None) -> list[Title]:
    """Return the titles of a name, also if the year or id at its end belongs to the name."""
    if not name:
        return []
    for text in (played.title or name, name):
        if titles := _titles(tx, tx.played_titles(slug(text), _MOST, session_id)):
            return titles
    return []


def _same_show(tx: Tx, titles: list[Title], show: str | None) -> list[Title]:
    """Return the titles of a show; a title without one is meant only if no show is said."""
    if show is None:
        alone = [title for title in titles if title.show is None]
        return alone or titles
    keys = {slug(show), slug(_split(_YEAR, show)[0] or "-")}
    fitting = []
    for title in titles:
        row = tx.show(title.show_id) if title.show_id else None
        if row is not None and keys & {slug(row.name), slug(row.folder)}:
            fitting.append(title)
    return fitting


def _as_long(title: Title, duration: float | None) -> bool:
    return bool(
        duration and title.duration and abs(title.duration - duration) <= max(2.0, 0.01 * duration)
    )


def _split(pattern: re.Pattern[str], text: str | None) -> tuple[str | None, str | None]:
    match = pattern.match(text.strip()) if text else None
    return (match[1], match[2]) if match else (text, None)


def _titles(tx: Tx, ids: Iterable[str]) -> list[Title]:
    return [title for title_id in ids if (title := tx.title(title_id))]
