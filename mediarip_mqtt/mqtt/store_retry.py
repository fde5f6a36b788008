"""Repeats an action until the store can be used: a volume may be lost for hours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from mediarip_mqtt.contract.errors import StoreError

T = TypeVar("T")
STORE_RETRY: Final = 2.0  # seconds between two attempts

logger = logging.getLogger(__name__)


async def until_store_answers(action: Callable[[], Awaitable[T]], name: str) -> T:
    """Repeat ``action`` while it raises `StoreError`; ``name`` is for the log."""
    while True:
        try:
            return await action()
        except StoreError as error:
            logger.debug("mqtt: %s: the store can't be used (%s); trying again", name, error)
            await asyncio.sleep(STORE_RETRY)
