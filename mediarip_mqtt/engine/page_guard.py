"""Rejects pages on which yt-dlp's regular expressions would freeze the service.

A regular expression holds the GIL while it searches, and some of yt-dlp's take quadratic or cubic
time in the number of tags without an end: 200 kB of `<video>` take 40 seconds. The checks here take
linear time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode

HTML_LIMIT: Final = 16 * 2**20  # characters; the session limits responses of other types
STEPS: Final = 10**8  # that one pattern may take, about a second
UNENDED: Final = 200  # tags without a `>` between them: cubic for patterns of two parts

_HTML: Final = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# Matches don't overlap, so that each character is looked at once.
_WITHOUT_END: Final = re.compile(rf"(?:\A|>)([^>]{{{3 * UNENDED},}})")
_TAG: Final = re.compile(r"<[a-zA-Z]")
# Elements that yt-dlp's patterns match from the start tag to the end tag, or to the page's end.
_PART: Final = re.compile(
    r"<(/?)(video-js|(?:amp-|dl8-|dl8-live-)?(?:video|audio)|script|iframe|object|title)\b"
    r"|(jwplayer|videojs)\s*\("
)


def check(page: str) -> None:
    """Raise `DownloadError` for a page that would take too long to search."""
    if len(page) > HTML_LIMIT and _HTML.match(page):
        raise DownloadError(
            ErrorCode.UNAVAILABLE, f"The site sent a page of more than {HTML_LIMIT >> 20} MiB."
        )
    if _has_broken_tags(page) or _steps(page) > STEPS:
        raise DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "The page has too many tags without an end. Use the URL of the media file itself.",
        )


def _has_broken_tags(page: str) -> bool:
    """Whether many tags lack their `>`."""
    for match in _WITHOUT_END.finditer(page):
        count = len(_TAG.findall(match[1]))
        if count > UNENDED or count * len(match[1]) > STEPS:
            return True
    return False


def _steps(page: str) -> int:
    """Return how many characters a pattern visits while it searches for missing end tags."""
    # By name: the number of start tags, and the sum of their positions.
    unclosed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for match in _PART.finditer(page):
        end, tag, call = match.groups()
        if end:
            unclosed[tag] = [0, 0]
        else:
            totals = unclosed[tag or call]
            totals[0] += 1
            totals[1] += match.start()
    return max((count * len(page) - positions for count, positions in unclosed.values()), default=0)
