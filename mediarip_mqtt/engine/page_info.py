"""yt-dlp's info dict as the contract's `MediaInfo`; nothing in it is trusted to have its type."""

from __future__ import annotations

import re
import time
from typing import Any, Final
from urllib.parse import quote

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import MAX_PLACE
from mediarip_mqtt.contract.models import Entry, FormatInfo, MediaInfo
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_picture
from mediarip_mqtt.engine.error_classes import UPCOMING_LEAST, UPCOMING_POLL
from mediarip_mqtt.engine.protocol import Task

TEXT_LIMIT: Final = 300
FORMAT_LIMIT: Final = 200

_UNFIT_IN_URL: Final = re.compile(rf"{texts.UNFIT.pattern}| ")


def media_info(task: Task, info: dict[str, Any], security: SecuritySettings) -> MediaInfo:
    """Convert a medium or a playlist; raise `DownloadError` for an empty playlist."""
    is_playlist = str(info.get("_type")) in {"playlist", "multi_video"}
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
    )


def items_of(info: dict[str, Any], task: Task) -> list[dict[str, Any]]:
    """Return the entries of a playlist that the task may have."""
    return _dicts(info.get("entries"))[: task.playlist_limit]


def only_entry(info: dict[str, Any] | None, task: Task) -> dict[str, Any] | None:
    """Return the entry to use instead of a search, or of a page with a single medium."""
    if not info or info.get("_type") not in {"playlist", "multi_video"}:
        return None
    entries = [entry for entry in info.get("entries") or () if entry]
    info["entries"] = entries
    search = not task.url.startswith(("http://", "https://"))
    if len(entries) != 1 and not (search and entries):
        if search:
            raise DownloadError(ErrorCode.NOT_FOUND, "The search found nothing.")
        return None
    flat = entries[0].get("_type") in {"url", "url_transparent"}
    return entries[0] if search or not flat else None


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
    is_link = str(item.get("_type")) in {"url", "url_transparent"}
    link = item.get("url") if is_link else item.get("webpage_url") or item.get("original_url")
    url = _link(str(link or ""))
    items = None
    if not url or url in (task.url, _link(str(page.get("webpage_url") or ""))):
        place = _number(item.get("playlist_index"))
        url, items = task.url, str(int(place) if place and 1 <= place <= MAX_PLACE else number)
    return Entry(
        url=url[:4096],
        title=_text(item.get("title")),
        duration=_number(item.get("duration")),
        thumbnail=_thumbnail(item, security),
        index=number,
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
