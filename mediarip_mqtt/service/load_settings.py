"""Loads the settings: environment over the configuration file or app options over defaults."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import SecretStr, ValidationError

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import ENV_PREFIX, SUPERVISOR_TOKEN, Settings, sections
from mediarip_mqtt.contract.topic_names import conflicts
from mediarip_mqtt.service import environment

OPTIONS_FILE: Final = "/data/options.json"  # the app's options, written by the Supervisor
LOG_FORMAT: Final = f"{ENV_PREFIX}LOG__FORMAT"
OPTIONS_VARIABLE: Final = "MEDIARIP_OPTIONS"  # overrides the path of that file


def configuration_file(config: Path | None) -> Path | None:
    """Return the file to read: ``config``, else the app's options if this is the app, else None."""
    if config is not None or not os.environ.get(SUPERVISOR_TOKEN):
        return config
    options = Path(os.environ.get(OPTIONS_VARIABLE) or OPTIONS_FILE)
    return options if options.exists() else None


def origins(config: Path | None = None) -> dict[tuple[str, str], str]:
    """Return each setting's source (variable, line of the file, default), by section and key."""
    config = configuration_file(config)
    lines = _read_yaml(config)[1] if config else {}
    variables = environment.given()
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
    environment.check_names()
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
        text = decode(path.read_bytes())
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
    doubled: list[str] = []
    _index_lines(node, (), lines, doubled)
    if doubled:
        raise ConfigError("\n".join(f"{path}, {problem}" for problem in doubled))
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


def _index_lines(
    node: Any, parent: tuple[str, ...], lines: dict[tuple[str, ...], int], doubled: list[str]
) -> None:
    """Note the line of each key; YAML would silently use the last of equal keys."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*parent, str(key.value))
            line = key.start_mark.line + 1
            if path in lines and str(key.value) != "<<":  # a merge
                name = ".".join(path)
                doubled.append(
                    f"lines {lines[path]} and {line}: `{name}` is there twice. Put it together "
                    "in one place."
                )
            lines[path] = line
            _index_lines(value, path, lines, doubled)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _index_lines(item, (*parent, str(number)), lines, doubled)


def decode(content: bytes) -> str:
    """Decode a text file; editors of Windows begin it with a byte order mark.

    Raises `UnicodeDecodeError`.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def log_format(config: Path | None) -> Literal["text", "json"]:
    """Return the setting `log.format` before the settings are checked, for the errors of that."""
    value = next(
        (os.environ[name] for key, name in environment.given().items() if key == LOG_FORMAT), None
    )
    if value is None:
        with contextlib.suppress(ConfigError):
            file = configuration_file(config)
            section = _read_yaml(file)[0].get("log") if file else None
            value = section.get("format") if isinstance(section, dict) else None
    return "json" if value == "json" else "text"


def _describe(
    error: ValidationError, config: Path | None, lines: dict[tuple[str, ...], int]
) -> str:
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        path = tuple(str(part) for part in detail["loc"])
        variable = ENV_PREFIX + "__".join(path).upper()
        if variable in environment.given():
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
        password = decode(path.read_bytes()).splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        raise ConfigError(
            f"mqtt.{key}_file: {path} can't be read, or its first line is not the password."
        ) from None
    mqtt = settings.mqtt.model_copy(update={key: SecretStr(password)})
    return settings.model_copy(update={"mqtt": mqtt})
