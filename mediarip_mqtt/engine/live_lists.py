"""What became of the lists of a live stream (HLS, DASH) while ffmpeg read them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

KEPT: Final = 64  # lists of one recording; some sites give each request a new URL
_SEQUENCE: Final = re.compile(rb"^#EXT-X-MEDIA-SEQUENCE:\s*(\d{1,15})", re.MULTILINE)
_SEGMENT: Final = re.compile(rb"^#EXTINF:\s*(\d{1,6}(?:\.\d{1,9})?)", re.MULTILINE)


@dataclass
class _List:
    following: int | None = None  # the number of the segment that comes next
    failed: bool = False


class Lists:
    """Notes for each list by its URL; used by the threads of the proxy."""

    def __init__(self) -> None:
        self._lists: OrderedDict[str, _List] = OrderedDict()
        self._lock = threading.Lock()
        self._missed: dict[str, float] = {}

    @property
    def any(self) -> bool:
        """Whether a list was read."""
        return bool(self._lists)

    @property
    def broken(self) -> bool:
        """Whether a list could not be read when it was last requested: ffmpeg ends at that."""
        with self._lock:
            return any(known.failed for known in self._lists.values())

    @property
    def missed(self) -> float:
        """The seconds of segments that had left a list before they were read."""
        with self._lock:
            return max(self._missed.values(), default=0.0)

    def knows(self, url: str) -> bool:
        """Whether this URL has answered with a list."""
        with self._lock:
            return url in self._lists

    def failed(self, url: str) -> None:
        """Note a failed request; of a segment it means nothing."""
        with self._lock:
            if (known := self._lists.get(url)) is not None:
                known.failed = True

    def begin(self) -> None:
        """Forget failures and numbers: ffmpeg is started again."""
        with self._lock:
            for known in self._lists.values():
                known.failed, known.following = False, None

    def read(self, url: str, text: bytes) -> None:
        """Note a list that was read."""
        segments = _SEGMENT.findall(text)
        first = _SEQUENCE.search(text)
        number = int(first[1]) if first else 0
        with self._lock:
            known = self._lists.setdefault(url, _List())
            self._lists.move_to_end(url)
            known.failed = False
            if segments and known.following is not None and number > known.following:
                each = sum(map(float, segments)) / len(segments)
                lost = (number - known.following) * each
                self._missed[url] = self._missed.get(url, 0.0) + lost
            if segments:
                known.following = number + len(segments)
            while len(self._lists) > KEPT:
                self._missed.pop(self._lists.popitem(last=False)[0], None)
