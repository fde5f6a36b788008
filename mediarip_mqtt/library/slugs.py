"""Slugs: what identifies a tag, a category or a title in a URL, whatever its spelling."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LIMIT: Final = 100


def slug(name: str) -> str:
    """Return a name in small letters and digits of any script, with dashes; never empty."""
    plain = "".join(
        char
        for char in unicodedata.normalize("NFKD", name[: 4 * LIMIT].casefold())
        if not unicodedata.combining(char)
    )
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", plain)).strip("-")
    if not words:  # only symbols, such as emoji
        words = "-".join(f"u{ord(char):x}" for char in name.strip()[:10])
    return words[:LIMIT].strip("-") or "_"
