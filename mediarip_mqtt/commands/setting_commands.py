"""The command about runtime settings: `settings`."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.runtime_settings import PREFIX
from mediarip_mqtt.contract.topic_payloads import SettingDetail
from mediarip_mqtt.contract.topics import dumps
from mediarip_mqtt.store import Tx

logger = logging.getLogger(__name__)


class SettingValues(Accepted):
    """The value of every runtime setting, and its allowed values."""

    settings: dict[str, Any]
    details: dict[str, SettingDetail]


class ChangeSettings(Command):
    """Read runtime settings, or set those in the payload."""

    example: ClassVar = {"max_concurrent": 2, "default_quality": "1080p"}

    command: Literal["settings"] = "settings"
    values: dict[str, Any] = Field(default_factory=dict, max_length=50)

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Treat every key except `command` and `request_id` as a setting."""
        reserved = {key: fields[key] for key in ("command", "request_id") if key in fields}
        values = {key: value for key, value in fields.items() if key not in reserved}
        return reserved | {"values": values}

    def concerns_all(self) -> bool:
        """Whether it changes a setting; reading concerns nobody else."""
        return bool(self.values)

    def run(self, tx: Tx, context: Context, _origin: Origin, _: None) -> SettingValues:
        """Store the new values; `committed` applies them."""
        preferences = context.preferences
        checked = {key: preferences.check(key, value) for key, value in self.values.items()}
        if "default_preset" in checked:
            presets.resolve_preset(checked["default_preset"], context.settings.downloads)
        for key, value in checked.items():
            tx.set_config(PREFIX + key, dumps(value), context.clock())
        details = preferences.describe()
        for key, value in checked.items():
            details[key] |= {"value": value, "source": "runtime"}
        return SettingValues(
            settings=preferences.values() | checked,
            details={key: SettingDetail(**detail) for key, detail in details.items()},
        )

    def refused(self, tx: Tx, context: Context) -> None:
        """Publish the settings again: a control in Home Assistant may show the refused value."""
        known = context.preferences.values()
        tx.changes.settings.update(PREFIX + key for key in self.values if key in known)

    async def committed(self, context: Context) -> None:
        """Apply the new values."""
        try:
            context.preferences.restore(await context.store.read(lambda tx: tx.config()))
            context.settings_changed()
        except StoreError as error:
            logger.warning("settings: stored, but applied only at the next start: %s", error)
