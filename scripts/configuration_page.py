"""Renders docs/configuration.md from the settings; see `scripts.generated_docs`."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from pydantic import SecretStr

from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.settings import ENV_PREFIX, runtime_fields, sections

HEAD: Final = """# Configuration

<!-- Written by `make docs` from mediarip_mqtt/contract/settings.py. -->

Environment variables take precedence over the YAML file (`--config FILE`, or `MEDIARIP_CONFIG`),
and the file over the defaults below. If a key is unknown or there twice, or a value is invalid, the
service names it and where it was set, and exits with code 2. An empty variable counts as not set.
[config.yaml](../config.yaml) has the settings that people most often change, with their defaults.
As a [Home Assistant app](homeassistant-app.md) the service reads the app's options instead.
`mediarip-mqtt check-config` prints each value in use and its source, without secrets.

The environment variable of a setting is `MEDIARIP__`, its section, `__` and its key, in capitals
(`MEDIARIP__MQTT__HOST`). Lists are written `a, b`, tables as JSON. In the file, sections are keys:

```yaml
mqtt:
  host: 192.0.2.10
  username: mediarip
  password_file: /run/secrets/mqtt
storage:
  root: /media
downloads:
  max_concurrent: 2
```

Sizes are in bytes, or have a suffix `K`, `M`, `G` or `T` (powers of 1024). A setting marked ⟳ can
also be changed while the service runs, with the command `settings` or the topic
`setting/<key>/set`. That value is kept across restarts and takes precedence over all others.
"""


def page() -> str:
    """Return the page."""
    running = runtime_fields()
    parts = [HEAD]
    for name, cls in sections():
        parts.append(f"\n## {name}\n\n{(cls.__doc__ or '').strip()}\n")
        parts.append("| setting | default | environment | what it is |\n| --- | --- | --- | --- |")
        parts.extend(
            _row(name, cls, key, runtime=running.get(key) == (name, cls))
            for key in cls.model_fields
        )
    return "\n".join(parts) + "\n"


def _row(section: str, cls: type[Section], key: str, *, runtime: bool) -> str:
    field = cls.model_fields[key]
    if not field.description:
        sys.exit(f"{section}.{key} has no description")
    default = _text(field.get_default(call_default_factory=True))
    variable = f"{ENV_PREFIX}{section}__{key}".upper()
    bounds = _bounds(cls, key)
    description = f"{field.description}{f' {bounds}' if bounds else ''}{' ⟳' if runtime else ''}"
    cells = (f"`{key}`", default, f"`{variable}`", description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _bounds(cls: type[Section], key: str) -> str:
    schema = cls.model_json_schema()["properties"][key]
    schema = next((part for part in schema.get("anyOf", []) if part.get("type") != "null"), schema)
    if "enum" in schema:
        return f"One of {', '.join(f'`{value}`' for value in schema['enum'])}."
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least} to {most}."
    return ""


def _text(value: Any) -> str:
    if value is None or value in ((), {}) or isinstance(value, SecretStr):
        return ""
    if isinstance(value, (dict, bool, list, tuple)):
        return f"`{json.dumps(value)}`"
    return f"`{value}`"
