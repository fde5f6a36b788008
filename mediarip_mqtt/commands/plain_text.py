"""Repairs URLs as people and phones send them, if only one URL can be meant."""

from __future__ import annotations

import re
from typing import Final

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.urls import hide_logins

MAX_TEXT: Final = 8192  # characters of a URL, and of plain text
_WEB: Final = ("http://", "https://")
_URL_IN_TEXT: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_BROKEN_SCHEME: Final = re.compile(r"^(https?)(?::/?|/{1,2}|//:)(?=[^/:\s])", re.IGNORECASE)
_BARE_HOST: Final = re.compile(
    r"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,30}[A-Za-z]{2,63}/\S+$"
)
# Bounded against quadratic backtracking: a sender could send "searchsearch...".
_OTHER_SCHEME: Final = re.compile(
    r"^(?:[a-z][a-z0-9+.-]{0,30}:/"
    r"|(?:file|data|javascript|about|blob|mailto|ftp|[a-z0-9]{0,20}search\w{0,20}):)(?=\S)",
    re.IGNORECASE,
)
# A cookies.txt: its header or one of its lines; tabs may have become spaces in transit.
_COOKIES: Final = re.compile(
    r"^#[^\n]*HTTP Cookie File"
    r"|^\S+[ \t]+(?:TRUE|FALSE)[ \t]+/\S*[ \t]+(?:TRUE|FALSE)[ \t]+\d+(?:\.\d+)?[ \t]+\S",
    re.IGNORECASE | re.MULTILINE,
)
# Zero-width characters, soft hyphens and variation selectors, which copied text brings along.
_INVISIBLE: Final = (
    f"{texts.MARKS}\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufe0e\ufe0f"
)
_BLANK: Final = f"{_INVISIBLE} \t\r\n\u00a0\u3000"
_QUOTES: Final = (
    "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb\u2026"
)
_SENTENCE: Final = ".:!?*_~|\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u060c\u061b\u061f"
_BRACKETS: Final = {
    ")": "(",
    "]": "[",
    "}": "{",
    ">": "<",
    "\uff09": "\uff08",  # fullwidth parentheses
    "\uff3d": "\uff3b",
    "\u3009": "\u3008",  # Chinese and Japanese brackets
    "\u300b": "\u300a",
    "\u300d": "\u300c",
    "\u300f": "\u300e",
    "\u3011": "\u3010",
}
_OPENING: Final = "".join(_BRACKETS.values())
_END_IN_TEXT: Final = re.compile('[<>"\u201c\u201d\u201e\u00ab\u00bb]')  # ends a URL within a text
# The end of a file's address: after it, spaces before it belong to the address.
_FILE: Final = re.compile(
    r"\.(?:3gp|aac|aiff?|avi|flac|flv|html?|m2ts|m3u8?|m4[abv]|mk[av]|mov|mp[34g]|mpd|mpeg|ogg|og[av]"
    r"|opus|php|rss|ts|wav|web[am]|wm[av]|xml)(?:[?#]\S*)?$",
    re.IGNORECASE,
)
# What apps append to a URL that is shared.
_SHARED: Final = re.compile(
    r"(?:[#@][^\W\d]|[|\u2022\u00b7\u201c\u201e\u00ab\"]"
    r"|(?:via|(?:shared|sent|posted|geteilt|gesendet|partag\w+|envoy\w+|compartido|enviado)"
    r"\s+(?:by|con|de|depuis|desde|from|mit|on|par|por|\u00fcber|via|von|with))\b)",
    re.IGNORECASE,
)
_NESTED: Final = re.compile(r"[^\W\d]{2}[^\s/]*/[^\W\d]{2}")  # `folder/name`, not `1/2` or `w/o`
# What Home Assistant's templates, Node-RED and JavaScript send if they have no value.
_NOTHING: Final = frozenset(
    (
        *("", "-", "--", "?", "n/a", "na", "nil", "nan", "none", "null", "undefined", "void"),
        *("unknown", "unavailable", "offline", "online", "empty", "<empty>", "(empty)"),
        *("<none>", "<null>", "(null)", "<undefined>", "true", "false", "[]", "{}", "()"),
    )
)
_OBJECTS: Final = re.compile(r"(?:\[object \w{1,40}\],?)+|<[\w.]{1,80} object at 0x[0-9a-f]+>")


def repair_url(text: str, *, is_url: bool = False) -> str | None:
    """Return the only URL that a text can mean; None for other text, such as search words.

    Voice assistants and phones send ``https//host``, no scheme, or a shared "title https://…".
    ``is_url``: the text is a field for a URL, so that words after it rather belong to it. A text of
    more than `MAX_TEXT` characters is returned unchanged, and later refused as too long. Raises
    `CommandError` for several URLs after a title, and if it is not clear where the URL ends.
    """
    if len(text) > MAX_TEXT:
        return text
    text = text.strip(_BLANK)
    bare = text.lstrip(f"{_BLANK}{_QUOTES}{_OPENING}")
    if _OTHER_SCHEME.match(bare) and not bare.lower().startswith(("http:/", "https:/")):
        return text  # unchanged: `check_url` reports what is wrong with it
    if not re.search(r"\s", bare) and not bare.lower().startswith(_WEB):
        single = _trim(bare)
        if match := _BROKEN_SCHEME.match(single):
            return f"{match[1].lower()}://{single[match.end() :]}"
        if _BARE_HOST.match(single):
            return f"https://{single}"
    urls = list(_URL_IN_TEXT.finditer(text))
    if len({_trim(match[0], in_sentence=True) for match in urls}) > 1:
        if text.lower().startswith(_WEB):
            return text  # unchanged: `read_target` refuses it
        raise _unclear(f"The text holds {len(urls)} URLs. Send them one at a time.")
    return _in_text(text, urls[0], is_url=is_url) if urls else None


def _in_text(text: str, match: re.Match[str], *, is_url: bool) -> str:
    """Return the URL of a match, without what surrounds it."""
    title, url, rest = text[: match.start()].strip(_BLANK), match[0], text[match.end() :]
    if title and (end := _END_IN_TEXT.search(url)):
        url, rest = url[: end.start()], ""
    if rest and _continues(url, rest, is_url=is_url and not title):
        return _trim(url + rest, in_sentence=bool(title))
    return _trim(url, in_sentence=bool(title or rest.strip(_BLANK)))


def _continues(url: str, rest: str, *, is_url: bool) -> bool:
    """Whether the rest of a text, after a space, still belongs to its URL."""
    line = rest.lstrip(" \t\u00a0\u3000")
    if line.startswith(("\r", "\n")) or "\n" in line or _URL_IN_TEXT.search(rest):
        return False
    if not any(map(str.isalnum, line)):  # an emoji
        return False
    if is_url:
        return not _SHARED.match(line)
    if _FILE.search(url):
        return False
    if _FILE.search(_trim(line, in_sentence=True)) or line.endswith("/"):
        return True
    if _NESTED.search(line):
        raise _unclear(
            "It is not clear where the URL ends. Write its spaces as %20, or send it as `url` in a "
            "JSON object."
        )
    return False


def _trim(url: str, *, in_sentence: bool = False) -> str:
    """Remove from the end of a URL what the text around it has put there."""
    while url:
        last = url[-1]
        if url.endswith("..."):
            url = url.rstrip(".")
            continue
        opening = _BRACKETS.get(last)
        if opening is not None:
            surplus = url.count(last) > url.count(opening)
        else:
            surplus = last in f"{_BLANK}{_QUOTES},;" or (in_sentence and last in _SENTENCE)
        if not surplus:
            break
        url = url[:-1]
    return url


def refuse_nothing(text: str) -> None:
    """Raise `CommandError` for a text that an automation sends if it has no value."""
    word = text.strip(f"{_BLANK}\"'").casefold()
    if word in _NOTHING or _OBJECTS.fullmatch(word):
        shown = f"is {texts.clean(text, 40)!r}, which" if word else "is empty: it"
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            f"The text {shown} looks like the missing value of an automation. To search for such a "
            "word, send it as `query` in a JSON object.",
            field="url",
        )


def refuse_login(text: str) -> None:
    """Raise `CommandError` for search words with a user name and password: they are published."""
    if hide_logins(text) != text:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The search words hold a URL with a user name or password. Send it as `url`.",
            field="query",
        )


def refuse_cookies(text: str) -> None:
    """Raise `CommandError` for a cookies.txt: used as search words, it would be published."""
    if _COOKIES.search(text):
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The payload looks like a cookies.txt, which is not taken here. Send it on the "
            "topic command/cookies, and log out at the site where others read this topic.",
        )


def _unclear(text: str) -> CommandError:
    return CommandError(ErrorCode.INVALID_URL, text, field="url")
