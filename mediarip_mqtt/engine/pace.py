"""How fast a job may go: one limit for all its threads, which may change while they run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

STEP: Final = 0.5  # seconds after which a sleeper looks whether the rate has changed


class Pace:
    """Counts the bytes that came, and lets their threads wait until those were due.

    ``rate`` is in bytes per second; 0 is as fast as can be. It may be set from any thread.
    """

    def __init__(self) -> None:
        self.rate = 0
        self._lock = threading.Lock()
        self._early = 0.0  # bytes that came before their time
        self._at = time.monotonic()

    def spend(self, count: int, sleep: Callable[[float], None]) -> None:
        """Take ``count`` bytes into account; return when the next ones may come."""
        with self._lock:
            self._pass()
            self._early += count
        while (seconds := self._wait()) > 0:
            sleep(min(seconds, STEP))

    def _wait(self) -> float:
        with self._lock:
            self._pass()
            return self._early / self.rate if self.rate else 0.0

    def _pass(self) -> None:
        now = time.monotonic()
        passed, self._at = now - self._at, now
        self._early = max(0.0, self._early - passed * self.rate) if self.rate else 0.0
