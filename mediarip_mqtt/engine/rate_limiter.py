"""A job's rate limit: one for all its threads, changeable while they run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

STEP: Final = 0.5  # seconds; the longest sleep until a changed rate takes effect


class Pace:
    """Counts received bytes, and delays the threads that receive them.

    ``rate`` is in bytes per second; 0 means no limit. It may be set from any thread.
    """

    def __init__(self) -> None:
        self.rate = 0
        self._lock = threading.Lock()
        self._early = 0.0  # bytes received ahead of the rate
        self._at = time.monotonic()

    def spend(self, count: int, sleep: Callable[[float], None]) -> None:
        """Count received bytes; return when the next ones may be received."""
        with self._lock:
            self._advance()
            self._early += count
        while (seconds := self._wait()) > 0:
            sleep(min(seconds, STEP))

    def _wait(self) -> float:
        with self._lock:
            self._advance()
            return self._early / self.rate if self.rate else 0.0

    def _advance(self) -> None:
        now = time.monotonic()
        passed, self._at = now - self._at, now
        self._early = max(0.0, self._early - passed * self.rate) if self.rate else 0.0
