"""Names of titles on the volume, as media servers find them.

`place` returns a path without its extension; side files add a tail and an extension to it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.titles import Show, Title
from mediarip_mqtt.volume import names

TAIL_BYTES: Final = 40  # for `-thumb.jpg`, `.en-US.forced.srt` and a number: ` (2)`
STEM_BYTES: Final = names.NAME_BYTES - TAIL_BYTES
LEAST_TITLE: Final = 16  # bytes that a title keeps beside its show, number and id
SHOW_BYTES: Final = 80
# Jellyfin ignores folders of these names.
_IGNORED: Final = frozenset(
    ("extras", "metadata", "sample", "samples", "specials", "subs", "subtitles", "trailers")
)
# A second episode number in a name makes a phantom episode in Kodi.
_NUMBERS: Final = re.compile(r"(s\d{1,8})[ ._x-]{0,8}(e\d)", re.IGNORECASE)


# Kodi leaves out what is named as a sample, and Jellyfin takes these ends for extras of a movie.
_SAMPLE: Final = re.compile(r"(^|[!-/_\s])(sample)(?=$|[-._\s⧸])", re.IGNORECASE)
_EXTRA: Final = re.compile(
    r"[-._ ](trailer|sample|scene|clip|interview|behindthescenes|deleted|deletedscene|featurette|"
    r"short|extra|other|theme|theme song)$",
    re.IGNORECASE,
)
# Behind a number these make a double episode of it, in Jellyfin or guessit.
_SECOND: Final = re.compile(r"(^[ex]|(?<![^\W_])(?<!·)e)(\d)", re.IGNORECASE)


def fold(name: str) -> str:
    """Return the form of a name by which names are compared."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()


def show_folder(name: str, year: int | None = None) -> str:
    """Return the folder of a new show."""
    folder = names.safe_part(_calm(name), SHOW_BYTES)
    if year:
        return f"{folder} ({year})"
    return f"{folder} (show)" if folder.casefold() in _IGNORED else folder


def place(
    title: Title,
    show: Show | None,
    folders: Mapping[ContentType, str],
    limit: int = names.NAME_BYTES,
) -> str:
    """Return the path of a title's medium below the root, without its extension.

    ``limit``: the bytes that a name may have on the volume. Every side file must fit with the whole
    stem, since media servers find it by that.
    """
    kind = title.content_type or ContentType.OTHER
    most = _room(limit)
    folder = folders[kind]
    match kind:
        case ContentType.TV if show and title.season is not None:
            return f"{folder}/{_episode(title, show, most)}"
        case ContentType.MOVIE:
            year = f" ({title.year})" if title.year else ""
            movie = _part(title.title, most, tail=year)
            return f"{folder}/{movie}/{movie}"
        case ContentType.MUSIC if show:
            return f"{folder}/{show.folder}/{_track(title, most)}"
        case ContentType.PODCAST if show:
            day = (title.published_at or title.created_at).strftime("%Y-%m-%d - ")
            return f"{folder}/{show.folder}/{_part(title.title, most, head=day)}"
    return f"{folder}/{_part(title.title, most, tail=_id(title))}"


def unsorted(title: Title, folder: str, limit: int = names.NAME_BYTES) -> str:
    """Return the path of a medium that waits for a review, without its extension."""
    return f"{folder}/{_part(title.title, _room(limit), tail=_id(title))}"


def tail(filename: str, main: PurePosixPath) -> str:
    """Return what follows the medium's stem in a file's name."""
    name = PurePosixPath(filename).name
    return name[len(main.stem) :] if name.startswith(main.stem) else PurePosixPath(name).suffix


def episode_code(season: int, episode: int, numbering: Numbering) -> str:
    """Return an episode's number as file names and people write it: `S01E02`."""
    if numbering is Numbering.DATE:
        return f"S{season:04d}E{episode:06d}"
    return f"S{season:02d}E{episode:02d}"


def _room(limit: int) -> int:
    return max(min(limit, names.NAME_BYTES) - TAIL_BYTES, LEAST_TITLE)


def _episode(title: Title, show: Show, limit: int) -> str:
    season, episode = title.season or 0, title.episode or 0
    code = episode_code(season, episode, show.numbering)
    folder = f"{show.folder}/Season {season:02d}"
    if show.numbering is Numbering.DATE:
        head, tail = f" - {code.lower()} - ", _id(title)
    else:
        head, tail = f" - {code} - ", ""
    # The folder has the show's whole name.
    room = limit - len(head.encode()) - len(tail.encode()) - LEAST_TITLE
    name = names.safe_part(show.folder, max(LEAST_TITLE, room))
    return f"{folder}/{_part(title.title, limit, head=f'{name}{head}', tail=tail)}"


def _track(title: Title, limit: int) -> str:
    year = f" ({title.year})" if title.year and title.album else ""
    album = _part(title.album or "Singles", limit, tail=year)
    number = f"{title.track:02d} - " if title.track else ""
    return f"{album}/{_part(title.title, limit, head=number)}"


def _id(title: Title) -> str:
    return f" [{names.safe_part(title.source_id, 64)}]" if title.source_id else ""


def _part(text: str, limit: int, *, head: str = "", tail: str = "") -> str:
    """Return a safe name; only ``text`` is truncated."""
    room = max(LEAST_TITLE, limit - len(head.encode()) - len(tail.encode()))
    calm = _SECOND.sub(r"\1·\2", _calm(text)) if head else _calm(text)
    part = names.safe_part(calm, room if tail else room - 1)
    if not tail:
        part = _EXTRA.sub(r"·\1", part)
    return f"{head}{part}{tail}"


def _calm(text: str) -> str:
    """Write a text so that no part of it is taken for the file's number, or for a kind of file."""
    return _SAMPLE.sub(r"\1·\2", _NUMBERS.sub(r"\1·\2", text))
