"""Limits of what a web server's response may take: bytes after decompression, and fragments.

A medium has no limit here: it goes to the disk piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine.direct_files import ServerAnswer

PAGE_LIMIT: Final = 64 * 2**20  # bytes of a response that a reader reads as a whole
LIST_LIMIT: Final = 16 * 2**20  # the same in a thread that downloads: playlists and keys
EXTRA_LIMIT: Final = 16 * 2**20  # bytes of subtitles or a thumbnail
FRAGMENT_LIMIT: Final = 100_000  # lines of a playlist; 55 hours of two seconds each
_CHUNK: Final = 2**20


class _Limited:
    """A base in front of yt-dlp's response class.

    It overrides the method below `read`, because `read` closes the response when everything has
    arrived, which may be before everything is decompressed.
    """

    whole_limit: int
    total_limit: int | None
    total = 0
    answer: ServerAnswer | None = None

    def _real_read(self, amt: int | None = None) -> bytes:
        original: Callable[[int], bytes] = super()._real_read  # type: ignore[misc] # the response's
        if amt is not None:
            block = original(amt)
            self.total += len(block)
            if self.answer is not None:
                self.answer.received(block)
            if self.total_limit is not None and self.total > self.total_limit:
                raise _too_large(self.total_limit)
            return block
        data = bytearray()
        while chunk := original(_CHUNK):
            data += chunk
            if len(data) > self.whole_limit:
                raise _too_large(self.whole_limit)
        if self.whole_limit == LIST_LIMIT:
            _check_fragments(data)
        return bytes(data)


def limit(response: Any, whole: int, total: int | None = None) -> Any:
    """Limit a response: ``whole`` bytes if it is read at once, ``total`` bytes in any case."""
    # Change the class: a method set on the instance makes a reference cycle, which keeps sockets
    # open.
    kind: Any = type(response)
    if hasattr(kind, "_real_read"):  # other handlers' responses are data: URLs and WebSockets
        response.__class__ = _limited_class(kind)
        response.whole_limit, response.total_limit = whole, total
    return response


@cache
def _limited_class(kind: Any) -> Any:
    return type(kind.__name__, (_Limited, kind), {})


def _check_fragments(data: bytearray) -> None:
    """Raise `DownloadError` for a playlist whose list of fragments would take too much memory."""
    if data.count(b"\n") - data.count(b"\n#") - 1 > FRAGMENT_LIMIT:
        raise DownloadError(
            ErrorCode.UNAVAILABLE, f"The playlist has more than {FRAGMENT_LIMIT} fragments."
        )


def _too_large(limit: int) -> DownloadError:
    return DownloadError(
        ErrorCode.UNAVAILABLE, f"The site sent more than {limit >> 20} MiB where a page belongs."
    )
