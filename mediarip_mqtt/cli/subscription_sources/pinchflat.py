"""Pinchflat's SQLite file: `sources`, `media_profiles` and `media_items`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
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

TABLES: Final = ("sources", "media_items", "media_profiles")
_ITEM: Final = (
    "id",
    "source_id",
    "media_id",
    "title",
    "media_downloaded_at",
    "media_filepath",
    "uploaded_at",
    "upload_date",  # before June 2024
    "prevent_download",
    "culled_at",
)
_PRESENCE: Final = frozenset({"include", "exclude", "only"})


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the sources; what was downloaded is done, and what is still pending stays new."""
    with open_foreign(path) as database:
        profiles = {row["id"]: row for row in database.rows("media_profiles", "id")}
        sources = {row["id"]: row for row in database.rows("sources", "id")}
        items = _items(database, sources)
        for source_id, source in sources.items():
            draft = Draft(f"source {str(source_id)[:20]}")
            _describe(draft, source, profiles.get(source.get("media_profile_id")) or {})
            yield draft.found(by_time(items[source_id]))


def _describe(draft: Draft, source: Mapping[str, Any], profile: Mapping[str, Any]) -> None:
    minutes = whole(source.get("index_frequency_minutes")) or 0
    draft.put(
        url=text_of(source, "original_url"),
        name=line(text_of(source, "custom_name", "collection_name", "friendly_name", "name")),
        interval="auto" if source.get("fast_index") else interval(minutes * 60),
        date_after=_day(source.get("download_cutoff_date")),
        duration_min=positive(source.get("min_duration_seconds")),
        duration_max=positive(source.get("max_duration_seconds")),
        keep_days=positive(source.get("retention_period_days")),
        shorts=_presence(profile.get("shorts_behaviour")),
        live=_presence(profile.get("livestream_behaviour")),
    )
    resolution = profile.get("preferred_resolution")
    draft.want(media_type="audio" if resolution == "audio" else None, quality=quality(resolution))
    draft.match_title("title_match", source.get("title_filter_regex"))
    if source.get("enabled") == 0:
        draft.pause("paused, as it is there")
    elif not source.get("download_media", 1):
        draft.pause("paused, as nothing of it is downloaded there")
    elif minutes <= 0 and not source.get("fast_index"):
        draft.pause("paused, as it is never checked there")
    if source.get("marked_for_deletion_at"):
        draft.pause("paused, as it is being deleted there")


def _items(
    database: ForeignDatabase, sources: Mapping[Any, Mapping[str, Any]]
) -> dict[Any, list[KnownItem]]:
    found: dict[Any, list[KnownItem]] = defaultdict(list)
    for row in database.rows("media_items", "id", columns=_ITEM):
        source = sources.get(row.get("source_id"))
        if source is None:
            continue
        published = moment(row.get("uploaded_at") or row.get("upload_date"))
        state = _state(row, source, published)
        item = state and youtube_item(
            row.get("media_id"),
            title=line(row.get("title")),
            published_at=published,
            done_at=moment(row.get("media_downloaded_at")) if state == "done" else None,
            state=state,
        )
        if item:
            found[row["source_id"]].append(item)
    return found


def _state(
    row: Mapping[str, Any], source: Mapping[str, Any], published: datetime | None
) -> str | None:
    """Return an item's state; None for one that Pinchflat would still download."""
    if row.get("culled_at"):
        return "expired"
    if row.get("prevent_download"):
        return "ignored"
    if row.get("media_filepath") or row.get("media_downloaded_at"):
        return "done"
    cutoff = _day(source.get("download_cutoff_date"))
    old = cutoff is not None and published is not None and str(published.date()) < cutoff
    return "baseline" if old or not source.get("download_media", 1) else None


def _presence(value: object) -> str | None:
    return str(value) if value in _PRESENCE else None


def _day(value: object) -> str | None:
    parsed = moment(value)
    return str(parsed.date()) if parsed else None
