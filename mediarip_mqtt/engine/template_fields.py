"""Output templates: which fields of a page they may use, and how they are filled in.

yt-dlp's template language reaches everything in the info dict, also through alternatives,
arithmetic and replacements, and the dict holds cookies, headers and signed URLs. So a template sees
only the fields listed here. A field that is new in yt-dlp stays hidden until somebody has reviewed
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.volume import names

VALUE_LIMIT: Final = 300  # characters of a value; a file name has at most 255 bytes
LIST_LIMIT: Final = 100
# Raised by yt-dlp when a template and a page's values don't fit together.
_UNFIT: Final = (ValueError, TypeError, LookupError, ArithmeticError, AssertionError)
# All that yt-dlp documents under OUTPUT TEMPLATE, except URLs, which may hold tokens.
FIELDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        id title fulltitle ext alt_title description display_id location license
        uploader uploader_id creator creators channel channel_id channel_follower_count
        channel_is_verified categories tags cast language media_type
        timestamp upload_date release_timestamp release_date release_year
        modified_timestamp modified_date epoch
        duration duration_string start_time end_time age_limit
        view_count concurrent_view_count like_count dislike_count repost_count save_count
        average_rating comment_count
        live_status is_live was_live playable_in_embed availability
        extractor extractor_key webpage_url_basename webpage_url_domain autonumber video_autonumber
        n_entries playlist playlist_id playlist_title playlist_count playlist_index
        playlist_autonumber playlist_uploader playlist_uploader_id playlist_channel
        playlist_channel_id __last_playlist_index
        chapter chapter_number chapter_id
        section_title section_number section_start section_end
        series series_id season season_number season_id episode episode_number episode_id
        track track_number track_id artist artists genre genres composer composers
        album album_type album_artist album_artists disc_number
        format format_id format_note width height aspect_ratio resolution dynamic_range
        tbr abr vbr acodec vcodec asr audio_channels fps container filesize filesize_approx
        protocol stretched_ratio
        """,
    )
)


def fill(session: Any, template: str, info: Mapping[str, Any], extension: str) -> str:
    """Fill a template in with the allowed fields of ``info``; no value adds a folder level."""
    title = info.get("title")
    if not title or not names.leaves_name(str(title)):
        title = info.get("id") or "download"
    values = harmless({**info, "title": title, "ext": extension})
    try:
        rendered = str(session.evaluate_outtmpl(template, values))
    except _UNFIT as error:
        raise DownloadError(
            ErrorCode.UNSAFE_PATH,
            "The output template doesn't fit this page's data; fields look like %(title)s or "
            "%(title).100B. Send the download again with another one.",
        ) from error
    return rendered if rendered.endswith(f".{extension}") else f"{rendered}.{extension}"


def harmless(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a template may use, truncated, as values that JSON can hold."""
    return {key: _value(value) for key, value in info.items() if key in FIELDS}


def _value(value: Any) -> Any:
    """Return a scalar, or a short list of the scalars in a list."""
    if isinstance(value, list | tuple):
        return [_scalar(item) for item in value[:LIST_LIMIT] if isinstance(item, str | int | float)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return names.one_level(value[:VALUE_LIMIT])
    if isinstance(value, int | float):  # not NaN, and not numbers too large to format
        return value if abs(value) < 2**63 else None
    return None
