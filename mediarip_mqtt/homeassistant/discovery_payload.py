"""The payload of MQTT device discovery, rendered from the table of entities."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from mediarip_mqtt import __version__
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.homeassistant.entities import ENTITIES, Entity, subscription_switches
from mediarip_mqtt.homeassistant.entity_names import entity_name

ORIGIN: Final = "mediarip-mqtt"


def device_config(  # noqa: PLR0913 - what the device depends on
    topics: Topics,
    node_id: str,
    commands: Collection[str],
    extras: Mapping[str, Mapping[str, Any]],
    *,
    language: str = "en",
    library: bool = True,
    subscriptions: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the discovery payload of the device.

    ``commands``: the names of the service's commands. ``extras``: by entity key, options that are
    known only at run time (a select's choices, a number's bounds). ``language``: of the names.
    ``library``: whether it is enabled.
    ``subscriptions``: the names of those that get a switch.
    """
    entities = (*ENTITIES, *subscription_switches(subscriptions))
    components = {
        entity.key: _component(entity, topics, node_id, commands, extras.get(entity.key, {}))
        for entity in entities
        if library or not entity.library
    }
    for key, component in components.items():
        if "name" in component:
            component["name"] = entity_name(key, component["name"], language)
    return {
        "device": {
            "identifiers": [node_id],
            "name": node_id,
            "manufacturer": ORIGIN,
            "model": "yt-dlp download service",
            "sw_version": __version__,
        },
        "origin": {"name": ORIGIN, "sw_version": __version__},
        "availability": [{"topic": topics.status}],
        "components": components,
    }


def _component(
    entity: Entity,
    topics: Topics,
    node_id: str,
    commands: Collection[str],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    component: dict[str, Any] = {"platform": entity.platform, "qos": 1}
    for key, value in {**entity.options, **extra}.items():
        component[key] = _expand(value, topics.base)
    if entity.platform == "device_automation":
        return component
    component |= {
        "unique_id": f"{node_id}_{entity.key}",
        "default_entity_id": f"{entity.platform}.{_slug(node_id)}_{entity.key}",
        "name": entity.name,
    }
    if entity.icon:
        component["icon"] = entity.icon
    if entity.command and entity.command not in commands:
        # `info` lists the commands: the entity becomes available after an update that adds it.
        component["availability_mode"] = "all"
        component["availability"] = [
            {"topic": topics.status},
            {
                "topic": topics.info,
                "value_template": "{{ 'online' if '"
                + entity.command
                + "' in value_json.commands else 'offline' }}",
            },
        ]
    return component


def _slug(node_id: str) -> str:
    """Return a node id as part of an entity id."""
    return re.sub("[_-]+", "_", node_id.lower()).strip("_") or "mediarip"


def _expand(value: Any, base: str) -> Any:
    """Replace ``~/`` at the start of a topic with the base topic."""
    if isinstance(value, str) and value.startswith("~/"):
        return f"{base}/{value[2:]}"
    return value
