"""Removes secrets from settings, URLs and logs that are shown to others."""

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
LEAST: Final = 4  # characters; shorter secrets would blank out ordinary text
# yt-dlp options whose texts are not secret; the texts of all others are hidden.
PLAIN_OPTIONS: Final = frozenset(
    ("format_sort", "geo_bypass_country", "geo_bypass_ip_block", "source_address")
)
# Headers whose values are ordinary words.
HARMLESS_HEADERS: Final = frozenset(("accept", "accept-encoding", "accept-language", "user-agent"))
LEAST_PIECE: Final = 8  # characters; shorter parts of a secret are not hidden on their own

_WORD: Final = re.compile(r"[a-z][a-z_-]*")  # an argument that names a choice: `web_safari`
_PROXY_USER: Final = re.compile(r"(?<=://).+(?=@)")  # also in invalid URLs: `a:b#c@host`
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
    """Return each setting's value as JSON, without secrets; by section and key."""
    return {
        (section, key): _shown(key, value)
        for section, _ in sections()
        for key, value in getattr(settings, section).model_dump().items()
    }


def _shown(key: str, value: Any) -> Any:  # noqa: PLR0911 - one case for each kind of value
    """Return a setting, or part of one, without secrets; hide values of unknown types."""
    match key, value:
        case _, None | bool() | int() | float():
            return value
        case "ytdlp_options", dict():
            return {
                name: option if _is_plain(name, option) else HIDDEN
                for name, option in value.items()
            }
        case "extractor_args", dict():
            return {name: dict.fromkeys(arguments, HIDDEN) for name, arguments in value.items()}
        case "proxy", str():
            return _PROXY_USER.sub(HIDDEN, value)
        case _, str() | Path():
            return logs.redact(str(value))
        case _, dict():
            return {logs.redact(str(name)): _shown(str(name), part) for name, part in value.items()}
        case _, list() | tuple():
            return [_shown(key, part) for part in value]
    return HIDDEN


def _is_plain(name: str, value: Any) -> bool:
    return name in PLAIN_OPTIONS or value is None or isinstance(value, bool | int | float)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return the texts that must not be shown anywhere: passwords and parts of options."""
    downloads = settings.downloads
    secrets = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    for password in (settings.mqtt.password, settings.mqtt.key_password):
        if password is not None:
            secrets.add(password.get_secret_value())
    for name, value in downloads.ytdlp_options.items():
        if not _is_plain(name, value):
            secrets |= _parts(name, value)
    for site in downloads.sites.values():
        secrets |= _parts("extractor_args", site.extractor_args)
    for proxy in (downloads.proxy, *(site.proxy for site in downloads.sites.values())):
        secrets |= set(_credentials(proxy or ""))
    followed = [each.url for each in settings.subscriptions.follow.values()]
    services = (settings.updates.index_url, downloads.search_prefix, downloads.sponsorblock_api)
    for url in (*services, *followed):
        secrets |= set(_credentials(url or ""))
    return frozenset(
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""))
        if len(form) >= LEAST
    )


def _parts(name: str, value: Any) -> set[str]:
    """Return an option's texts, and parts of them that may appear without the rest."""
    parts: set[str] = set()
    for key, text in _texts(value, name):
        harmless = key.lower() in HARMLESS_HEADERS
        secret_key = name != "extractor_args" or _SECRET_KEY.search(key)
        if harmless or (not secret_key and _WORD.fullmatch(text)):
            continue
        pieces = {piece for piece in re.split(r"[\s,;=+]+", text) if len(piece) >= LEAST_PIECE}
        parts |= {text, *text.split(), *pieces, *_credentials(text)}
    return parts


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield all texts in a nested value, each with its key."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _texts(part, str(name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part, key)
    elif isinstance(value, str):
        yield key, value


def _credentials(url: str) -> Iterator[str]:
    """Yield the user information of URLs, and its password, both also decoded.

    The user name alone is only yielded if there is no password: it may be an ordinary word.
    """
    for match in _URL.finditer(url):
        userinfo, at, _ = _AUTHORITY_END.split(match[2], maxsplit=1)[0].rpartition("@")
        user, _, password = userinfo.partition(":")
        for secret in (userinfo, password or user) if at else ():
            yield from (secret, unquote(secret))


def scrub(value: Any, secrets: Iterable[str]) -> Any:
    """Remove from JSON the known secrets, values whose key names a secret, and parts of URLs."""
    if isinstance(value, Mapping):
        return {
            scrub_text(str(key), secrets): HIDDEN
            if _SECRET_KEY.search(str(key)) and part not in (None, "", True, False)
            else scrub(part, secrets)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrub(part, secrets) for part in value]
    return scrub_text(value, secrets) if isinstance(value, str) else value


def scrub_text(text: str, secrets: Iterable[str]) -> str:
    """Remove secrets from a text, and user, query and fragment from its URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _URL.sub(lambda match: f"{match[1]}://{_bare(match[2])}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", _HEADER.sub(rf"\1\2{HIDDEN}", text))
    return logs.redact(_NAMED.sub(rf"\1{HIDDEN}", text))


def _bare(rest: str) -> str:
    """Return what follows `//` in a URL without credentials, query and fragment."""
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    port = re.sub(r"^\[[^\]]*\]", "", host).partition(":")[2]
    if port and not port.rstrip(".,;:!)'").isdigit():
        return HIDDEN  # a password with a slash in it
    bare = re.split(r"[?#]", path, maxsplit=1)
    return f"{host}{bare[0]}" + (f"?{HIDDEN}" if len(bare) > 1 else "")
