"""Shows, and the numbers of their episodes: found or created in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.models import new_id
from mediarip_mqtt.contract.titles import Candidate, ClassificationSource, Show, Title
from mediarip_mqtt.library import layout
from mediarip_mqtt.library.classify import WITH_SHOW
from mediarip_mqtt.store import Tx

SLOTS: Final = 99  # of a day; the first 96 are its quarter hours


@dataclass(frozen=True)
class Source:
    """Where a medium is from, and when it was published."""

    published: datetime
    extractor: str | None = None
    channel: str | None = None
    channel_id: str | None = None


@dataclass(frozen=True)
class Place:
    """A title's place among others; ``taken``: another title has the same number."""

    show: Show | None = None
    season: int | None = None
    episode: int | None = None
    title_index: int = 0
    taken: bool = False


def place_of(tx: Tx, guess: Candidate, source: Source, now: datetime, title_id: str = "") -> Place:
    """Find or create the show, and choose the number of an episode."""
    if guess.content_type not in WITH_SHOW or not guess.show:
        return Place()
    show = _show(tx, guess, source, now)
    if show.content_type is not ContentType.TV:
        return Place(show=show)
    given = guess.season is not None and guess.episode is not None
    if show.numbering is Numbering.DATE and not (
        given and guess.source is ClassificationSource.COMMAND
    ):
        return _by_date(tx, show, source.published, title_id)
    return _by_season(tx, show, guess, title_id)


def next_place(tx: Tx, show: Show, title: Title) -> Place:
    """Choose another number in the same show, as another title has this one now."""
    if show.numbering is Numbering.DATE:
        return _by_date(tx, show, title.published_at or title.created_at, title.id)
    return _numbered(tx, show, title.season or 0, title.episode or 0, title.id)


def _by_date(tx: Tx, show: Show, published: datetime, title_id: str) -> Place:
    """Return the slot of the quarter hour, or the next free one of the day."""
    season = published.year
    day = (published.month * 100 + published.day) * 100
    taken = {episode for episode, _ in tx.taken_episodes(show.id, season, title_id)}
    first = published.hour * 4 + published.minute // 15 + 1
    slots = [*range(first, SLOTS + 1), *range(1, first)]
    slot = next((slot for slot in slots if day + slot not in taken), None)
    if slot is not None:
        return Place(show, season, day + slot)
    return _numbered(tx, show, season, day + first, title_id)


def _by_season(tx: Tx, show: Show, guess: Candidate, title_id: str) -> Place:
    """Return the number that was found; without one, the next free of the season or specials."""
    season = 0 if guess.season is None else guess.season
    if guess.episode is not None:
        return _numbered(tx, show, season, guess.episode, title_id)
    taken = {episode for episode, _ in tx.taken_episodes(show.id, season, title_id)}
    return Place(show, season, max(taken, default=0) + 1)


def _numbered(tx: Tx, show: Show, season: int, episode: int, title_id: str) -> Place:
    taken = tx.taken_episodes(show.id, season, title_id)
    others = {index for number, index in taken if number == episode}
    index = next(index for index in range(len(others) + 1) if index not in others)
    return Place(show, season, episode, index, taken=bool(others))


def _show(tx: Tx, guess: Candidate, source: Source, now: datetime) -> Show:
    kind, name = guess.content_type or ContentType.TV, guess.show or ""
    key = layout.fold(name)
    of_channel = None
    if source.extractor and source.channel_id and key == layout.fold(source.channel or ""):
        of_channel = (source.extractor, source.channel_id)
        if show := tx.show_of_channel(kind, *of_channel):
            return show
    for show in tx.shows_named(kind, key):
        if of_channel is None or show.channel_id is None:
            if of_channel is not None:
                tx.set_show_channel(show.id, *of_channel)
            return tx.show(show.id) or show
    year = guess.year if kind is ContentType.TV else None
    folder = _free_folder(tx, kind, layout.show_folder(name, year))
    show = Show(
        id=new_id(),
        content_type=kind,
        name=name,
        folder=folder,
        extractor=of_channel[0] if of_channel else None,
        channel_id=of_channel[1] if of_channel else None,
        numbering=guess.numbering or _numbering(guess),
        year=year,
        created_at=now,
    )
    tx.insert_show(show, name_key=key, folder_key=layout.fold(folder))
    return show


def _numbering(guess: Candidate) -> Numbering:
    known = guess.season is not None and guess.episode is not None
    return Numbering.SEASON if known else Numbering.DATE


def _free_folder(tx: Tx, kind: ContentType, folder: str) -> str:
    """Return the folder, with a number if another show has it."""
    number, free = 1, folder
    while tx.folder_is_taken(kind, layout.fold(free)):
        number += 1
        free = f"{folder} ({number})"
    return free
