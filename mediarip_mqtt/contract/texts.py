"""Texts of others that are shown again: none may act on a terminal, or turn a line around."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

# Control characters, line separators, half characters, and what changes the direction of writing.
# Not all that `str.isprintable` leaves out: emoji are joined, and Japanese has a space of its own.
UNFIT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What phones put around a copied text.
MARKS: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def printable(text: str) -> str:
    """Return a sender's text; raise, for pydantic, where it is not fit to be shown."""
    if UNFIT.search(text):
        raise PydanticCustomError(
            "unprintable",
            "It holds a control character, or one that changes the direction of writing; send it "
            "without",
        )
    return text


# A name or a few words of a sender: a preset, a category, a tag.
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(printable),
]


def clean(text: str, limit: int) -> str:
    """Return what is fit to be shown of a page's text, or of an imported one."""
    return "".join(filter(None, map(_shown, text[: 10 * limit])))[:limit].strip()


def _shown(char: str) -> str:
    return char if char.isprintable() else " " if char.isspace() else ""
