"""A text-to-speech service that records what it is to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeassistant.components.tts import TextToSpeechEntity
from homeassistant.core import HomeAssistant


async def add_voice(hass: HomeAssistant, record: Callable[..., None]) -> None:
    """Add the entity `tts.test_voice`; platforms in YAML have no such entities."""
    await hass.data["tts"].async_add_entities([TestVoice(record)])


class TestVoice(TextToSpeechEntity):
    """A voice that is silent."""

    _attr_name = "Test voice"
    _attr_unique_id = "test_voice"
    _attr_default_language = "en"
    _attr_supported_languages = ["en"]  # noqa: RUF012 - as Home Assistant declares it

    def __init__(self, record: Callable[..., None]) -> None:
        """Record with a function."""
        self._record = record

    async def async_speak(self, media_player_entity_id: list[str], message: str, **_: Any) -> None:
        """Record it."""
        players = list(media_player_entity_id)
        self._record(self.hass, "tts.speak", players=players, message=message)
