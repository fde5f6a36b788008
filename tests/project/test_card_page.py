"""docs/card.md lists the options that the card has."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EDITOR = ROOT / "homeassistant" / "card" / "src" / "editor.ts"


def test_every_option_of_the_card_is_documented() -> None:
    source = EDITOR.read_text("utf-8")
    found = re.search(
        r"^export interface CardConfig \{\n(.*?)^\}", source, re.DOTALL | re.MULTILINE
    )
    assert found
    options = set(re.findall(r"^  (\w+)\??:", found[1], re.MULTILINE)) - {"type"}
    page = (ROOT / "docs" / "card.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == options
