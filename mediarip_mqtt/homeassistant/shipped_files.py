"""The files for a Home Assistant configuration folder: the card, blueprints, sentences.

In a clone they are in the top-level folder `homeassistant`, in an installed package in `assets`
beside this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

# What `install` may write and remove. A record that names anything else is not ours.
TARGET: Final = re.compile(
    r"www/mediarip-(card|library)\.js"
    r"|blueprints/(automation|script)/mediarip/[a-z0-9_]+\.yaml"
    r"|packages/mediarip(_intents)?\.yaml"
    r"|dashboards/mediarip\.yaml"
    r"|custom_sentences/[a-z]{2}/mediarip\.yaml"
)
CARD: Final = "www/mediarip-card.js"
# What the card loads when it is needed, from beside it.
CARD_PARTS: Final = frozenset({"www/mediarip-library.js"})


class Group(StrEnum):
    """Files that are installed together."""

    CARD = "card"
    BLUEPRINTS = "blueprints"
    PACKAGE = "package"
    DASHBOARD = "dashboard"
    SENTENCES = "sentences"  # the sentences of the voice blueprint: one of the two is enough


# Group, pattern below the folder of the assets, folder below Home Assistant's (empty: the same).
_PLACES: Final = (
    (Group.CARD, "card/dist/mediarip-*.js", "www"),
    (Group.BLUEPRINTS, "blueprints/*/mediarip/*.yaml", ""),
    (Group.PACKAGE, "packages/mediarip.yaml", ""),
    (Group.DASHBOARD, "dashboards/mediarip.yaml", ""),
    (Group.SENTENCES, "custom_sentences/*/mediarip.yaml", ""),
    (Group.SENTENCES, "packages/mediarip_intents.yaml", ""),
)


@dataclass(frozen=True)
class ShippedFile:
    """A file of this version, and its path below Home Assistant's configuration folder."""

    group: Group
    target: str
    content: bytes


def folder() -> Path:
    """Return the folder of the assets: of the package, else of the clone."""
    here = Path(__file__).resolve().parent
    packaged = here / "assets"
    return packaged if packaged.is_dir() else here.parents[1] / "homeassistant"


def shipped_files(root: Path | None = None) -> list[ShippedFile]:
    """Return all files, in the order in which they are installed."""
    root = root or folder()
    return [
        ShippedFile(group, _target(path.relative_to(root), place), path.read_bytes())
        for group, pattern, place in _PLACES
        for path in sorted(root.glob(pattern))
    ]


def _target(path: Path, place: str) -> str:
    return f"{place}/{path.name}" if place else path.as_posix()
