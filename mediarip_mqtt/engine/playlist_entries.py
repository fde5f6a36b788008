"""Items of playlists: what their list says of them, and how yt-dlp reads one again by itself.

An item becomes a job of its own, so what yt-dlp knows of it while it reads the list is kept in a
`Listed`: the list's data for the item's name, and for feeds the item's title and date, which count
more than those of the file behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from yt_dlp.utils import unsmuggle_url

from mediarip_mqtt.contract.urls import split_login
from mediarip_mqtt.engine.protocol import Listed, Task

LINKS: Final = frozenset({"url", "url_transparent"})
LISTS: Final = frozenset({"playlist", "multi_video"})
TEXT_LIMIT: Final = 2000  # characters of a text that is kept; a template gets fewer
_WEB: Final = re.compile(r"https?://[^/\s]", re.IGNORECASE)
# `kaltura:1:2`: understood by yt-dlp only. A search is shown: jobs of a `query` have one, too.
_INTERNAL: Final = re.compile(
    r"(?!(?:about|blob|data|file|javascript|mailto|tel|\w*search\w*):)[\w.+-]+:(?!//)",
    re.IGNORECASE,
)
_INDEX: Final = "playlist_index"
_AUTONUMBER: Final = "playlist_autonumber"
# Of an item of a feed, apart from what describes the file: id, formats, extractor.
_DETAILS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        title alt_title description thumbnail duration age_limit
        timestamp upload_date release_timestamp release_date release_year
        modified_timestamp modified_date
        uploader uploader_id channel channel_id creator creators location license
        categories tags cast language availability
        view_count like_count comment_count average_rating
        series series_id season season_number season_id episode episode_number episode_id
        chapter chapter_number chapter_id section_title section_number section_start section_end
        track track_number track_id artist artists genre genres composer composers
        album album_type album_artist album_artists disc_number
        """,
    )
)


def is_list(info: Mapping[str, Any]) -> bool:
    """Whether yt-dlp returned a playlist."""
    return str(info.get("_type")) in LISTS


def place(result: Any, extra_info: Mapping[str, Any] | None) -> Any:
    """Note in an item its place in the list: yt-dlp leaves it out of links."""
    if isinstance(result, dict) and extra_info and extra_info.get(_INDEX):
        result |= {key: extra_info.get(key) for key in (_INDEX, _AUTONUMBER)}
    return result


def index_of(item: Mapping[str, Any], number: int) -> int:
    """Return an item's place in its list, from 1; ``number`` if yt-dlp knows none."""
    index = item.get(_INDEX)
    return index if isinstance(index, int) and index > 0 else number


def public_url(item: Mapping[str, Any]) -> str:
    """Return an item's URL as its page states it, or "" if it has none.

    It is without what yt-dlp adds, and without a user name and password.
    """
    return split_login(_stated_url(item))[0]


def login_of(item: Mapping[str, Any]) -> str | None:
    """Return the user name and password in an item's URL."""
    return split_login(_stated_url(item))[1]


def _stated_url(item: Mapping[str, Any]) -> str:
    if _is_link(item):
        url = _plain(str(item.get("url") or ""))
        named = bool(item.get("ie_key")) and not _WEB.match(url)
        if not named and not _INTERNAL.match(url):
            return url
    urls = (_plain(str(item.get(key) or "")) for key in ("webpage_url", "original_url"))
    return next((url for url in urls if _WEB.match(url)), "")


def list_fields(
    info: Mapping[str, Any], items: Sequence[Mapping[str, Any]], count: int
) -> dict[str, Any]:
    """Return a list's data for the names of its items; ``count`` is how many it has."""
    title, list_id = _text(info.get("title")), _text(info.get("id"))
    return {
        "playlist": title or list_id,
        "playlist_id": list_id,
        "playlist_title": title,
        "playlist_uploader": info.get("uploader"),
        "playlist_uploader_id": info.get("uploader_id"),
        "playlist_channel": info.get("channel"),
        "playlist_channel_id": info.get("channel_id"),
        "playlist_count": count,
        "n_entries": count,
        # The number of its digits is the width of `playlist_index`.
        "__last_playlist_index": max(index_of(item, 0) for item in items),
    }


def listed(item: Mapping[str, Any], fields: Mapping[str, Any], of_list: Listed) -> Listed:
    """Return what the list says of an item; ``of_list`` is how yt-dlp read the list."""
    fields = {**fields, **{key: item.get(key) for key in (_INDEX, _AUTONUMBER)}}
    if not _is_link(item) and not public_url(item):
        return Listed(
            url=of_list.url,
            extractor=of_list.extractor,
            numbered=True,
            fields=_storable(fields),
        )
    details = {}
    if str(item.get("_type")) == "url_transparent":
        details = {key: item[key] for key in _DETAILS & item.keys()}
    url = split_login(str(item.get("url") or ""))[0] if _is_link(item) else ""
    return Listed(
        url=url if url and url != public_url(item) else None,
        extractor=str(item["ie_key"]) if _is_link(item) and item.get("ie_key") else None,
        fields=_storable(fields),
        details=_storable(details),
    )


def read(session: Any, task: Task) -> Any:
    """Read the task's page, or the item as its list described it."""
    entry = task.listed
    if not (entry.url or entry.extractor or entry.details):
        return session.extract_info(task.url, download=False)
    known = entry.extractor in session._ies  # noqa: SLF001 - another version may have renamed it
    link = {
        **entry.details,
        "_type": "url_transparent" if entry.details else "url",
        "url": entry.url or task.url,
        "ie_key": entry.extractor if known else None,
    }
    return session.process_ie_result(link, download=False)


def _is_link(item: Mapping[str, Any]) -> bool:
    return str(item.get("_type")) in LINKS


def _plain(url: str) -> str:
    """Return a URL without the data that yt-dlp adds to it for another extractor."""
    try:
        plain = unsmuggle_url(url)[0]
    except (ValueError, LookupError):
        plain = url.partition("#__youtubedl_smuggle")[0]
    return f"https:{plain}" if plain.startswith("//") else str(plain).strip()


def _text(value: Any) -> str | None:
    """Return a list's title or id; None for a URL, which may hold a token."""
    text = str(value or "")
    return None if not text or "://" in text else text


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _value(value) for key, value in values.items()}
    return {key: value for key, value in kept.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_value(item) for item in value[:20] if isinstance(item, str)]
    if isinstance(value, str):
        return value[:TEXT_LIMIT].encode("utf-8", "replace").decode()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if abs(value) < 2**63 else None
    return None
