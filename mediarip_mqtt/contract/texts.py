"""Untrusted text: keep control and bidirectional characters out of terminals and pages."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

# Control characters, line separators, surrogates and bidirectional controls. `str.isprintable`
# would also reject zero-width joiners (emoji) and the ideographic space (Japanese).
UNFIT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NEVER_VISIBLE: Final = ((0x2065, 0x2065), (0xFDD0, 0xFDEF), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
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


def clean_lines(text: str, limit: int) -> str:
    """Do the same, and keep line breaks: at most one empty line after another."""
    lines = [clean(line, limit) for line in text[: 10 * limit].splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))[:limit].strip()


def _shown(char: str) -> str:
    if char.isprintable() or is_new(char):
        return char
    return " " if char.isspace() else ""


def is_new(char: str) -> bool:
    """Whether a character may belong to a newer Unicode version than Python's, as new emoji do.

    Unassigned characters that will never be visible don't count: noncharacters, and those that
    Unicode reserves as default ignorable.
    """
    number = ord(char)
    return (
        unicodedata.category(char) == "Cn"
        and number & 0xFFFE != 0xFFFE  # noqa: PLR2004 - the last two of each plane
        and not any(first <= number <= last for first, last in _NEVER_VISIBLE)
    )
