"""Pages that would freeze the service: yt-dlp's patterns hold the interpreter while they search.

Their time grows with the square of the tags that never end, or its cube: 200 kB of `<video>` take
40 seconds of one call, in which no other thread runs. What is counted here takes a time that grows
with the page alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode

HTML_LIMIT: Final = 16 * 2**20  # characters; answers of other kinds are bounded by the session
STEPS: Final = 10**8  # that one pattern may need: about a second
UNENDED: Final = 200  # tags without a `>` between them: patterns of two parts need their cube

_HTML: Final = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# Each begins where the last one ended, so that all of them are passed once.
_WITHOUT_END: Final = re.compile(rf"(?:\A|>)([^>]{{{3 * UNENDED},}})")
_TAG: Final = re.compile(r"<[a-zA-Z]")
# What patterns look for as a whole: from a beginning to its end, or to that of the page.
_PART: Final = re.compile(
    r"<(/?)(video-js|(?:amp-|dl8-|dl8-live-)?(?:video|audio)|script|iframe|object|title)\b"
    r"|(jwplayer|videojs)\s*\("
)


def check(page: str) -> None:
    """Raise `DownloadError` where reading a page would take for ever."""
    if len(page) > HTML_LIMIT and _HTML.match(page):
        raise DownloadError(
            ErrorCode.UNAVAILABLE, f"The site sent a page of more than {HTML_LIMIT >> 20} MiB."
        )
    if _has_broken_tags(page) or _steps(page) > STEPS:
        raise DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "The page has more tags without an end than any page should have, and is not read. "
            "Give the address of the medium itself.",
        )


def _has_broken_tags(page: str) -> bool:
    """Whether a page has tags that lack their `>`."""
    for found in _WITHOUT_END.finditer(page):
        count = len(_TAG.findall(found[1]))
        if count > UNENDED or count * len(found[1]) > STEPS:
            return True
    return False


def _steps(page: str) -> int:
    """Return how often a pattern looks at a character in search of an end that does not come."""
    begun: dict[str, list[int]] = defaultdict(lambda: [0, 0])  # how many, and their places' sum
    for found in _PART.finditer(page):
        end, tag, call = found.groups()
        if end:
            begun[tag] = [0, 0]
        else:
            count = begun[tag or call]
            count[0] += 1
            count[1] += found.start()
    return max((count * len(page) - places for count, places in begun.values()), default=0)
