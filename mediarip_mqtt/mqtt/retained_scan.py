"""Collects the retained messages that a connection receives for a subscription."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
SCAN_QUIET: Final = 0.5  # seconds without a retained message that end a scan
SCAN_LIMIT: Final = 50_000  # messages; anybody who may write on matching topics can leave more
TOPIC_LIMIT: Final = 500  # characters; no service's own topic is longer


class RetainedScan(Generic[T]):
    """The retained messages of one subscription: topic to ``keep(payload)``.

    ``enough`` messages end the scan at once. Messages published meanwhile do not prolong it, so
    that it ends even while a service is busy. What is too long, has more than ``largest`` bytes, or
    comes after ``most`` others is left out: it is not read at all.
    """

    def __init__(
        self,
        keep: Callable[[bytes], T],
        quiet: float,
        enough: int | None,
        *,
        largest: int | None = None,
        most: int = SCAN_LIMIT,
    ) -> None:
        self.kept: dict[str, T] = {}
        self._keep = keep
        self._quiet = quiet
        self._enough = enough
        self._largest = largest
        self._most = most
        self._arrived = asyncio.Event()

    def take(self, topic: str, payload: bytes, retain: bool) -> None:  # noqa: FBT001 - the flag of the packet
        """Keep a message if it is a retained one.

        Called for each packet, without a queue: thousands of payloads arrive faster than they are
        read, and take megabytes.
        """
        if not retain:
            return
        if payload and self._may_keep(topic, payload):
            self.kept[topic] = self._keep(payload)
        self._arrived.set()

    def _may_keep(self, topic: str, payload: bytes) -> bool:
        if len(topic) > TOPIC_LIMIT or (len(self.kept) >= self._most and topic not in self.kept):
            return False
        return self._largest is None or len(payload) <= self._largest

    async def end(self) -> None:
        """Return once no retained message has arrived for a while."""
        while self._enough is None or len(self.kept) < self._enough:
            self._arrived.clear()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._arrived.wait()
            except TimeoutError:
                return


def digest(payload: str | bytes) -> str:
    """Return a short hash for comparing payloads."""
    data = payload.encode() if isinstance(payload, str) else payload
    return hashlib.blake2b(data, digest_size=12).hexdigest()
