"""How the process ends: by a signal, and by force if a hanging volume prevents its shutdown."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mediarip_mqtt.volume.marker import HANGING

LONGEST_END: Final = 14.0  # seconds; more than the time limits of all steps of a shutdown
LOST_VOLUME_END: Final = 8.0  # seconds, if the volume is lost

logger = logging.getLogger(__name__)


@contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set ``stop`` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def kill_process() -> None:
    """End the process at once.

    SIGKILL, not `os._exit`: that closes the files, which waits for a hanging volume.
    """
    os.kill(os.getpid(), signal.SIGKILL)


class LastResort:
    """Kills the process if its shutdown does not end: threads may hang in a lost volume."""

    def __init__(self, kill: Callable[[], None] = kill_process) -> None:
        self._kill = kill
        self._timer: threading.Timer | None = None

    def arm(self, *, volume_lost: bool) -> None:
        """Start the countdown, at the beginning of the shutdown."""
        seconds = LOST_VOLUME_END if volume_lost else LONGEST_END
        self._timer = threading.Timer(seconds, self._end, (seconds,))
        self._timer.daemon = True
        self._timer.start()

    def settle(self, volume_problem: str | None) -> None:
        """End the countdown once everything is closed.

        If the volume hangs, kill at once. If it is lost in another way, leave the countdown
        running: closing its files may still hang.
        """
        if volume_problem == HANGING:
            self._kill()
        elif volume_problem is None and self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float) -> None:
        logger.error("ending: the shutdown took more than %.0f s; killing the process", seconds)
        self._kill()
