"""A media player that records what it is to play."""

from __future__ import annotations

from typing import Any

from homeassistant.components.media_player import (
    MediaPlayerEntity,
    MediaPlayerEntityFeature,
    MediaPlayerState,
)

from . import record


async def async_setup_platform(_: Any, __: Any, add: Any, ___: Any = None) -> None:
    """Add the entity `media_player.test_player`."""
    add([TestPlayer()])


class TestPlayer(MediaPlayerEntity):
    """A player that is always on."""

    _attr_name = "Test player"
    _attr_unique_id = "test_player"
    _attr_should_poll = False
    _attr_state = MediaPlayerState.IDLE
    _attr_supported_features = (
        MediaPlayerEntityFeature.PLAY_MEDIA
        | MediaPlayerEntityFeature.STOP
        | MediaPlayerEntityFeature.MEDIA_ANNOUNCE
    )

    async def async_play_media(self, media_type: str, media_id: str, **more: Any) -> None:
        """Record it."""
        record(
            self.hass,
            "media_player.play_media",
            entity_id=self.entity_id,
            media_content_type=str(media_type),
            media_content_id=media_id,
            announce=more.get("announce"),
        )
        self._attr_state = MediaPlayerState.PLAYING
        self.async_write_ha_state()

    async def async_media_stop(self) -> None:
        """Record it."""
        record(self.hass, "media_player.media_stop", entity_id=self.entity_id)
        self._attr_state = MediaPlayerState.IDLE
        self.async_write_ha_state()
