"""Patterns for titles: globs, and regular expressions between slashes.

Regular expressions run in google-re2, whose time grows only with the length of the title: a
sender's pattern could keep Python's `re` busy for hours.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from mediarip_mqtt.contract import texts

try:
    import re2
except ImportError:  # the extra `regex`
    re2 = None

MAX_PATTERN: Final = 200  # characters, as `texts.Line`
TITLE_LIMIT: Final = 1000
_MEMORY: Final = 2**20  # bytes that a compiled expression may take
_WILDCARDS: Final = re.compile(r"[*?\[]")

Matches = Callable[[str], Any]


def is_expression(pattern: str) -> bool:
    """Whether a pattern is a regular expression."""
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")  # noqa: PLR2004 - the slashes


def matches(pattern: str, title: str | None) -> bool:
    """Whether a title matches, upper and lower case alike; raise `ValueError` for a bad pattern.

    A glob has to match the whole title, a text without wildcards or a regular expression any part.
    """
    return bool(_matcher(pattern)((title or "")[:TITLE_LIMIT]))


def check(pattern: str) -> str:
    """Validate a sender's pattern for pydantic."""
    try:
        _matcher(pattern)
    except ValueError as error:
        raise PydanticCustomError("title_pattern", "{reason}", {"reason": str(error)}) from None
    return pattern


TitlePattern = Annotated[texts.Line, AfterValidator(check)]


@lru_cache(maxsize=512)
def _matcher(pattern: str) -> Matches:
    if is_expression(pattern):
        return _expression(pattern[1:-1])
    if _WILDCARDS.search(pattern):
        return re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
    part = pattern.casefold()
    return lambda title: part in title.casefold()


def _expression(text: str) -> Matches:
    if re2 is None:
        raise ValueError(
            "Regular expressions need the package google-re2, which is not installed: "
            "`pip install 'mediarip-mqtt[regex]'`. Or use a glob, such as `*trailer*`"
        )
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        search: Matches = re2.compile(text, options).search
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"The regular expression is not valid ({reason[:100]}). The syntax is RE2's, without "
            "look-around and back-references"
        ) from None
    return search
