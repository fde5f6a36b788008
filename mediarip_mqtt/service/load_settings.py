"""Reads the configuration: environment over a file, or the app's options, over defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import SecretStr, ValidationError

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import ENV_PREFIX, SUPERVISOR_TOKEN, Settings, sections

OPTIONS_VARIABLE: Final = "MEDIARIP_OPTIONS"  # where that file is elsewhere
OPTIONS_FILE: Final = "/data/options.json"


def configuration_file(config: Path | None) -> Path | None:
    """Return the file to read: the one that is named, else the options of the app, else none."""
    if config is not None or SUPERVISOR_TOKEN not in os.environ:
        return config
    options = Path(os.environ.get(OPTIONS_VARIABLE, OPTIONS_FILE))
    return options if options.exists() else None


def origins(config: Path | None = None) -> dict[tuple[str, str], str]:
    """Return where each setting's value comes from: a variable, the file's line, `default`."""
    config = configuration_file(config)
    lines = _read_yaml(config)[1] if config else {}
    variables = {name.upper(): name for name in os.environ}
    found = {}
    for section, cls in sections():
        for key in cls.model_fields:
            variable = f"{ENV_PREFIX}{section}__{key}".upper()
            nested = [name for name in variables if name.startswith(f"{variable}__")]
            where = "default"
            if (section, key) in lines:
                where = f"{config}, line {lines[section, key]}"
            if variable in variables or nested:
                where = f"environment {variable if variable in variables else min(nested)}"
            found[section, key] = where
    return found


def load(
    config: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Return the settings, or raise a `ConfigError` that names every wrong key with its place.

    ``overrides`` (section to key to value) come from the command line and win over everything.
    """
    named, config = config, configuration_file(config)
    content, lines = _read_yaml(config) if config else ({}, {})
    if named is None:
        content = {key: _without_empty(section) for key, section in content.items()}
    _refuse_unknown_environment()
    try:
        settings = Settings(**content)
        if overrides:
            merged = settings.model_dump()
            for section, values in overrides.items():
                merged[section] = {**merged[section], **values}
            settings = settings.model_copy(
                update={name: cls.model_validate(merged[name]) for name, cls in sections()}
            )
    except ValidationError as error:
        raise ConfigError(_describe(error, config, lines)) from None
    except Exception as error:  # pydantic-settings raises its own for broken JSON in a variable
        if type(error).__name__ != "SettingsError":
            raise
        raise ConfigError(f"The environment can't be read: {error}.") from None
    return _with_password_file(settings)


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return the file's content, and the line of each key."""
    try:
        text = path.read_text("utf-8")
        # JSON is YAML, but for its surrogate pairs.
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError) as error:
        # The error's own text quotes the file, which may hold a password.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{path}{place}: is not valid YAML. Put values with special characters in quotes."
        ) from None
    if content is None:
        return {}, {}
    lines: dict[tuple[str, ...], int] = {}
    _index_lines(node, (), lines)
    if isinstance(content, dict) and isinstance(content.get("options"), dict):
        # The Home Assistant app's manifest carries the settings as its options.
        content = content["options"]
        lines = {key[1:]: line for key, line in lines.items() if key[0] == "options"}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold sections such as `mqtt:` and `storage:`.")
    return {str(key): value for key, value in content.items()}, lines


def _without_empty(section: Any) -> Any:
    """Return a section of the app's options without the fields of the form that were left empty."""
    if not isinstance(section, dict):
        return section
    return {key: one for key, one in section.items() if one is not None and one != ""}


def _index_lines(node: Any, place: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            lines[here] = key.start_mark.line + 1
            _index_lines(value, here, lines)


def _refuse_unknown_environment() -> None:
    known = dict(sections())
    for name in os.environ:
        if not name.upper().startswith(ENV_PREFIX):
            continue
        section, _, key = name[len(ENV_PREFIX) :].lower().partition("__")
        if section not in known:
            raise ConfigError(f"Environment variable {name}: there is no section `{section}`.")
        field = key.partition("__")[0]
        if field and field not in known[section].model_fields:
            raise ConfigError(f"Environment variable {name}: unknown setting `{section}.{field}`.")


def _describe(
    error: ValidationError, config: Path | None, lines: dict[tuple[str, ...], int]
) -> str:
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        place = tuple(str(part) for part in detail["loc"])
        variable = ENV_PREFIX + "__".join(place).upper()
        if variable in {name.upper() for name in os.environ}:
            where = f"Environment variable {variable}"
        elif config and (line := lines.get(place) or lines.get(place[:-1])):
            where = f"{config}, line {line}: {'.'.join(place)}"
        else:
            where = ".".join(place)
        text = "unknown setting" if detail["type"] == "extra_forbidden" else detail["msg"]
        problems.append(f"{where}: {text}.")
    return "\n".join(problems)


def _with_password_file(settings: Settings) -> Settings:
    path = settings.mqtt.password_file
    if path is None or settings.mqtt.password is not None:
        return settings
    try:
        password = path.read_text("utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        raise ConfigError(
            f"mqtt.password_file: {path} can't be read, or its first line is not the password."
        ) from None
    mqtt = settings.mqtt.model_copy(update={"password": SecretStr(password)})
    return settings.model_copy(update={"mqtt": mqtt})
