"""Applies the runtime settings that the store keeps."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.service.quiet_hours import QuietHours
from mediarip_mqtt.store import Store

logger = logging.getLogger(__name__)


class KeptSettings:
    """Reads runtime settings from the store; `apply` makes them take effect."""

    def __init__(
        self,
        store: Store,
        preferences: Preferences,
        quiet_hours: QuietHours,
        publish_info: Callable[[], None],
    ) -> None:
        self._store = store
        self._preferences = preferences
        self._quiet_hours = quiet_hours
        self._publish_info = publish_info

    async def restore(self) -> None:
        """Read and apply the settings, at the start and after the store was opened again.

        Raises `StoreError`.
        """
        config = await self._store.read(lambda tx: tx.config())
        for key in self._preferences.restore(config):
            logger.warning("settings: the kept value of %s is no longer valid; ignored", key)
        self.apply()

    def apply(self) -> None:
        """Apply the current values to the quiet hours, and publish them in `info`."""
        self._quiet_hours.apply()
        self._publish_info()
