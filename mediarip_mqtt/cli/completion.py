"""Shell completion of values that are known without a broker."""

from __future__ import annotations

import os
from pathlib import Path

from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract import presets as presets_module
from mediarip_mqtt.contract import settings
from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.service import load_settings


def command_names(incomplete: str) -> list[str]:
    """Return the matching MQTT commands."""
    return [name for name in sorted(CLASSES) if name.startswith(incomplete)]


def presets(incomplete: str) -> list[str]:
    """Return the matching presets, built-in or from this machine's configuration."""
    config = os.environ.get("MEDIARIP_CONFIG")
    try:
        downloads = load_settings.load(Path(config) if config else None).downloads
    except ConfigError:  # the command itself reports it
        downloads = settings.DownloadSettings()
    return [name for name in presets_module.preset_names(downloads) if name.startswith(incomplete)]
