"""Untrusted text: keep control and bidirectional characters out of terminals and pages."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

# Control characters, line separators, surrogates and bidirectional controls. `str.isprintable`
# would also reject zero-width joiners (emoji) and the ideographic space (Japanese).
UNFIT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Invisible marks that phones put around copied text.
MARKS: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def printable(text: str) -> str:
    """Validate a sender's text for pydantic: no control or bidirectional characters."""
    if UNFIT.search(text):
        raise PydanticCustomError(
            "unprintable",
            "It holds a control character, or one that changes the direction of writing; remove it",
        )
    return text


# A short text from a sender: the name of a preset, a category, a tag.
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(printable),
]


def clean(text: str, limit: int) -> str:
    """Strip unprintable characters and truncate to ``limit`` characters."""
    return "".join(filter(None, map(_shown, text[: 10 * limit])))[:limit].strip()


def _shown(char: str) -> str:
    return char if char.isprintable() else " " if char.isspace() else ""
