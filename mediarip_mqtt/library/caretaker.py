"""What the library does once a day: retention, the archive's end, the look for missing files."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.library.missing import MissingLook
from mediarip_mqtt.library.title_retention import TitleRetention

FIRST: Final = 600.0  # seconds after the start

logger = logging.getLogger(__name__)


class Caretaker:
    """Looks after all titles; each part is tried, whatever becomes of the others."""

    def __init__(self, retention: TitleRetention, missing: MissingLook) -> None:
        self._retention = retention
        self._missing = missing

    async def look_after(self) -> None:
        """Do all of it once; what the volume or the store prevents waits for the next time."""
        parts: tuple[tuple[str, Callable[[], Awaitable[int]]], ...] = (
            ("%d titles are missing", self._missing.look),
            ("%d titles have had their time", self._retention.apply),
            ("%d titles have gone from their sources", self._retention.archive_gone),
            ("%d archived titles are deleted", self._retention.empty_archive),
        )
        for text, part in parts:
            try:
                count = await part()
            except (OSError, StoreError) as error:
                logger.warning("library: the daily look is postponed: %s", error)
                continue
            if count:
                logger.info(f"library: {text}", count)  # noqa: G004 - one of the texts above
