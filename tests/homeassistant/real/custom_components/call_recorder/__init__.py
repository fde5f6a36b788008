"""Test devices that record the actions called on them: a phone, a media player, a satellite.

The action `call_recorder.calls` returns all calls. A new kind of device records with `record`.
"""

from __future__ import annotations

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.helpers.discovery import async_load_platform

from .tts import add_voice

DOMAIN = "call_recorder"
PHONES = ("mobile_app_phone", "mobile_app_tablet")
PLATFORMS = ("assist_satellite", "media_player")


def record(hass: HomeAssistant, action: str, **data: Any) -> None:
    """Record a call; ``data`` must be JSON."""
    hass.data[DOMAIN].append({"action": action, **data})


async def async_setup(hass: HomeAssistant, config: dict[str, Any]) -> bool:
    """Register the phones as the companion app does, and load the entities."""
    hass.data[DOMAIN] = []

    async def notify(call: ServiceCall) -> None:
        record(hass, f"notify.{call.service}", **call.data)

    async def calls(_: ServiceCall) -> dict[str, Any]:
        return {"calls": hass.data[DOMAIN]}

    for phone in PHONES:
        hass.services.async_register("notify", phone, notify)
    hass.services.async_register(DOMAIN, "calls", calls, supports_response=SupportsResponse.ONLY)
    for platform in PLATFORMS:
        hass.async_create_task(async_load_platform(hass, platform, DOMAIN, {}, config))
    await add_voice(hass, record)
    return True
