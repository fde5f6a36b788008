"""Runtime settings: may change while the service runs; the store keeps the changed values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.settings import ENV_PREFIX, Settings, runtime_fields

PREFIX: Final = "setting:"  # of the keys in the store's table `config`


class Preferences:
    """The values of the runtime settings: those kept in the store win over configured ones.

    Read as attributes (``preferences.max_concurrent``). Only `restore` changes them, from what is
    committed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, Any] = {}
        self._fields = runtime_fields()

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._fields:
            raise AttributeError(key)
        return self._kept[key] if key in self._kept else self._configured(key)

    def values(self) -> dict[str, Any]:
        """Return every runtime setting's value."""
        return {key: getattr(self, key) for key in self._fields}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return every runtime setting's type, bounds, default and the source of its value."""
        return {key: self._describe(key) for key in self._fields}

    def check(self, key: str, value: Any) -> Any:
        """Return a new value converted to the setting's type, or raise `invalid_payload`."""
        if key not in self._fields:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"There is no setting {key!r}. There are: {', '.join(sorted(self._fields))}.",
                field=key[:64],
            )
        section = self._fields[key][1]
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, f"{key}: not a value of this setting.", field=key
            )
        try:
            return getattr(section.model_validate({key: value}), key)
        except ValidationError as error:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, f"{key}: {error.errors()[0]['msg']}.", field=key
            ) from None

    def restore(self, config: Mapping[str, str]) -> list[str]:
        """Replace the kept values by those in the store's table `config`.

        Return the keys whose stored values are no longer valid; their configured values apply.
        """
        kept: dict[str, Any] = {}
        invalid = []
        for name, text in config.items():
            if not name.startswith(PREFIX):
                continue
            key = name.removeprefix(PREFIX)
            try:
                kept[key] = self.check(key, json.loads(text))
            except (CommandError, ValueError):
                invalid.append(key)
        self._kept = kept
        return invalid

    def _configured(self, key: str) -> Any:
        return getattr(getattr(self._settings, self._fields[key][0]), key)

    def _describe(self, key: str) -> dict[str, Any]:
        section_name, section = self._fields[key]
        field = section.model_fields[key]
        schema = TypeAdapter(section).json_schema()["properties"][key]
        return {
            "value": getattr(self, key),
            "type": schema.get("type", "string"),
            "minimum": schema.get("minimum"),
            "maximum": schema.get("maximum"),
            "default": field.default,
            "source": self._source(key, section_name, section),
            "description": field.description,
        }

    def _source(self, key: str, section_name: str, section: type[Section]) -> str:
        if key in self._kept:
            return "runtime"
        variables = {name.upper() for name, value in os.environ.items() if value}
        if f"{ENV_PREFIX}{section_name}__{key}".upper() in variables:
            return "environment"
        default = section.model_fields[key].get_default(call_default_factory=True)
        return "default" if self._configured(key) == default else "file"
