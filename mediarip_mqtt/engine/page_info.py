"""yt-dlp's info dict as the contract's `MediaInfo`; nothing in it is trusted to have its type."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import MAX_PLACE
from mediarip_mqtt.contract.models import Entry, FormatInfo, MediaInfo
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_picture
from mediarip_mqtt.engine import page_items, playlist_entries
from mediarip_mqtt.engine.error_classes import UPCOMING_LEAST, UPCOMING_POLL
from mediarip_mqtt.engine.protocol import Listed, Task

TEXT_LIMIT: Final = 300
PLOT_LIMIT: Final = 5000  # characters of a description
CHAPTER_LIMIT: Final = 500
CHAPTER_TITLE: Final = 255
FORMAT_LIMIT: Final = 200

# Protocols of yt-dlp whose downloads threads of the service do.
_PLAIN: Final = frozenset({"http", "https", "http_dash_segments", "m3u8", "m3u8_native"})
_UNFIT_IN_URL: Final = re.compile(rf"{texts.UNFIT.pattern}| ")


def media_info(task: Task, info: dict[str, Any], security: SecuritySettings) -> MediaInfo:
    """Convert a medium or a playlist; raise `DownloadError` for an empty playlist."""
    is_playlist = playlist_entries.is_list(info)
    entries: tuple[Entry, ...] = ()
    if is_playlist:
        entries = tuple(
            _entry(item, number, task, info, security)
            for number, item in enumerate(items_of(info, task), start=1)
        )
        if not entries:
            raise DownloadError(ErrorCode.UNAVAILABLE, "The playlist has no items.")
    return MediaInfo(
        url=task.url,
        extractor=_text(info.get("extractor_key") or info.get("extractor")),
        title=_text(info.get("title")),
        duration=_number(info.get("duration")),
        thumbnail=_thumbnail(info, security),
        uploader=_text(info.get("uploader") or info.get("channel")),
        live_status=_text(info.get("live_status")),
        formats=tuple(_format(item) for item in _dicts(info.get("formats"))[-FORMAT_LIMIT:]),
        is_playlist=is_playlist,
        entries=entries,
        entry_count=_count(info, task) if is_playlist else None,
        warning=_left_out(info, task) if is_playlist else None,
    )


def items_of(info: dict[str, Any], task: Task) -> list[dict[str, Any]]:
    """Return a playlist's items up to the limit."""
    return _dicts(info.get("entries"))[: task.playlist_limit]


def listed(task: Task, info: dict[str, Any], entries: Sequence[Entry]) -> tuple[Listed, ...]:
    """Return what a playlist says of each of its ``entries``; nothing for a medium."""
    if not playlist_entries.is_list(info):
        return ()
    items = items_of(info, task)
    fields = playlist_entries.list_fields(info, items, _count(info, task) or len(items))
    identities = page_items.identities(items)
    return tuple(
        playlist_entries.listed(item, fields, task.listed).model_copy(
            update={"identity": identity if entry.items else None}
        )
        for item, entry, identity in zip(items, entries, identities, strict=True)
    )


def _count(info: dict[str, Any], task: Task) -> int | None:
    """Return how many items a playlist has, if that is known."""
    read = len(_dicts(info.get("entries")))
    count = _number(info.get("playlist_count"))
    if count is not None and count >= read:
        return int(count)
    complete = not task.options.playlist_items and read <= task.playlist_limit
    return read if complete else None


def _left_out(info: dict[str, Any], task: Task) -> str | None:
    """Return the warning that a playlist has more items than are taken at once."""
    limit, selection = task.playlist_limit, task.options.playlist_items
    read = len(_dicts(info.get("entries")))
    if read <= limit:
        return None
    count = read if selection else _count(info, task)
    taken = f"{limit} of {count} items" if count else f"the first {limit} items"
    return (
        f"Only {taken} were taken (playlist_limit). Download the others by `playlist_items`"
        f"{'' if selection else f', such as `{limit + 1}:{2 * limit}`'}."
    )


def entry_logins(task: Task, info: dict[str, Any]) -> dict[int, str]:
    """Return the user names and passwords in the URLs of a playlist's entries, by index."""
    if not playlist_entries.is_list(info):
        return {}
    logins = {
        playlist_entries.index_of(item, number): playlist_entries.login_of(item)
        for number, item in enumerate(items_of(info, task), start=1)
    }
    return {index: login for index, login in logins.items() if login}


def for_library(info: dict[str, Any], *, cut: bool) -> dict[str, Any]:
    """Return what the library keeps of a page and output templates don't see.

    ``cut``: parts of the medium are cut out, so that the page's chapters don't fit.
    """
    found: dict[str, Any] = {}
    if plot := texts.clean_lines(str(info.get("description") or ""), PLOT_LIMIT):
        found["plot"] = plot
    chapters = () if cut else filter(None, map(_chapter, _dicts(info.get("chapters"))))
    if kept := list(chapters)[:CHAPTER_LIMIT]:
        found["chapters"] = kept
    return found


def _chapter(item: dict[str, Any]) -> dict[str, Any] | None:
    start, end = _number(item.get("start_time")), _number(item.get("end_time"))
    if start is None or start < 0:
        return None
    title = texts.clean(str(item.get("title") or ""), CHAPTER_TITLE)
    return {"title": title, "start_time": start, "end_time": end if end and end > start else None}


def only_entry(info: dict[str, Any] | None, task: Task) -> dict[str, Any] | None:
    """Return the entry to use instead of a search, or of a page with a single medium."""
    if not info or not playlist_entries.is_list(info):
        return None
    entries = [entry for entry in info.get("entries") or () if entry]
    info["entries"] = entries
    search = not task.url.startswith(("http://", "https://"))
    if len(entries) != 1 and not (search and entries):
        if search:
            raise DownloadError(ErrorCode.NOT_FOUND, "The search found nothing.")
        return None
    flat = entries[0].get("_type") in playlist_entries.LINKS
    return entries[0] if search or not flat else None


def is_whole(info: dict[str, Any]) -> bool:
    """Whether only the process that read the page can download the medium.

    Its fragments are a generator, or its protocol keeps lists of them that a page can make endless.
    """
    parts = [part for part in info.get("requested_formats") or [info] if isinstance(part, dict)]
    protocols = {str(part.get("protocol") or "http") for part in parts}
    return any(not _PLAIN.issuperset(protocol.split("+")) for protocol in protocols) or any(
        callable(part.get("fragments")) for part in parts
    )


def refuse_upcoming(info: dict[str, Any]) -> None:
    """Raise `DownloadError` for an announced stream, with the seconds until it begins."""
    if info.get("live_status") != "is_upcoming":
        return
    begins = _number(info.get("release_timestamp"))
    raise DownloadError(
        ErrorCode.NOT_YET_LIVE,
        "It has not begun yet.",
        begins=True,
        retry_after=max(begins - time.time(), UPCOMING_LEAST) if begins else UPCOMING_POLL,
    )


def _entry(
    item: dict[str, Any],
    number: int,
    task: Task,
    page: dict[str, Any],
    security: SecuritySettings,
) -> Entry:
    """Convert a playlist's item; one without its own URL gets its number as `items`."""
    index = playlist_entries.index_of(item, number)
    url, items = _link(playlist_entries.public_url(item)), None
    if not url or url in (task.url, _link(str(page.get("webpage_url") or ""))):
        url, items = task.url, str(min(index, MAX_PLACE))
    return Entry(
        url=url[:4096],
        title=_text(item.get("title")),
        duration=_number(item.get("duration")),
        thumbnail=_thumbnail(item, security),
        index=index,
        items=items,
    )


def _thumbnail(info: dict[str, Any], security: SecuritySettings) -> str | None:
    """Return a thumbnail's URL; None if it leads to an internal address."""
    url = info.get("thumbnail")
    if not url and (pictures := _dicts(info.get("thumbnails"))):
        url = pictures[-1].get("url")
    return check_picture(url, security)


def _format(item: dict[str, Any]) -> FormatInfo:
    size = _number(item.get("filesize") or item.get("filesize_approx"))
    height = _number(item.get("height"))
    return FormatInfo(
        format_id=texts.clean(str(item.get("format_id")), 100),
        ext=_text(item.get("ext")),
        resolution=_text(item.get("resolution")),
        height=int(height) if height else None,
        fps=_number(item.get("fps")),
        vcodec=_text(item.get("vcodec")),
        acodec=_text(item.get("acodec")),
        tbr=_number(item.get("tbr")),
        filesize=int(size) if size else None,
        note=_text(item.get("format_note")),
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Return the non-empty dicts of what should be a list of dicts."""
    if not isinstance(value, list):
        return []
    return [item for item in value if item and isinstance(item, dict)]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return texts.clean(str(value), TEXT_LIMIT) or None


def _link(url: str) -> str:
    """Percent-encode spaces, and the characters of a URL that can't be published."""
    web = url.strip().lower().startswith(("http://", "https://"))
    unfit = _UNFIT_IN_URL if web else texts.UNFIT  # in a search the spaces separate words
    return unfit.sub(lambda match: quote(match[0], safe="", errors="ignore"), url.strip())


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value == value and abs(value) < 1e15 else None  # noqa: PLR0124, PLR2004 - NaN differs from itself; greater numbers are nonsense
