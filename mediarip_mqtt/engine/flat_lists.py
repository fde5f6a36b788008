"""Reads channels, playlists and searches with yt-dlp, without opening their items' pages.

A list is read lazily: a channel's next part is requested only if the items before it were wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from yt_dlp.utils import PlaylistEntries, make_archive_id

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_link, check_url
from mediarip_mqtt.engine import feeds, list_items, playlist_entries
from mediarip_mqtt.engine.protocol import ListAnswer, ListedItem, Task

GENERIC: Final = "Generic"
MAX_LINKS: Final = 5  # from one URL to the next until a list
MAX_DEPTH: Final = 3  # lists in lists: a channel's tabs
MAX_LISTS: Final = 50
# Makes YouTube's extractor fail where it would leave out the rest of a list with a warning.
_STRICT: Final = {"raise_incomplete_data": ["1"]}
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
# YouTube keeps the places of such videos in a playlist.
_DELETED: Final = "[Deleted video]"
_PRIVATE: Final = "[Private video]"

Stop = Callable[[ListedItem], bool]


@dataclass
class _FlatReading:
    """One list, and the lists in it, being read."""

    session: Any
    security: SecuritySettings
    limit: int
    stop: Stop
    items: list[ListedItem] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    whole: bool = True
    lists: int = 0
    unnamed: int = 0  # items without a URL of their own

    def take(self, info: Mapping[str, Any], channel: str | None, depth: int = 0) -> None:
        """Read a list's items up to the stop."""
        self.lists += 1
        number = 0
        for number, entry in _entries(self.session, info):
            if len(self.items) >= self.limit or number > 2 * self.limit or self.lists > MAX_LISTS:
                self.whole = False
                return
            if not isinstance(entry, dict):
                continue
            if str(entry.get("_type")) == "playlist" and depth < MAX_DEPTH:
                self.take(entry, _text(entry.get("channel")) or channel, depth + 1)
                continue
            item = self._item(entry, channel)
            if item is None or item.key in self.keys:
                continue
            self.keys.add(item.key)
            self.items.append(item)
            if self.stop(item):
                self.whole = False
                return
        self.whole = self.whole and not _is_cut(info, number)

    def _item(self, entry: Mapping[str, Any], channel: str | None) -> ListedItem | None:
        title = _text(entry.get("title"))
        if title == _DELETED:
            return None
        try:
            url = check_url(playlist_entries.public_url(entry), self.security)
        except CommandError:
            self.unnamed += 1
            return None
        availability = "private" if title == _PRIVATE else _text(entry.get("availability"))
        return ListedItem(
            key=self._key(entry, url),
            url=url,
            title=title,
            duration=_number(entry.get("duration")),
            published_at=_time(entry),
            live_status=_text(entry.get("live_status")),
            availability=availability,
            channel=_text(entry.get("channel") or entry.get("uploader")) or channel,
        )

    def _key(self, entry: Mapping[str, Any], url: str) -> str:
        """Return yt-dlp's archive id; the URL if the list doesn't name the extractor."""
        extractor = entry.get("ie_key") or entry.get("extractor_key")
        if not isinstance(extractor, str) or extractor == GENERIC:
            return feeds.bounded_key(url)
        known = self.session._ies.get(extractor)  # noqa: SLF001 - another version may have renamed it
        video_id = entry.get("id") or (known.get_temp_id(url) if known else None)
        return feeds.bounded_key(make_archive_id(extractor, video_id) if video_id else url)


def read(session: Any, task: Task, security: SecuritySettings, stop: Stop) -> ListAnswer:
    """Read the list at the task's URL; raise `DownloadError` and yt-dlp's errors."""
    if _is_generic(session, task.url):
        document = feeds.fetch(session, task.url)
        if document is not None and feeds.is_feed(document.text):
            return _of_feed(task, document, security, stop)
    arguments = session.params.get("extractor_args") or {}
    youtube = {**(arguments.get("youtube") or {}), **_STRICT}
    session.params["extractor_args"] = {**arguments, "youtube": youtube}
    info = _resolved(session, task.url, security)
    reading = _FlatReading(session, security, task.playlist_limit, stop)
    reading.take(info, _text(info.get("channel") or info.get("uploader")))
    if reading.unnamed and not reading.items:
        raise DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "The list's items have no addresses of their own, so they can't be followed.",
        )
    channel_id = _text(info.get("channel_id"))
    page = str(info.get("webpage_url") or task.url)
    return ListAnswer(
        items=tuple(reading.items),
        whole=reading.whole,
        title=_text(info.get("title")),
        channel_id=channel_id,
        extractor=_text(info.get("extractor_key")),
        feed_url=next(iter(list_items.feed_urls(task.url, channel_id)), None)
        or next(iter(list_items.feed_urls(page, channel_id)), None),
    )


def _of_feed(
    task: Task, document: feeds.Document, security: SecuritySettings, stop: Stop
) -> ListAnswer:
    """Return a feed as a list, which is never whole: it has the newest items only."""
    answer = feeds.parse(document, security)
    items: list[ListedItem] = []
    for item in answer.items[: task.playlist_limit]:
        items.append(item)
        if stop(item):
            break
    return ListAnswer(
        items=tuple(items),
        whole=False,
        title=answer.title,
        extractor=GENERIC,
        feed_url=task.url,
    )


def _is_generic(session: Any, url: str) -> bool:
    """Whether yt-dlp has no extractor for a web page's site."""
    if not url.lower().startswith(("http:", "https:")):
        return False
    return not any(
        kind.suitable(url)
        for key, kind in session._ies.items()  # noqa: SLF001 - as yt-dlp itself chooses
        if key not in {GENERIC, "UnsupportedURL"}
    )


def _resolved(session: Any, url: str, security: SecuritySettings) -> dict[str, Any]:
    """Return a list; raise `DownloadError` if the URL leads to something else."""
    extractor: str | None = None
    for _ in range(MAX_LINKS):
        info = session.extract_info(url, download=False, ie_key=extractor, process=False)
        if not info:
            break
        if str(info.get("_type")) == "playlist":
            return dict(info)
        if str(info.get("_type")) not in playlist_entries.LINKS or not info.get("url"):
            break
        url, extractor = str(info["url"]), info.get("ie_key")
        if url.lower().startswith(("http:", "https:")):
            check_link(url, security)
        if extractor not in session._ies:  # noqa: SLF001 - another version may have renamed it
            extractor = None
    raise DownloadError(
        ErrorCode.NOT_A_LIST,
        "The URL leads to a single medium, not to a list. Download it with `download`.",
    )


def _entries(session: Any, info: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    if info.get("entries") is None:
        return
    yield from PlaylistEntries(session, info)[:]


def _is_cut(info: Mapping[str, Any], read: int) -> bool:
    """Whether a list says that it has far more items than it gave."""
    count = _number(info.get("playlist_count"))
    return count is not None and count > 2 * read


def _time(entry: Mapping[str, Any]) -> datetime | None:
    names = ["timestamp", "release_timestamp"]
    if entry.get("live_status") == "is_upcoming":
        names.reverse()
    for name in names:
        seconds = _number(entry.get(name))
        if seconds and _EARLIEST <= seconds <= _LATEST:
            return datetime.fromtimestamp(seconds, UTC)
    try:
        return datetime.strptime(str(entry.get("upload_date")), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e15 else None  # noqa: PLR2004 - greater ones are nonsense


def _text(value: Any) -> str | None:
    return texts.clean(value, feeds.TEXT_LIMIT) or None if isinstance(value, str) else None
