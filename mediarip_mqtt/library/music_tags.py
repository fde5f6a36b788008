"""Tags in audio files, by which media servers know music and podcasts.

The functions block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

import mutagen

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import ContentType
from mediarip_mqtt.contract.titles import Show, Title

Tags = Mapping[str, Sequence[str]]
TAGGED: Final = frozenset({ContentType.MUSIC, ContentType.PODCAST})
PODCAST: Final = "Podcast"
_LIMIT: Final = 500


class NoTagsError(Exception):
    """A file's format has no tags, or the file can't be read as what it is."""


def tags_of(title: Title, show: Show | None, artists: Sequence[str] = ()) -> Tags:
    """Return the tags of a title, by mutagen's common names; each has a list of values.

    ``artists``: the page's, where it names several.
    """
    name = show.name if show else None
    if title.content_type is ContentType.PODCAST:
        day = title.published_at
        found: dict[str, Sequence[Any]] = {
            "artist": [name],
            "album": [name],
            "albumartist": [name],
            "genre": [PODCAST],
            "date": [f"{day:%Y-%m-%d}" if day else None],
        }
    else:
        single = title.artist or name
        several = artists if title.artist and title.artist == ", ".join(artists) else [single]
        found = {
            "artist": several,
            "album": [title.album],
            "albumartist": [name],
            "tracknumber": [title.track],
            "date": [title.year],
        }
    found["title"] = [title.title]
    cleaned = {
        key: [texts.clean(str(value), _LIMIT) for value in values if value]
        for key, values in found.items()
    }
    return {key: values for key, values in cleaned.items() if any(values)}


def has_tags(file: BinaryIO, tags: Tags) -> bool:
    """Whether a file has these tags. Raises `OSError` or `NoTagsError`."""
    return _has(_opened(file), tags)


def artists_in(file: BinaryIO) -> list[str]:
    """Return the artists that a file names. Raises `OSError` or `NoTagsError`."""
    audio = _opened(file)
    try:
        return [str(name) for name in (audio.tags or {}).get("artist") or ()]
    except (KeyError, ValueError):
        return []


def write_tags(file: BinaryIO, tags: Tags) -> None:
    """Set tags; others stay. It is not atomic: give it a copy.

    Raises `OSError` or `NoTagsError`.
    """
    audio = _opened(file)
    try:
        if audio.tags is None:
            audio.add_tags()
        for key, values in tags.items():
            audio.tags[key] = list(values)
        file.seek(0)
        audio.save(file)
    except (mutagen.MutagenError, KeyError, ValueError, TypeError) as error:
        raise NoTagsError(str(error)) from error


def _opened(file: BinaryIO) -> Any:
    file.seek(0)
    try:
        audio = mutagen.File(file, easy=True)
    except (mutagen.MutagenError, ValueError, IndexError) as error:
        raise NoTagsError(str(error)) from error
    if audio is None or type(audio).__name__ in {"WAVE", "AIFF", "AAC", "DSF", "AC3"}:
        raise NoTagsError("the format has no common tags")
    return audio


def _has(audio: Any, tags: Tags) -> bool:
    there = audio.tags
    if there is None:
        return False
    try:
        return all(list(there.get(key) or ()) == list(values) for key, values in tags.items())
    except (KeyError, ValueError):
        return False
