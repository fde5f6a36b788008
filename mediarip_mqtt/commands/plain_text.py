"""Repairs URLs as people and phones send them, if only one URL can be meant."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode

MAX_TEXT: Final = 8192  # characters of a URL, and of plain text
_URL_IN_TEXT: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_BROKEN_SCHEME: Final = re.compile(r"^(https?)(?::/?|/{1,2}|//:)(?=[^/:\s])", re.IGNORECASE)
_BARE_HOST: Final = re.compile(
    r"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,30}[A-Za-z]{2,63}/\S+$"
)
# Bounded against quadratic backtracking: a sender could send "searchsearch...".
_OTHER_SCHEME: Final = re.compile(
    r"^(?:[a-z][a-z0-9+.-]{0,30}:/"
    r"|(?:file|data|javascript|about|blob|mailto|ftp|[a-z0-9]{0,20}search\w{0,20}):)",
    re.IGNORECASE,
)
# A cookies.txt: its header or one of its lines; tabs may have become spaces in transit.
_COOKIES: Final = re.compile(
    r"^#[^\n]*HTTP Cookie File"
    r"|^\S+[ \t]+(?:TRUE|FALSE)[ \t]+/\S*[ \t]+(?:TRUE|FALSE)[ \t]+\d+(?:\.\d+)?[ \t]+\S",
    re.IGNORECASE | re.MULTILINE,
)
_TRAILING: Final = ".,;:!?\"')>]}"


def repair_url(text: str) -> str | None:  # noqa: PLR0911 - one for each kind of text
    """Return the only URL that a text can mean; None for other text, such as search words.

    Voice assistants and phones send ``https//host``, no scheme, or a shared "title https://…". A
    text of more than `MAX_TEXT` characters is returned unchanged, and later refused as too long.
    """
    if len(text) > MAX_TEXT:  # normalization is quadratic
        return text
    text = unicodedata.normalize("NFC", text).strip(f"{texts.MARKS} \t\r\n").strip("<>").strip()
    if _OTHER_SCHEME.match(text) and not text.lower().startswith(("http:/", "https:/")):
        return text  # unchanged: `check_url` reports what is wrong with it
    urls = _URL_IN_TEXT.findall(text)
    if len(urls) == 1 and not text.lower().startswith(("http://", "https://")):
        return str(urls[0]).rstrip(_TRAILING)
    if text.lower().startswith(("http://", "https://")):
        return text.split()[0].rstrip(",;\"'>") if len(urls) == 1 else text
    if not re.search(r"\s", text):
        if match := _BROKEN_SCHEME.match(text):
            return f"{match[1].lower()}://{text[match.end() :]}"
        if _BARE_HOST.match(text):
            return f"https://{text}"
    return None


def refuse_cookies(text: str) -> None:
    """Raise `CommandError` for a cookies.txt: used as search words, it would be published."""
    if _COOKIES.search(text):
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The payload looks like a cookies.txt, which is not taken here. Send it on the "
            "topic command/cookies, and log out at the site where others read this topic.",
        )
