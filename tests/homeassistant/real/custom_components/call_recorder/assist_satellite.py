"""A voice satellite that records its announcements."""

from __future__ import annotations

from typing import Any

from homeassistant.components.assist_satellite import (
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
    AssistSatelliteEntityFeature,
)

from . import record


async def async_setup_platform(_: Any, __: Any, add: Any, ___: Any = None) -> None:
    """Add the entity `assist_satellite.test_satellite`."""
    add([TestSatellite()])


class TestSatellite(AssistSatelliteEntity):
    """A satellite without a voice: it needs no text-to-speech."""

    _attr_name = "Test satellite"
    _attr_unique_id = "test_satellite"
    _attr_supported_features = AssistSatelliteEntityFeature.ANNOUNCE

    async def async_internal_announce(
        self, message: str | None = None, media_id: str | None = None, **more: Any
    ) -> None:
        """Record it."""
        record(
            self.hass,
            "assist_satellite.announce",
            entity_id=self.entity_id,
            message=message,
            media_id=media_id,
            **more,
        )

    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        """Return that there are no wake words."""
        return AssistSatelliteConfiguration(
            available_wake_words=[], active_wake_words=[], max_active_wake_words=0
        )

    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        """Ignore it."""

    def on_pipeline_event(self, event: Any) -> None:
        """Ignore it."""
