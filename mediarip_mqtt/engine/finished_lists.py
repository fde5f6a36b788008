"""Takes the whole of an HLS list that seems live, and not only its end.

Without EXT-X-ENDLIST a list counts as live, and a live stream is recorded from its third segment
from the end. That loses most of a film whose list merely lacks the tag. So a list of the type VOD
is no live stream, and one that still holds its first segment is recorded from there. A list of the
type EVENT says itself that it grows: it is recorded from the current moment, as any live stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_BEGAN_BEFORE: Final = re.compile(r"^#EXT-X-MEDIA-SEQUENCE:\s*0*[1-9]", re.MULTILINE)
_SEGMENT: Final = re.compile(r"^#EXTINF:", re.MULTILINE)
_TYPE: Final = re.compile(r"^#EXT-X-PLAYLIST-TYPE:\s*(VOD|EVENT)", re.MULTILINE)
_FROM_FIRST: Final = ["-live_start_index", "0"]
_END: Final = "#EXT-X-ENDLIST"


def ended(listed: str) -> str:
    """Return a media playlist; with its end tag if it is of the type VOD."""
    kind = _TYPE.search(listed)
    return f"{listed}\n{_END}\n" if kind and kind[1] == "VOD" and _END not in listed else listed


def holds_first(listed: str) -> bool:
    """Whether a list without an end still holds its first segment, and is no EVENT."""
    if _END in listed or not _SEGMENT.search(listed) or _TYPE.search(listed):
        return False
    return not _BEGAN_BEFORE.search(listed)


def record_from_first(info: dict[str, Any]) -> None:
    """Make ffmpeg begin a live HLS recording at the list's first segment."""
    if not info.get("is_live"):
        return
    for item in info.get("formats") or [info]:
        if str(item.get("protocol")).startswith("m3u8"):
            options = dict(item.get("downloader_options") or {})
            options["ffmpeg_args"] = [*(options.get("ffmpeg_args") or ()), *_FROM_FIRST]
            item["downloader_options"] = options


def record_from_now(info: Mapping[str, Any]) -> None:
    """Undo `record_from_first`: what the list held before has been recorded."""
    for item in (info, *(info.get("requested_formats") or ())):
        options = item.get("downloader_options") or {}
        if (options.get("ffmpeg_args") or [])[-2:] == _FROM_FIRST:
            options["ffmpeg_args"] = options["ffmpeg_args"][:-2]
