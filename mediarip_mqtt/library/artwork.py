"""The pictures of titles and shows: fetched by the engine's guard, and made anew by ffmpeg."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from functools import partial
from typing import Any, Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.engine import thumbnail
from mediarip_mqtt.engine.protocol import Engine

TIME_LIMIT: Final = 20.0  # seconds
WIDTH: Final = 1280  # pixels

logger = logging.getLogger(__name__)


async def fetch(engine: Engine, url: str, stopped: asyncio.Event) -> bytes | None:
    """Return a page's picture as a JPEG; None if it can't be had, or the work is stopped."""
    control = engine.control()
    future = threads.start(partial(engine.picture, url, control, WIDTH), "artwork")
    stop = asyncio.create_task(stopped.wait(), name="artwork-stop")
    try:
        both: set[asyncio.Future[Any]] = {future, stop}
        await asyncio.wait(both, timeout=TIME_LIMIT, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        control.stop()
        threads.leave(future)
    if not future.done():
        return None
    try:
        return future.result()
    except (DownloadError, Stopped, OSError, subprocess.TimeoutExpired) as error:
        logger.debug("no artwork: %s", error)
    except Exception:
        logger.exception("no artwork")
    return None


def poster(picture: bytes) -> bytes | None:
    """Return a picture as a poster; None if ffmpeg can't make one. Blocks."""
    try:
        return thumbnail.poster(picture)
    except (DownloadError, OSError, subprocess.TimeoutExpired) as error:
        logger.debug("no poster: %s", error)
        return None
