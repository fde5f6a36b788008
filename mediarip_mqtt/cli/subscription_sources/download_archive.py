"""yt-dlp's download archive: a line for each download, `youtube dQw4w9WgXcQ`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.import_sources import Unreadable
from mediarip_mqtt.cli.subscription_sources.found import ITEM_LIMIT, read_bytes, youtube_item
from mediarip_mqtt.subscriptions.subscription_records import KnownItem

_LINE: Final = re.compile(r"[a-z0-9:_.+-]{1,80} [^\s\x00-\x1f]{1,110}")


def read(path: Path) -> Iterator[KnownItem | Unreadable]:
    """Yield what was downloaded, in this order."""
    for number, text in enumerate(read_bytes(path).decode("utf-8", "replace").splitlines(), 1):
        key = text.strip()
        if not key:
            continue
        if number > ITEM_LIMIT or not _LINE.fullmatch(key):
            yield Unreadable(f"line {number}", "is not a line of yt-dlp's archive")
            continue
        extractor, _, video_id = key.partition(" ")
        item = youtube_item(video_id, state="done") if extractor == "youtube" else None
        yield item or KnownItem(item_key=key, state="done")
