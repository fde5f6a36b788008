"""What is left to do in Home Assistant after `homeassistant install`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mediarip_mqtt.cli.homeassistant_folder import Installed
from mediarip_mqtt.homeassistant.shipped_files import CARD

OLDEST: Final = (2025, 4)
ADDS_DASHBOARDS: Final = (2026, 5)  # since then, "Add dashboard" offers strategies of cards
RESOURCES: Final = "https://my.home-assistant.io/redirect/lovelace_resources/"


def next_steps(version: str, record: Installed, *, hacs_card: bool) -> Iterator[str]:
    """Yield the steps, each with its lines."""
    release = _release(version)
    if release < OLDEST:
        yield f"Update it: {'.'.join(map(str, OLDEST))} or later is needed."
    if "www" in record.folders:
        yield "Restart it: it serves the new folder www only from its next start."
    if CARD in record.files:
        address = f"/local/{CARD.removeprefix('www/')}?v={record.files[CARD][:8]}"
        yield (
            "Settings, Dashboards, the menu, Resources: add this as a JavaScript module; if it is\n"
            f"there with another number, change that: {address}\n"
            f"({RESOURCES})"
        )
    elif hacs_card:
        yield "The card is there by HACS, so it was not copied: update it in HACS."
    if "dashboards/mediarip.yaml" in record.files:
        yield _dashboard(release)
    if any(name.startswith("blueprints/") for name in record.files):
        yield (
            "Settings, Automations & scenes, Blueprints: choose one, Create automation.\n"
            "After an update: Developer tools, YAML, reload automations and scripts."
        )
    yield from _packages(record)


def _dashboard(release: tuple[int, int]) -> str:
    if release >= ADDS_DASHBOARDS:
        return "Settings, Dashboards, Add dashboard: Downloads."
    return (
        "Settings, Dashboards, Add dashboard, New dashboard from scratch. Open it; Edit,\n"
        "the menu, Raw configuration editor: paste the content of dashboards/mediarip.yaml."
    )


def _packages(record: Installed) -> Iterator[str]:
    names = [name for name in record.files if name.startswith("packages/")]
    if not names:
        return
    lines = [f"    {_key(name)}: !include {name}" for name in sorted(names)]
    yield "\n".join(
        [
            "For the scripts, add this to configuration.yaml and restart (not needed if it",
            "includes all of the folder packages):",
            "homeassistant:",
            "  packages:",
            *lines,
        ]
    )


def _key(name: str) -> str:
    return name.removeprefix("packages/").removesuffix(".yaml")


def _release(version: str) -> tuple[int, int]:
    match = re.match(r"(\d{4})\.(\d{1,2})\b", version)
    return (int(match[1]), int(match[2])) if match else OLDEST
