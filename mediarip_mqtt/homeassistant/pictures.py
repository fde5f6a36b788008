"""The picture of the current or last job, as bytes: Home Assistant itself fetches nothing.

A URL in its place would make Home Assistant, inside the home's network, fetch whatever a page
names.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.contract.topic_payloads import State
from mediarip_mqtt.engine.protocol import Engine

TIME_LIMIT: Final = 20.0  # seconds
# 160 x 90 of dark grey, for a job without a picture.
BLANK: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRo"
    "aGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////xABMAAEBAAAAAAAAAAAAAAAAAAAABwEB"
    "AQAAAAAAAAAAAAAAAAAAAAIQAQAAAAAAAAAAAAAAAAAAAAARAQAAAAAAAAAAAAAAAAAAAAD/wAARCABaAKADASIA"
    "AhEAAxEA/9oADAMBAAIRAxEAPwCYgKSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//Z"
)

logger = logging.getLogger(__name__)


class Pictures:
    """Fetches the picture of what the service shows."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._wanted: tuple[str | None, str | None] | None = None
        self._wake = asyncio.Event()
        self.picture: str | None = None  # base64: who reads all topics expects text

    def follow(self, state: State) -> None:
        """Take from the service's state which job's picture is wanted."""
        shown = state.current if state.current.id else state.last_completed
        wanted = (shown.id, shown.thumbnail) if shown else (None, None)
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    async def run(self) -> None:
        """Fetch what is wanted, again and again."""
        shown: tuple[bool, str | None] | None = None
        while True:
            await self._wake.wait()
            self._wake.clear()
            job_id, url = self._wanted or (None, None)
            if shown == (job_id is not None, url):
                continue
            shown = (job_id is not None, url)
            picture = (await self._fetch(url) if url else None) or BLANK
            # Of no job nothing stays: also not after it was deleted, or forgotten for privacy.
            self.picture = base64.b64encode(picture).decode() if job_id else None
            self._changed()

    async def _fetch(self, url: str) -> bytes | None:
        control = self._engine.control()
        future = threads.start(lambda: self._engine.picture(url, control), "picture")
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await future
        except (DownloadError, Stopped, TimeoutError) as error:
            logger.debug("no thumbnail: %s", error)
            return None
        except Exception:
            logger.exception("no thumbnail")
            return None
        finally:
            control.stop()
