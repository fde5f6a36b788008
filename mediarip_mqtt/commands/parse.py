"""What arrives on a command topic, made a command: JSON, or the plain text that a person types."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from mediarip_mqtt.commands.family import Command, RequestId
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode

NAME_LENGTH: Final = 64  # characters of a command's name, or of a key, in a refusal
DEFAULT: Final = "download"  # what plain text, and an object without `command`, is
_REQUEST_ID: Final[TypeAdapter[str]] = TypeAdapter(RequestId)
_CASE_FREE: Final = ("quality", "media_type", "output_format", "priority", "on_duplicate", "status")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LENIENT: Final = json.JSONDecoder(strict=False)  # takes control characters in texts


@dataclass(frozen=True)
class Head:
    """Which command a message is and its request id: what a reply repeats, also a refusal.

    Both are fit to be published, and None where the message does not tell.
    """

    command: str | None
    request_id: str | None


def read_head(payload: bytes, name: str | None) -> Head:
    """Return the head of a message, as far as it can be read; ``name`` is what its topic says.

    ``payload`` may be the beginning of one, hold bytes that are not UTF-8, or end in the middle.
    """
    # Unreadable bytes become lone surrogates, which no name and no request id may hold.
    text = payload.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip()
    members: dict[str, Any] = {}
    complete = False
    if text.startswith("{"):
        members, complete = _members(text)
        named = members.get("command", DEFAULT if complete else None)
    else:
        named = None if texts.UNFIT.match(text) else DEFAULT
    command = name or named
    return Head(
        texts.clean(command, NAME_LENGTH) if isinstance(command, str) else None,
        _request_id(members.get("request_id")),
    )


def _members(text: str) -> tuple[dict[str, Any], bool]:
    """Return the members of a JSON object as far as it can be read, and whether it is complete."""
    found: dict[str, Any] = {}
    place = 1
    try:
        while True:
            place = _skip_space(text, place)
            if text[place] == "}" and not found:
                return found, True
            key, place = _LENIENT.raw_decode(text, place)
            place = _skip_space(text, place)
            if text[place] != ":" or not isinstance(key, str):
                return found, False
            value, place = _LENIENT.raw_decode(text, _skip_space(text, place + 1))
            place = _skip_space(text, place)
            end = text[place : place + 1]
            if end in {",", "}"} or isinstance(value, str):  # else it may be a part of a number
                found[key] = value
            if end != ",":
                return found, end == "}"
            place += 1
    except (ValueError, IndexError, RecursionError):
        return found, False


def _skip_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _request_id(value: object) -> str | None:
    try:
        return _REQUEST_ID.validate_python(value)
    except ValidationError:
        return None


def parse(payload: bytes, name: str | None) -> Command:
    """Return the command that a payload is; ``name`` is what its topic says.

    Raises `CommandError`.
    """
    try:
        text = payload.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "The payload is not UTF-8 text.") from None
    if "\x00" in text:
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "The payload holds a NUL character.")
    value = _json(text)
    return _from_object(value, name) if isinstance(value, dict) else _from_text(value, name)


def parse_setting(payload: bytes, key: str) -> Command:
    """Return the command that sets one setting; raises `CommandError`."""
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The payload is not UTF-8 text.",
            field=texts.clean(key, NAME_LENGTH),
        ) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return ChangeSettings(values={key: value})


def _json(text: str) -> dict[str, Any] | str:
    """Return an object where the text is one; else the text, out of its quotes."""
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if not text.startswith("{"):
            return text  # "[Official] some title" are search words
        place = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise CommandError(
            ErrorCode.INVALID_JSON, f"The payload is not valid JSON{place}."
        ) from None
    if not isinstance(value, dict | str):
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "The payload must be text or a JSON object.")
    if not _encodable(value):
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The payload holds text that is not Unicode, or a NUL character.",
        )
    return value.strip() if isinstance(value, str) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _encodable(value: dict[str, Any] | str) -> bool:
    """Whether all texts can be written as UTF-8 and hold no NUL."""
    try:
        encoded = json.dumps(value, ensure_ascii=False)
        encoded.encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in encoded


def _from_text(text: str, name: str | None) -> Command:
    cls = _class_of(name or DEFAULT)
    return _validate(cls, cls.from_text(text) if text else {})


def _from_object(value: dict[str, Any], name: str | None) -> Command:
    named = value.get("command", name or DEFAULT)
    if not isinstance(named, str):
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "`command` must be text.", field="command")
    if name is not None and named != name:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            f"The topic says `{name}` and the payload {named[:40]!r}.",
            field="command",
        )
    cls = _class_of(named)
    fields = cls.from_object(value)
    for key in _CASE_FREE:
        if isinstance(fields.get(key), str):
            fields = fields | {key: fields[key].strip().lower()}
    return _validate(cls, fields)


def _class_of(name: str) -> type[Command]:
    if name not in CLASSES:
        raise CommandError(
            ErrorCode.UNKNOWN_COMMAND,
            f"There is no command {name[:NAME_LENGTH]!r}. There are: {', '.join(sorted(CLASSES))}.",
            field="command",
        )
    return CLASSES[name]


def _validate(cls: type[Command], fields: dict[str, Any]) -> Command:
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise _explain(error, cls) from None


def _explain(error: ValidationError, cls: type[Command]) -> CommandError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name, place = cls.command_name, [str(part) for part in first["loc"]]
    key = place[0] if place else name
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(cls.model_fields))
        text = f"`{name}` does not know {key[:NAME_LENGTH]!r}. It knows: {known}."
    elif first["type"] == "missing":
        text = f"`{name}` needs {key!r}."
    else:
        text = f"{key}: {first['msg']}."
    return CommandError(ErrorCode.INVALID_PAYLOAD, text, field=texts.clean(key, NAME_LENGTH))
