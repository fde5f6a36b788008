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
    """Every runtime setting's value, and what it may be."""

    settings: dict[str, Any]
    details: dict[str, SettingDetail]


class ChangeSettings(Command):
    """Read runtime settings, or set those that are named."""

    example: ClassVar = {"max_concurrent": 2, "default_quality": "1080p"}

    command: Literal["settings"] = "settings"
    values: dict[str, Any] = Field(default_factory=dict, max_length=50)

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Take every key but a command's own as a setting."""
        own = {key: fields[key] for key in ("command", "request_id") if key in fields}
        return own | {"values": {key: one for key, one in fields.items() if key not in own}}

    def concerns_all(self) -> bool:
        """Whether it changes something."""
        return bool(self.values)

    def run(self, tx: Tx, context: Context, _origin: Origin, _: None) -> SettingValues:
        """Keep the new values; they are in force once they are committed."""
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
        """Publish the settings again, so that a control shows the truth."""
        known = context.preferences.values()
        tx.changes.settings.update(PREFIX + key for key in self.values if key in known)

    async def committed(self, context: Context) -> None:
        """Let the new values have their effect."""
        try:
            context.preferences.restore(await context.store.read(lambda tx: tx.config()))
            context.settings_changed()
        except StoreError as error:
            logger.warning("settings: committed, and in force at the next start: %s", error)
