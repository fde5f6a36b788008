"""What is derived from a list: the feed with its new items, and what their jobs are told."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from mediarip_mqtt.contract.subscription_models import SubscriptionItem
from mediarip_mqtt.engine.protocol import Listed

_YOUTUBE_FEED: Final = "https://www.youtube.com/feeds/videos.xml"
_YOUTUBE_CHANNEL: Final = re.compile(r"UC[\w-]{22}", re.ASCII)
# YouTube keeps a list of each kind of upload, named after the channel.
_VIDEOS, _SHORTS, _LIVE = "UULF", "UUSH", "UULV"
_TABS: Final = {"videos": _VIDEOS, "shorts": _SHORTS, "streams": _LIVE}


def feed_urls(url: str, channel_id: str | None) -> tuple[str, ...]:
    """Return the feeds of a YouTube channel's page, to be tried in this order; none of others.

    A tab has a feed of its own, then the channel's feed, which has the items of all tabs. A
    playlist's feed tells nothing of what is new at its end.
    """
    if not _YOUTUBE_CHANNEL.fullmatch(channel_id or ""):
        return ()
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "youtube.com" and not host.endswith(".youtube.com"):
        return ()
    path = parts.path.rstrip("/")
    if path.startswith(("/playlist", "/watch")) or not path:
        return ()
    whole = f"{_YOUTUBE_FEED}?channel_id={channel_id}"
    kind = _TABS.get(path.rpartition("/")[2])
    return (f"{_YOUTUBE_FEED}?playlist_id={kind}{str(channel_id)[2:]}", whole) if kind else (whole,)


def listed(item: SubscriptionItem, list_title: str, *, of_feed: bool) -> Listed:
    """Return what a list says of an item, for the item's job.

    Of an item of a feed, the title and date count more than those of the file behind it.
    """
    details = {
        "title": item.title,
        "duration": item.duration,
        "timestamp": int(item.published_at.timestamp()) if item.published_at else None,
    }
    return Listed(
        fields={"playlist": list_title, "playlist_title": list_title},
        details={name: value for name, value in details.items() if value} if of_feed else {},
    )
