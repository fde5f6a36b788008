"""Sizes in bytes as people write them: ``500M``, ``2MiB/s``."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

# The largest integer that every JSON reader keeps exactly; no disk is larger.
MAX_BYTES: Final = 2**53
_SIZE: Final = re.compile(
    r"^(\d{1,18}(?:\.\d{1,18})?)\s*([kmgt]?)i?b?(?:/s)?$", re.ASCII | re.IGNORECASE
)
_SIZE_LENGTH: Final = 40  # characters, including surrounding white space


def parse_size(value: object) -> object:
    """Convert ``"500M"`` or ``"2MiB/s"`` (powers of 1024) to bytes; pass other values through."""
    short = isinstance(value, str) and len(value) <= _SIZE_LENGTH
    if short and (match := _SIZE.match(str(value).strip())):
        return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))
    return value


ByteSize = Annotated[int, Field(ge=0, le=MAX_BYTES), BeforeValidator(parse_size)]
