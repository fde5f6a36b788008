"""The entities of the device in Home Assistant, one row each.

A new entity is one row of `ENTITIES`; ``~/`` at the start of a topic stands for the base topic.
Constraints of Home Assistant's MQTT integration: an unknown key at the root rejects the whole
device; a state has at most 255 characters; attributes above 16 KiB are not recorded; every change
of a state or an attribute is a row in the recorder's database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.presets import QUALITIES
from mediarip_mqtt.contract.topic_payloads import State
from mediarip_mqtt.homeassistant.entity_templates import (
    EVENT,
    LAST_NEW,
    LIBRARY,
    RESPONSE,
    SUBSCRIPTIONS,
    TILE_PICTURE,
)

STATUSES: Final = get_args(State.model_fields["status"].annotation)
# Event types that an automation can choose as a trigger of the device.
TRIGGERS: Final = (
    *("queued", "started", "completed", "failed", "cancelled", "review_needed"),
    *("playlist_completed", "disk_low", "storage_lost", "storage_restored"),
    *("subscription_new", "subscription_failed"),
)


@dataclass(frozen=True)
class Entity:
    """A row of the table; ``options`` are the keys of Home Assistant's MQTT platform.

    ``name`` None: the device's main entity. ``command``: the command it sends; the entity is
    unavailable if this version of the service lacks it. ``library``: only if that is enabled.
    """

    key: str
    platform: str
    name: str | None
    icon: str | None = None
    command: str | None = None
    library: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def _last(topic: str) -> dict[str, Any]:
    """Return the options of a sensor for the last completed or the last failed job.

    State and attributes come from one message: an automation on the state finds its attributes.
    """
    return {
        "state_topic": topic,
        "device_class": "timestamp",
        "value_template": "{{ value_json.at }}",
        "json_attributes_topic": topic,
    }


def _filed(template: str) -> str:
    """Return a template for attributes of `library`, which is cleared when that is switched off."""
    return f"{{{{ {template} if value_json is defined else '{{}}' }}}}"


def _state(template: str, **options: Any) -> dict[str, Any]:
    """Return the options of an entity that shows a value of `state`."""
    return {"state_topic": "~/state", "value_template": f"{{{{ {template} }}}}", **options}


def _binary(template: str, device_class: str, **options: Any) -> dict[str, Any]:
    return _state(f"'ON' if {template} else 'OFF'", device_class=device_class, **options)


def _count(template: str) -> dict[str, Any]:
    return _state(template, state_class="measurement")


def _setting(key: str, **options: Any) -> dict[str, Any]:
    return {
        "state_topic": f"~/setting/{key}",
        "command_topic": f"~/setting/{key}/set",
        "entity_category": "config",
        **options,
    }


def _press(payload: str, command: str) -> dict[str, Any]:
    return {"command_topic": f"~/command/{command}", "payload_press": payload}


ENTITIES: Final = (
    Entity(
        "status",
        "sensor",
        None,
        "mdi:download-network",
        options=_state(
            "value_json.status",
            device_class="enum",
            options=list(STATUSES),
            json_attributes_topic="~/jobs/now",
        ),
    ),
    Entity(
        "active", "sensor", "Active", "mdi:progress-download", options=_count("value_json.active")
    ),
    Entity(
        "queued", "sensor", "Queued", "mdi:tray-full", options=_count("value_json.counts.queued")
    ),
    Entity(
        "failed", "sensor", "Failed", "mdi:alert-circle", options=_count("value_json.counts.failed")
    ),
    Entity(
        "completed_today",
        "sensor",
        "Completed today",
        "mdi:check-circle",
        options=_count("value_json.completed_today"),
    ),
    Entity(
        "current",
        "sensor",
        "Current",
        "mdi:movie-open-play",
        options=_state("(value_json.current.title or 'None')[:250]"),
    ),
    Entity(
        "progress",
        "sensor",
        "Progress",
        "mdi:percent",
        options=_state(
            "value_json.current.progress_percent",
            unit_of_measurement="%",
            state_class="measurement",
        ),
    ),
    Entity(
        "speed",
        "sensor",
        "Speed",
        "mdi:speedometer",
        options=_state(
            "value_json.current.speed / 1000000",
            device_class="data_rate",
            unit_of_measurement="MB/s",
            state_class="measurement",
            suggested_display_precision=1,
        ),
    ),
    Entity(
        "eta",
        "sensor",
        "ETA",
        "mdi:timer-sand",
        options=_state(
            "value_json.current.eta",
            device_class="duration",
            unit_of_measurement="s",
            state_class="measurement",
            suggested_display_precision=0,
        ),
    ),
    Entity(
        "disk_free",
        "sensor",
        "Disk free",
        "mdi:harddisk",
        options=_state(
            # Rounded to about 1 %: the exact value changes all the time during a download.
            "none if value_json.disk_free is none else"
            " (value_json.disk_free / 1000000000) | round(1)"
            " if value_json.disk_free < 20000000000 else"
            " (value_json.disk_free / 1000000000) | round(0) | int",
            device_class="data_size",
            unit_of_measurement="GB",
            state_class="measurement",
            suggested_display_precision=0,
            entity_category="diagnostic",
        ),
    ),
    Entity(
        "last_completed",
        "sensor",
        "Last completed",
        "mdi:check-circle-outline",
        options=_last("~/jobs/finished"),
    ),
    Entity(
        "last_failed",
        "sensor",
        "Last failed",
        "mdi:alert-circle-outline",
        options=_last("~/jobs/failed"),
    ),
    Entity(
        "subscriptions",
        "sensor",
        "Subscriptions",
        "mdi:rss",
        options={
            "state_topic": "~/subscriptions",
            "value_template": "{{ value_json.count }}",
            "state_class": "measurement",
            "json_attributes_topic": "~/subscriptions",
            "json_attributes_template": f"{{{{ {SUBSCRIPTIONS} }}}}",
        },
    ),
    Entity(
        "last_new",
        "sensor",
        "Last new",
        "mdi:new-box",
        options={
            "state_topic": "~/subscriptions",
            "value_template": "{{ (value_json.last_new or 'None')[:250] }}",
            "json_attributes_topic": "~/subscriptions",
            "json_attributes_template": LAST_NEW,
        },
    ),
    Entity(
        "response",
        "sensor",
        "Response",
        "mdi:message-reply-text",
        options={
            "state_topic": "~/response",
            "value_template": "{{ 'ok' if value_json.ok else value_json.error.code }}",
            "json_attributes_topic": "~/response",
            "json_attributes_template": RESPONSE,
            "entity_category": "diagnostic",
            "visible_by_default": False,  # for scripts and cards; older versions ignore it
        },
    ),
    Entity(
        "reviews_waiting",
        "sensor",
        "Reviews waiting",
        "mdi:help-box-multiple",
        library=True,
        options={
            "state_topic": "~/library",
            "value_template": "{{ value_json.waiting if value_json is defined else none }}",
            "state_class": "measurement",
            "json_attributes_topic": "~/library",
            "json_attributes_template": _filed("{'reviews': value_json.reviews} | to_json"),
        },
    ),
    Entity(
        "library",
        "sensor",
        "Library",
        "mdi:bookshelf",
        library=True,
        options={
            "state_topic": "~/library",
            "value_template": "{{ value_json.count if value_json is defined else none }}",
            "state_class": "measurement",
            "json_attributes_topic": "~/library",
            "json_attributes_template": _filed(LIBRARY),
        },
    ),
    Entity("running", "binary_sensor", "Running", options=_binary("value_json.active", "running")),
    Entity(
        "storage",
        "binary_sensor",
        "Storage",
        options=_binary(
            "value_json.status != 'storage_lost'", "connectivity", entity_category="diagnostic"
        ),
    ),
    Entity(
        "problem",
        "binary_sensor",
        "Problem",
        options=_binary(
            "value_json.status in ('storage_lost', 'error')"
            " or value_json.pause_reason not in (none, 'user', 'updating')",
            "problem",
            entity_category="diagnostic",
        ),
    ),
    Entity(
        "subscription_problem",
        "binary_sensor",
        "Subscription problem",
        options={
            "state_topic": "~/subscriptions",
            "value_template": "{{ 'ON' if value_json.failing else 'OFF' }}",
            "device_class": "problem",
            "entity_category": "diagnostic",
        },
    ),
    Entity(
        "job",
        "event",
        "Job",
        "mdi:bell-ring",
        options={
            "state_topic": "~/event",
            "event_types": sorted({*events.types(), *TRIGGERS}),
            "value_template": EVENT,
        },
    ),
    *(
        Entity(
            f"when_{trigger}",
            "device_automation",
            None,
            options={
                "automation_type": "trigger",
                "type": "download",
                "subtype": trigger,
                "topic": "~/event",
                "value_template": "{{ value_json.event_type }}",
                "payload": trigger,
            },
        )
        for trigger in TRIGGERS
    ),
    Entity(
        "download",
        "notify",
        "Download",
        "mdi:download-box",
        options={"command_topic": "~/command"},
    ),
    Entity(
        "url",
        "text",
        "URL",
        "mdi:link-plus",
        options={
            "command_topic": "~/command",
            # Always empty: the field only sends.
            **_state("''"),
        },
    ),
    Entity(
        "cancel_current",
        "button",
        "Cancel current",
        "mdi:close-circle",
        "cancel",
        options=_press("current", "cancel"),
    ),
    Entity(
        "cancel_all",
        "button",
        "Cancel all",
        "mdi:close-circle-multiple",
        "cancel",
        options=_press("all", "cancel"),
    ),
    Entity(
        "retry_failed",
        "button",
        "Retry failed",
        "mdi:reload",
        "retry",
        options=_press('{"id":"all","status":"failed"}', "retry"),
    ),
    Entity(
        "clear_finished",
        "button",
        "Clear finished",
        "mdi:broom",
        "clear",
        options=_press("all", "clear"),
    ),
    Entity(
        "check_subscriptions",
        "button",
        "Check subscriptions",
        "mdi:rss",
        "check",
        options=_press("all", "check"),
    ),
    Entity(
        "paused",
        "switch",
        "Paused",
        "mdi:pause-circle",
        options={
            **_state("'ON' if value_json.pause_reason == 'user' else 'OFF'"),
            "command_topic": "~/command",
            "payload_on": '{"command":"pause"}',
            "payload_off": '{"command":"resume"}',
            "state_on": "ON",
            "state_off": "OFF",
        },
    ),
    Entity("preset", "select", "Preset", "mdi:tune", options=_setting("default_preset")),
    Entity(
        "quality",
        "select",
        "Quality",
        "mdi:high-definition-box",
        options=_setting("default_quality", options=list(QUALITIES)),
    ),
    Entity(
        "max_concurrent",
        "number",
        "Max concurrent",
        "mdi:arrow-decision",
        options=_setting("max_concurrent", mode="box", step=1),
    ),
    Entity(
        "rate_limit",
        "number",
        "Rate limit",
        "mdi:speedometer-slow",
        options=_setting(
            "rate_limit",
            device_class="data_rate",
            unit_of_measurement="MB/s",
            mode="box",
            min=0,
            max=1000,
            step=0.1,
            value_template="{{ (value | float(0) / 1000000) | round(1) }}",
            command_template="{{ (value * 1000000) | int }}",
        ),
    ),
    Entity(
        "ytdlp",
        "update",
        "yt-dlp",
        command="update_ytdlp",
        options={
            "state_topic": "~/ytdlp",
            "command_topic": "~/command/update_ytdlp",
            "payload_install": "install",
            "entity_category": "config",
        },
    ),
    Entity(
        "thumbnail",
        "image",
        "Thumbnail",
        options={
            "image_topic": "~/thumbnail",
            "image_encoding": "b64",
            "content_type": "image/jpeg",
        },
    ),
    Entity(
        "tiles",
        "image",
        "Tiles",
        options={
            "image_topic": "~/tiles",
            "image_encoding": "b64",
            "content_type": "image/jpeg",
            # Constant: how a card finds a job's tile.
            "json_attributes_topic": "~/info",
            "json_attributes_template": TILE_PICTURE,
            "entity_category": "diagnostic",
            "visible_by_default": False,  # for cards
        },
    ),
)


def subscription_switches(names: Sequence[str]) -> tuple[Entity, ...]:
    """Return a switch for each of these subscriptions: off pauses its checks."""
    return tuple(_subscription_switch(place, name) for place, name in enumerate(names))


def _subscription_switch(place: int, name: str) -> Entity:
    def changed(*, enabled: bool) -> str:
        return json.dumps({"id": name, "set": {"enabled": enabled}}, ensure_ascii=False)

    # The name, which may be anything, is in no template: its place is.
    enabled = f"{{% set enabled = value_json.switches[{place}].enabled %}}"
    return Entity(
        f"subscription_{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}",
        "switch",
        name,
        "mdi:rss",
        options={
            "state_topic": "~/subscriptions",
            "value_template": enabled
            + "{{ 'ON' if enabled else 'OFF' if enabled is false else 'None' }}",
            "command_topic": "~/command/subscriptions",
            "payload_on": changed(enabled=True),
            "payload_off": changed(enabled=False),
            "state_on": "ON",
            "state_off": "OFF",
            "entity_category": "config",
        },
    )
