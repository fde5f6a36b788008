"""Recognizes the items of a page that have no URL of their own: each is known by its number only.

A page grows at its top, and number 2 is another medium then. So the keys of each item are kept from
when the list was read: what its media's URLs and the extractor's id say, as far as only this item
of the page has them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import MAX_PLACE
from mediarip_mqtt.engine.stable_urls import digest, path_of, without_signature

_KINDS: Final = ("url", "path", "id", "text")  # the most reliable first
_URLS: Final = 8  # of one item's formats
_WHOLE_NUMBER: Final = re.compile(r"\d+")


def identities(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return a text for each entry of a page, by which `follow` finds it again."""
    known = [
        _keys(entry, _number(entry.get("playlist_index")) or number)
        for number, entry in enumerate(entries, start=1)
    ]
    counts = Counter(key for keys in known for key in keys)
    return [
        json.dumps(
            {
                "of": _number(entry.get("playlist_count")) or len(entries),
                "keys": [key for key in keys if counts[key] == 1],
            }
        )
        for entry, keys in zip(entries, known, strict=True)
    ]


def follow(
    identity: str,
    number: int,
    at_number: dict[str, Any] | None,
    read_page: Callable[[], Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    """Return the entry of the page that has this identity.

    ``at_number`` is the entry that has the item's number now; the whole page is read only if that
    isn't it. Raises `DownloadError` if the page doesn't have the item any more.
    """
    recorded = json.loads(identity)
    keys = set(recorded["keys"])
    if at_number is not None and _shared(keys, _keys(at_number, number)):
        return at_number
    entries = read_page()
    now = [_keys(entry, place) for place, entry in enumerate(entries, start=1)]
    for kind in _KINDS:
        same = [place for place, those in enumerate(now) if _shared(keys, those, kind)]
        if len(same) == 1:
            return entries[same[0]]
    if at_number is not None and len(entries) == recorded["of"]:
        again = now[number - 1] if number <= len(now) else []
        if not _shared(set(_keys(at_number, number)), again):
            # Nothing on this page is the same at two visits: only the number is left.
            return at_number
    raise DownloadError(
        ErrorCode.UNAVAILABLE,
        "The page has changed since its items were listed, and this item is not on it any more. "
        "Download the page again for what it has now.",
    )


def _shared(recorded: set[str], keys: Sequence[str], kind: str = "") -> bool:
    return any(key in recorded for key in keys if key.startswith(kind))


def _keys(entry: dict[str, Any], number: int) -> list[str]:
    keys: list[str] = []
    for url in _urls(entry):
        keys += [
            f"url:{digest(without_signature(url))}",
            f"path:{digest(path_of(url))}",
        ]
    identifier, title, duration = entry.get("id"), entry.get("title"), entry.get("duration")
    if identifier and not _counts(str(identifier), number):
        keys.append(f"id:{digest(str(identifier))}")
    if title and duration and not _counts(str(title), number):
        keys.append(f"text:{digest(f'{title} {duration}')}")
    return list(dict.fromkeys(keys))


def _urls(entry: dict[str, Any]) -> list[str]:
    formats = entry.get("formats")
    several = formats if isinstance(formats, list) else []
    several = [part for part in several if isinstance(part, dict)]
    urls = [entry.get("url"), *(part.get("url") for part in several[-_URLS:])]
    return [url for url in urls if isinstance(url, str) and url]


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < MAX_PLACE else 0


def _counts(text: str, number: int) -> bool:
    """Whether a text may be made from the item's number, as in `page-2` or `Page (2)`."""
    numbers = {int(found[:9]) for found in _WHOLE_NUMBER.findall(text)}
    return bool(numbers & {number, number - 1})
