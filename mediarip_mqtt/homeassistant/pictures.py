"""Fetches the thumbnail of the current or last job and publishes its bytes.

A published URL would make Home Assistant fetch any address that a page names, from inside the home
network.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import subprocess
from collections.abc import Callable
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.contract.topic_payloads import State
from mediarip_mqtt.engine.protocol import Engine

TIME_LIMIT: Final = 20.0  # seconds
# A dark grey JPEG of 160 x 90 pixels, for a job without a thumbnail.
BLANK: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRo"
    "aGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////xABMAAEBAAAAAAAAAAAAAAAAAAAABwEB"
    "AQAAAAAAAAAAAAAAAAAAAAIQAQAAAAAAAAAAAAAAAAAAAAARAQAAAAAAAAAAAAAAAAAAAAD/wAARCABaAKADASIA"
    "AhEAAxEA/9oADAMBAAIRAxEAPwCYgKSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//Z"
)

logger = logging.getLogger(__name__)


class Pictures:
    """Fetches the thumbnail of the job that the service shows."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._wanted: tuple[str | None, str | None] | None = None
        self._wake = asyncio.Event()
        self.picture: str | None = None  # base64: readers of all topics expect text

    @property
    def shows_job(self) -> bool:
        """Whether there is a job whose thumbnail is to be shown, fetched or not."""
        return self._wanted is not None and self._wanted[0] is not None

    def follow(self, state: State) -> None:
        """Choose the job from the payload of `state`."""
        job = state.current if state.current.id else state.last_completed
        wanted = (job.id, job.thumbnail) if job else (None, None)
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    async def run(self) -> None:
        """Fetch thumbnails until cancelled."""
        shown: tuple[bool, str | None] = (False, None)
        while True:
            await self._wake.wait()
            self._wake.clear()
            job_id, url = self._wanted or (None, None)
            if shown == (job_id is not None, url):
                continue
            shown = (job_id is not None, url)
            picture = (await fetch_picture(self._engine, url, bytes) if url else None) or BLANK
            # Clear the thumbnail when no job is shown, also after deletion or in privacy mode.
            self.picture = base64.b64encode(picture).decode() if job_id else None
            self._changed()


async def fetch_picture(
    engine: Engine, url: str, convert: Callable[[bytes], bytes]
) -> bytes | None:
    """Return a page's thumbnail, converted in the thread that fetches it; None if that fails."""
    control = engine.control()
    future = threads.start(lambda: convert(engine.picture(url, control)), "picture")
    try:
        async with asyncio.timeout(TIME_LIMIT):
            return await future
    except (DownloadError, Stopped, OSError, subprocess.TimeoutExpired) as error:
        logger.debug("no thumbnail: %s", error)
        return None
    except Exception:
        logger.exception("no thumbnail")
        return None
    finally:
        control.stop()
