"""Checks the names of environment variables: a misspelt one would be ignored without a word."""

from __future__ import annotations

import difflib
import os
import re
from typing import Final

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import ENV_PREFIX, sections

OWN: Final = "MEDIARIP"
# Variables without the prefix that the program reads.
OTHERS: Final = frozenset({"MEDIARIP_CONFIG", "MEDIARIP_OPTIONS", "MEDIARIP_SUPERVISOR"})
# What Kubernetes and `docker --link` set for a service of that name, such as `mediarip-mqtt`.
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)|_ENV_|_NAME$")
_CLOSE: Final = 0.9  # of the whole name
_CLOSE_PREFIX: Final = 0.75


def given() -> dict[str, str]:
    """Return the variables that are set, by their names in capitals; empty ones count as not set.

    Compose files write `${PORT:-}`, which sets an empty variable.
    """
    return {name.upper(): name for name, value in os.environ.items() if value}


def check_names() -> list[str]:
    """Return warnings about names that nearly are those of settings.

    Raises `ConfigError` for a name with the prefix and no setting, for one that only differs in its
    underscores from a setting's, and for two that differ only in case.
    """
    known = dict(sections())
    settings = {
        _letters(name): name
        for section, cls in known.items()
        for name in (f"{ENV_PREFIX}{section}__{key}".upper() for key in cls.model_fields)
    }
    seen: dict[str, str] = {}
    warnings = []
    for name, value in os.environ.items():
        if name.upper().startswith(ENV_PREFIX):
            _check_prefixed(name, settings)
            if other := seen.get(name.upper()):
                raise ConfigError(
                    f"Environment variables {other} and {name} differ only in case. Remove one."
                )
            seen[name.upper()] = name
        elif warning := _near_miss(name, value, settings):
            warnings.append(warning)
    return warnings


def _check_prefixed(name: str, settings: dict[str, str]) -> None:
    known = dict(sections())
    section, _, key = name[len(ENV_PREFIX) :].lower().partition("__")
    if section not in known:
        raise ConfigError(
            f"Environment variable {name}: there is no section `{section}`."
            f"{_suggestion(name, settings)}"
        )
    field = key.partition("__")[0]
    if field and field not in known[section].model_fields:
        raise ConfigError(
            f"Environment variable {name}: unknown setting `{section}.{field}`."
            f"{_suggestion(name, settings)}"
        )


def _near_miss(name: str, value: str, settings: dict[str, str]) -> str | None:
    capitals = name.upper()
    if name in OTHERS or "://" in value or _SERVICE_LINK.search(capitals):
        return None
    if capitals in OTHERS:
        return f"The environment variable {name} is not read: write {capitals}."
    if setting := settings.get(_letters(capitals)):
        raise ConfigError(
            f"Environment variable {name} is not read: write {setting}, with two underscores after "
            "MEDIARIP and after the section."
        )
    first = re.split(r"[^A-Z0-9]", capitals, maxsplit=1)[0]
    if difflib.SequenceMatcher(None, first, OWN).ratio() < _CLOSE_PREFIX:
        return None
    suggestion = _suggestion(capitals, settings)
    if suggestion or capitals.startswith(f"{OWN}_"):
        return f"The environment variable {name} is not read.{suggestion}"
    return None


def _suggestion(name: str, settings: dict[str, str]) -> str:
    close = difflib.get_close_matches(_letters(name.upper()), settings, n=1, cutoff=_CLOSE)
    return f" Did you mean {settings[close[0]]}?" if close else ""


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name)
