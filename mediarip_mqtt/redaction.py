"""What may be shown of settings, URLs and logs to others: all secrets taken out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import SecretStr

from mediarip_mqtt import logs
from mediarip_mqtt.settings import SECRET_VARIABLES, Settings, sections

HIDDEN: Final = "***"
LEAST: Final = 4  # characters of a secret; shorter ones would blank out ordinary text
# Of yt-dlp's options that may be set: texts without a secret. Any other text is hidden.
PLAIN_OPTIONS: Final = frozenset(
    ("format_sort", "geo_bypass_country", "geo_bypass_ip_block", "source_address")
)

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
        (section, key): _shown_setting(key, getattr(getattr(settings, section), key))
        for section, cls in sections()
        for key in cls.model_fields
    }


def _shown_setting(key: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if key == "ytdlp_options":
        return {name: one if _is_plain(name, one) else HIDDEN for name, one in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return logs.redact(value)
    return list(value) if isinstance(value, tuple) else value


def _is_plain(name: str, value: Any) -> bool:
    return name in PLAIN_OPTIONS or value is None or isinstance(value, bool | int | float)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return what must stand in no text, wherever it comes from: passwords and parts of options."""
    found = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    if settings.mqtt.password is not None:
        found.add(settings.mqtt.password.get_secret_value())
    for name, value in settings.downloads.ytdlp_options.items():
        if not _is_plain(name, value):
            for text in _texts(value):
                found |= {text, *text.split(), *_credentials(text)}
    for text in (settings.updates.index_url or "", settings.downloads.search_prefix):
        found |= set(_credentials(text))
    return frozenset(
        one for secret in found for one in (secret, quote(secret, safe="")) if len(one) >= LEAST
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _credentials(url: str) -> Iterator[str]:
    """Yield the password of a URL, as it stands there and decoded."""
    for match in _URL.finditer(url):
        user, at, _ = _AUTHORITY_END.split(match[2], maxsplit=1)[0].rpartition("@")
        if at and (password := user.partition(":")[2]):
            yield password
            yield unquote(password)


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
