"""Loads the settings: environment over the configuration file or app options over defaults."""

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
from mediarip_mqtt.contract.topic_names import conflicts

OPTIONS_FILE: Final = "/data/options.json"  # the app's options, written by the Supervisor
OPTIONS_VARIABLE: Final = "MEDIARIP_OPTIONS"  # overrides the path of that file


def configuration_file(config: Path | None) -> Path | None:
    """Return the file to read: ``config``, else the app's options if this is the app, else None."""
    if config is not None or SUPERVISOR_TOKEN not in os.environ:
        return config
    options = Path(os.environ.get(OPTIONS_VARIABLE, OPTIONS_FILE))
    return options if options.exists() else None


def origins(config: Path | None = None) -> dict[tuple[str, str], str]:
    """Return each setting's source (variable, line of the file, default), by section and key."""
    config = configuration_file(config)
    lines = _read_yaml(config)[1] if config else {}
    variables = {name.upper(): name for name in os.environ}
    sources = {}
    for section, cls in sections():
        for key in cls.model_fields:
            variable = f"{ENV_PREFIX}{section}__{key}".upper()
            nested = [name for name in variables if name.startswith(f"{variable}__")]
            source = "default"
            if (section, key) in lines:
                source = f"{config}, line {lines[section, key]}"
            if variable in variables or nested:
                source = f"environment {variable if variable in variables else min(nested)}"
            sources[section, key] = source
    return sources


def load(
    config: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Return the settings; raise a `ConfigError` that names each invalid setting and its source.

    ``overrides`` (section to key to value) override all sources.
    """
    explicit, config = config, configuration_file(config)
    content, lines = _read_yaml(config) if config else ({}, {})
    if explicit is None:
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
    except Exception as error:  # pydantic-settings' error for invalid JSON in a variable
        if type(error).__name__ != "SettingsError":
            raise
        raise ConfigError(f"The environment can't be read: {error}.") from None
    settings = _with_password_file(settings, "password")
    return _with_password_file(settings, "key_password")


def check_topics(settings: Settings, config: Path | None = None) -> None:
    """Raise `ConfigError` if a service can't use these topics together.

    Not part of `load`: the command line may use the topics of one session.
    """
    ha = settings.homeassistant
    bad = conflicts(settings.mqtt.base_topic, ha.discovery_prefix, ha.birth_topic)
    sources = origins(config)
    problems = [
        f"{section}.{key} ({sources[section, key]}): {problem}." for section, key, problem in bad
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return the file's content and the line of each key."""
    try:
        text = path.read_text("utf-8")
        # JSON is YAML except for surrogate pairs.
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError) as error:
        # Not the error's own text: it quotes the file, which may contain a password.
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
        raise ConfigError(f"{path}: must contain sections such as `mqtt:` and `storage:`.")
    return {str(key): value for key, value in content.items()}, lines


def _without_empty(section: Any) -> Any:
    """Return a section of the app's options without the form's empty fields."""
    if not isinstance(section, dict):
        return section
    return {key: value for key, value in section.items() if value is not None and value != ""}


def _index_lines(node: Any, parent: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*parent, str(key.value))
            lines[path] = key.start_mark.line + 1
            _index_lines(value, path, lines)


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
        path = tuple(str(part) for part in detail["loc"])
        variable = ENV_PREFIX + "__".join(path).upper()
        if variable in {name.upper() for name in os.environ}:
            where = f"Environment variable {variable}"
        elif config and (line := lines.get(path) or lines.get(path[:-1])):
            where = f"{config}, line {line}: {'.'.join(path)}"
        else:
            where = ".".join(path)
        text = "unknown setting" if detail["type"] == "extra_forbidden" else detail["msg"]
        problems.append(f"{where}: {text}.")
    return "\n".join(problems)


def _with_password_file(settings: Settings, key: str) -> Settings:
    path = getattr(settings.mqtt, f"{key}_file")
    if path is None or getattr(settings.mqtt, key) is not None:
        return settings
    try:
        password = path.read_text("utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        raise ConfigError(
            f"mqtt.{key}_file: {path} can't be read, or its first line is not the password."
        ) from None
    mqtt = settings.mqtt.model_copy(update={key: SecretStr(password)})
    return settings.model_copy(update={"mqtt": mqtt})
