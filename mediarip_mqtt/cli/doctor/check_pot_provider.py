"""The provider of PO tokens for YouTube, if one is configured."""

from __future__ import annotations

import json
from typing import Final

import requests

from mediarip_mqtt.cli.doctor.findings import Finding, ok, warning
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.engine import plugin_settings

NAME: Final = "PO tokens"
ANSWER_TIME: Final = 5.0  # seconds, as the plugin's
ANSWER_SIZE: Final = 64 * 1024  # bytes


def look(settings: Settings) -> list[Finding]:
    """Ask the provider for its version, which must fit the plugin's."""
    url = settings.downloads.pot_provider_url
    plugin = plugin_settings.pot_version()
    if not url or plugin is None:  # the configuration is refused if the plugin is missing
        return [ok(NAME, "disabled: downloads.pot_provider_url is not set")]
    try:
        version = _version(url.rstrip("/") + "/ping")
    except requests.RequestException:
        remedy = "Start it (`docker compose --profile pot up -d`), or correct the setting."
        return [warning(NAME, f"{url} is unreachable", remedy)]
    except (ValueError, KeyError, TypeError):
        remedy = "Set downloads.pot_provider_url to the address of a bgutil-ytdlp-pot-provider."
        return [warning(NAME, f"{url} does not answer as a provider of PO tokens", remedy)]
    if version.partition(".")[0] != plugin.partition(".")[0]:
        remedy = f"Use version {plugin} of the provider, the version of its plugin."
        text = f"{url} has version {version}, which does not fit the plugin's {plugin}"
        return [warning(NAME, text, remedy)]
    return [ok(NAME, f"{url} is healthy, version {version}; the plugin has {plugin}")]


def _version(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False  # the plugin asks it without a proxy, too
        with session.get(url, timeout=ANSWER_TIME, stream=True, allow_redirects=False) as response:
            response.raise_for_status()
            body = response.raw.read(ANSWER_SIZE, decode_content=True)
    version = json.loads(body)["version"]
    return str(version)[:40]
