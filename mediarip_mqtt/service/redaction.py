"""What may be shown of settings, URLs and logs to others: all secrets taken out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from mediarip_mqtt.contract.settings import SECRET_VARIABLES, Settings, sections
from mediarip_mqtt.service import logs

HIDDEN: Final = "***"
LEAST: Final = 4  # characters of a secret; shorter ones would blank out ordinary text
# Of yt-dlp's options that may be set: texts without a secret. Any other text is hidden.
PLAIN_OPTIONS: Final = frozenset(
    ("format_sort", "geo_bypass_country", "geo_bypass_ip_block", "source_address")
)
# Headers whose values are ordinary words.
HARMLESS_HEADERS: Final = frozenset(("accept", "accept-encoding", "accept-language", "user-agent"))
LEAST_PIECE: Final = 8  # characters of a part of a secret

_WORD: Final = re.compile(r"[a-z][a-z_-]*")  # as an argument that is a choice: `web_safari`
_PROXY_USER: Final = re.compile(r"(?<=://).+(?=@)")  # also where it is not a URL's: `a:b#c@host`
_SECRET_KEY: Final = re.compile(
    r"(?i)pass(word|wd|phrase)|secret|token|cookie|authorization|api_?key|credential|proxy"
)
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*)://([^\s\"<>]*)", re.IGNORECASE)
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_HEADER: Final = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie)\b([\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE
)
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"(\w*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|credential)s?[\"']?\s*[:=]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)


def shown_settings(settings: Settings) -> dict[tuple[str, str], Any]:
    """Return each setting's value as JSON has it, without secrets; by section and key."""
    return {
        (section, key): _shown(key, value)
        for section, _ in sections()
        for key, value in getattr(settings, section).model_dump().items()
    }


def _shown(key: str, value: Any) -> Any:  # noqa: PLR0911 - one case for each kind of value
    """Return a setting, or a part of one, as it may be seen; what is of no known kind is hidden."""
    match key, value:
        case _, None | bool() | int() | float():
            return value
        case "ytdlp_options", dict():
            return {name: one if _is_plain(name, one) else HIDDEN for name, one in value.items()}
        case "extractor_args", dict():
            return {name: dict.fromkeys(one, HIDDEN) for name, one in value.items()}
        case "proxy", str():
            return _PROXY_USER.sub(HIDDEN, value)
        case _, str() | Path():
            return logs.redact(str(value))
        case _, dict():
            return {logs.redact(str(name)): _shown(str(name), one) for name, one in value.items()}
        case _, list() | tuple():
            return [_shown(key, one) for one in value]
    return HIDDEN


def _is_plain(name: str, value: Any) -> bool:
    return name in PLAIN_OPTIONS or value is None or isinstance(value, bool | int | float)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return what must stand in no text, wherever it comes from: passwords and parts of options."""
    downloads = settings.downloads
    found = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    if settings.mqtt.password is not None:
        found.add(settings.mqtt.password.get_secret_value())
    for name, value in downloads.ytdlp_options.items():
        if not _is_plain(name, value):
            found |= _parts(name, value)
    for site in downloads.sites.values():
        found |= _parts("extractor_args", site.extractor_args)
    for proxy in (downloads.proxy, *(site.proxy for site in downloads.sites.values())):
        found |= set(_credentials(proxy or ""))
    for text in (settings.updates.index_url, downloads.search_prefix, downloads.sponsorblock_api):
        found |= set(_credentials(text or ""))
    return frozenset(
        one for secret in found for one in (secret, quote(secret, safe="")) if len(one) >= LEAST
    )


def _parts(name: str, value: Any) -> set[str]:
    """Return an option's texts, and what may stand in a text without the rest of it."""
    found: set[str] = set()
    for key, text in _texts(value, name):
        harmless = key.lower() in HARMLESS_HEADERS
        named = name != "extractor_args" or _SECRET_KEY.search(key)
        if harmless or (not named and _WORD.fullmatch(text)):
            continue
        pieces = {one for one in re.split(r"[\s,;=+]+", text) if len(one) >= LEAST_PIECE}
        found |= {text, *text.split(), *pieces, *_credentials(text)}
    return found


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield all texts in a value, each with the key it stands under."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, str(name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one, key)
    elif isinstance(value, str):
        yield key, value


def _credentials(url: str) -> Iterator[str]:
    """Yield what stands before a URL's host, and its password, as they are and decoded.

    Not a user beside a password: a name may be an ordinary word.
    """
    for match in _URL.finditer(url):
        whole, at, _ = _AUTHORITY_END.split(match[2], maxsplit=1)[0].rpartition("@")
        user, _, password = whole.partition(":")
        for one in (whole, password or user) if at else ():
            yield from (one, unquote(one))


def scrub(value: Any, secrets: Iterable[str]) -> Any:
    """Return JSON without secrets: the known ones, those that a key names, and parts of URLs."""
    if isinstance(value, Mapping):
        return {
            scrub_text(str(key), secrets): HIDDEN
            if _SECRET_KEY.search(str(key)) and one not in (None, "", True, False)
            else scrub(one, secrets)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrub(one, secrets) for one in value]
    return scrub_text(value, secrets) if isinstance(value, str) else value


def scrub_text(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and its URLs without user, query and fragment."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _URL.sub(lambda match: f"{match[1]}://{_bare(match[2])}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", _HEADER.sub(rf"\1\2{HIDDEN}", text))
    return logs.redact(_NAMED.sub(rf"\1{HIDDEN}", text))


def _bare(rest: str) -> str:
    """Return a URL's part behind `//` without credentials, query and fragment."""
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    port = re.sub(r"^\[[^\]]*\]", "", host).partition(":")[2]
    if port and not port.rstrip(".,;:!)'").isdigit():
        return HIDDEN  # a password with a slash in it
    bare = re.split(r"[?#]", path, maxsplit=1)
    return f"{host}{bare[0]}" + (f"?{HIDDEN}" if len(bare) > 1 else "")
