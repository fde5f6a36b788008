"""The device as the tests look for it."""

from __future__ import annotations

from typing import Any

from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.homeassistant.entities import ENTITIES
from tests.support.broker import wait_for
from tests.support.homeassistant import HomeAssistant

KEYS = {one.key for one in ENTITIES if one.platform != "device_automation" and not one.library}
LIBRARY = {one.key for one in ENTITIES if one.library}
# Nothing to show before something happened.
EMPTY = {"current", "progress", "eta", "last_completed", "last_failed", "response", "job"}
EMPTY |= {"last_new"}
UNAVAILABLE = {one.key for one in ENTITIES if one.command and one.command not in CLASSES}
EMPTY |= {one.key for one in ENTITIES if one.platform in {"button", "notify", "image"}}
LONGEST = 60  # seconds; on a busy machine, a service needs half of it to start


def found(ha: HomeAssistant, node_id: str, *, library: bool = False) -> dict[str, str]:
    """Return the device's entities as soon as all are there, and available.

    ``library``: also those of the library.
    """
    keys = KEYS | LIBRARY if library else KEYS
    names = wait_for(
        lambda: names if (names := ha.entities(node_id)).keys() >= keys else {},
        LONGEST,
        "all entities of the device",
    )
    # Home Assistant leaves out, in silence, what is asked of an unavailable entity.
    wanted = {names[key] for key in keys - UNAVAILABLE}
    wait_for(
        lambda: wanted <= {name for name, one in ha.states().items() if _available(one)},
        LONGEST,
        "all entities to be available",
    )
    return names


def _available(state: dict[str, Any]) -> bool:
    return bool(state["state"] != "unavailable")
