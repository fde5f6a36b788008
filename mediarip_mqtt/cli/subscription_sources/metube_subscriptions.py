"""MeTube's `subscriptions.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.cli.import_sources import Unreadable
from mediarip_mqtt.cli.subscription_sources.found import (
    Draft,
    FoundSource,
    interval,
    is_youtube,
    line,
    quality,
    read_object,
    whole,
    youtube_item,
)
from mediarip_mqtt.contract.presets import AUDIO_FORMATS
from mediarip_mqtt.subscriptions.subscription_records import KnownItem

NAME: Final = "subscriptions.json"
SCANNED: Final = 50  # items from the top of a list that MeTube looks at, unless it is set up else


def is_metube(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is MeTube's store of subscriptions."""
    return content.get("kind") == "subscriptions" and isinstance(content.get("items"), list)


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the subscriptions; what MeTube has seen stays."""
    content = read_object(path / NAME if path.is_dir() else path)
    for number, entry in enumerate(content.get("items") or (), start=1):
        place = f"subscription {number}"
        if isinstance(entry, dict):
            yield _found(place, entry)
        else:
            yield Unreadable(place, "is not an object")


def _found(place: str, entry: Mapping[str, Any]) -> FoundSource:
    draft = Draft(place)
    minutes = whole(entry.get("check_interval_minutes"))
    audio = entry.get("download_type") == "audio"
    form = str(entry.get("format"))
    draft.put(
        url=entry.get("url"),
        name=line(entry.get("name")),
        enabled=entry.get("enabled") is not False,
        interval=interval(minutes * 60 if minutes else None),
        members="exclude" if entry.get("skip_subscriber_only") is True else "include",
    )
    draft.want(
        media_type="audio" if audio else None,
        output_format=form if form in ("mp4", *AUDIO_FORMATS) else None,
        quality=quality(entry.get("quality")),
        folder=line(entry.get("folder")),
    )
    draft.match_title("title_match", entry.get("title_regex"))
    for option, what in (
        ("ytdl_options_overrides", "options of yt-dlp"),
        ("ytdl_options_presets", "presets of yt-dlp's options"),
        ("custom_name_prefix", "the prefix of names"),
    ):
        if entry.get(option):
            draft.notes.append(f"{what} are not carried over")
    return draft.found(_seen(draft, entry))


def _seen(draft: Draft, entry: Mapping[str, Any]) -> list[KnownItem]:
    """Return what MeTube has seen, the oldest first; nothing if the rest of the list is not known.

    Without any, all that is there at the first check stays.
    """
    ids = entry.get("seen_ids")
    url = str(entry.get("url") or "")
    if not isinstance(ids, list) or not is_youtube(url):
        return []
    oldest_first = reversed(list(dict.fromkeys(map(str, ids))))
    items = [item for seen in oldest_first if (item := youtube_item(seen)) is not None]
    if items and "list=" not in url:  # a channel
        draft.put(partial=True)
        return items
    if len(items) >= SCANNED:
        draft.notes.append("MeTube has seen only its beginning: all that is there now stays")
        return []
    return items
