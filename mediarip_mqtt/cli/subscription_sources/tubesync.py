"""TubeSync's SQLite file: `sync_source` and `sync_media`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.cli.subscription_sources.found import (
    Draft,
    FoundSource,
    by_time,
    interval,
    line,
    moment,
    positive,
    quality,
    text_of,
    whole,
    youtube_item,
)
from mediarip_mqtt.store.foreign import ForeignDatabase, open_foreign
from mediarip_mqtt.subscriptions.subscription_records import KnownItem

TABLES: Final = ("sync_source", "sync_media")
_ITEM: Final = (  # `metadata` may take a megabyte of each
    "uuid",
    "source_id",
    "key",
    "title",
    "published",
    "downloaded",
    "download_date",
    "skip",
    "manual_skip",
)
_URLS: Final = {
    "c": "https://www.youtube.com/c/{key}",
    "i": "https://www.youtube.com/channel/{key}",
    "p": "https://www.youtube.com/playlist?list={key}",
}


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the sources; what was downloaded is done, and what is still pending stays new."""
    now = datetime.now(UTC)
    with open_foreign(path) as database:
        sources = {row["uuid"]: row for row in database.rows("sync_source", "created", "uuid")}
        items = _items(database, sources, now)
        for source_id, source in sources.items():
            draft = Draft(f"source {text_of(source, 'name')[:40] or source_id}")
            _describe(draft, source, now)
            yield draft.found(by_time(items[source_id]))


def _describe(draft: Draft, source: Mapping[str, Any], now: datetime) -> None:
    seconds, shortest = positive(source.get("filter_seconds")), source.get("filter_seconds_min")
    audio = source.get("source_resolution") == "audio"
    draft.put(
        url=_url(source),
        name=line(source.get("name")),
        interval=interval(source.get("index_schedule")),
        duration_min=seconds if shortest else None,
        duration_max=seconds if not shortest else None,
        date_after=_cap(source, now),
        keep_days=positive(source.get("days_to_keep")) if source.get("delete_old_media") else None,
        live=_live(source),
    )
    draft.want(
        media_type="audio" if audio else None,
        quality=quality(source.get("source_resolution")),
        folder=line(source.get("directory")),
    )
    inverted = source.get("filter_text_invert")
    draft.match_title("title_exclude" if inverted else "title_match", source.get("filter_text"))
    if not source.get("download_media", 1):
        draft.pause("paused, as nothing of it is downloaded there")
    elif not whole(source.get("index_schedule")):
        draft.pause("paused, as it is never checked there")
    if source.get("delete_removed_media"):
        draft.notes.append("files of items that disappear are kept: see `on_removed`")


def _url(source: Mapping[str, Any]) -> str | None:
    key, kind = text_of(source, "key"), text_of(source, "source_type")
    if kind == "c" and key.startswith("@"):
        return f"https://www.youtube.com/{key}"
    return _URLS[kind].format(key=key) if kind in _URLS and key else None


def _live(source: Mapping[str, Any]) -> str | None:
    if source.get("index_streams") == 0:
        return "exclude"
    return "only" if source.get("index_videos") == 0 else None


def _cap(source: Mapping[str, Any], now: datetime) -> str | None:
    seconds = positive(source.get("download_cap"))
    return str((now - timedelta(seconds=min(seconds, 10**9))).date()) if seconds else None


def _items(
    database: ForeignDatabase, sources: Mapping[Any, Mapping[str, Any]], now: datetime
) -> dict[Any, list[KnownItem]]:
    found: dict[Any, list[KnownItem]] = defaultdict(list)
    for row in database.rows("sync_media", "uuid", columns=_ITEM):
        source = sources.get(row.get("source_id"))
        if source is None:
            continue
        published = moment(row.get("published"))
        state = _state(row, source, published, now)
        item = state and youtube_item(
            row.get("key"),
            title=line(row.get("title")),
            published_at=published,
            done_at=moment(row.get("download_date")) if state == "done" else None,
            state=state,
        )
        if item:
            found[row["source_id"]].append(item)
    return found


def _state(
    row: Mapping[str, Any],
    source: Mapping[str, Any],
    published: datetime | None,
    now: datetime,
) -> str | None:
    """Return an item's state; None for one that TubeSync would still download."""
    if row.get("manual_skip"):
        return "ignored"
    if row.get("downloaded"):
        return "done"
    cap = _cap(source, now)
    old = cap is not None and published is not None and str(published.date()) < cap
    skipped = row.get("skip") or not source.get("download_media", 1)
    return "baseline" if skipped or old else None
