"""Parses the payload of a command topic: JSON, or plain text typed by a person."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from mediarip_mqtt.commands.cookie_commands import ManageCookies
from mediarip_mqtt.commands.family import Command, RequestId
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode

NAME_LENGTH: Final = 64  # characters of a command's name or a key that an error repeats
DEFAULT: Final = "download"  # the command if neither topic nor payload names one
_REQUEST_ID: Final[TypeAdapter[str]] = TypeAdapter(RequestId)
_CASE_FREE: Final = ("quality", "media_type", "output_format", "priority", "on_duplicate", "status")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LENIENT: Final = json.JSONDecoder(strict=False)  # allows control characters in strings


@dataclass(frozen=True)
class Head:
    """The command's name and request id, which every reply repeats.

    Both are safe to publish; None if the message does not have them.
    """

    command: str | None
    request_id: str | None


def read_head(payload: bytes, name: str | None) -> Head:
    """Return the head of a message, even of an invalid one; ``name`` is the one in the topic.

    ``payload`` may be truncated and may contain bytes that are not UTF-8.
    """
    # Invalid bytes become lone surrogates, which names and request ids must not contain.
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


def read_end(payload: bytes, head: Head) -> Head:
    """Complete the head of a message from its end: many senders append the request id.

    ``payload`` is the end of a message that is too large to be read as a whole.
    """
    text = payload.decode("utf-8", "surrogateescape").rstrip()
    members: dict[str, Any] = {}
    for key in ("request_id", "command"):
        position = text.rfind(f'"{key}"')
        # Only what is followed by nothing but whole members belongs to the outermost object.
        if position > 0 and text[:position].rstrip().endswith((",", "{")):
            with contextlib.suppress(ValueError, RecursionError):
                members |= _LENIENT.decode("{" + text[position:])
    command = members.get("command")
    named = texts.clean(command, NAME_LENGTH) if isinstance(command, str) else None
    return Head(head.command or named, head.request_id or _request_id(members.get("request_id")))


def _members(text: str) -> tuple[dict[str, Any], bool]:
    """Return the members of a possibly truncated JSON object, and whether it is complete."""
    members: dict[str, Any] = {}
    position = 1
    try:
        while True:
            position = _skip_space(text, position)
            if text[position] == "}" and not members:
                return members, True
            key, position = _LENIENT.raw_decode(text, position)
            position = _skip_space(text, position)
            if text[position] != ":" or not isinstance(key, str):
                return members, False
            value, position = _LENIENT.raw_decode(text, _skip_space(text, position + 1))
            position = _skip_space(text, position)
            delimiter = text[position : position + 1]
            # Without a delimiter a number may be truncated.
            if delimiter in {",", "}"} or isinstance(value, str):
                members[key] = value
            if delimiter != ",":
                return members, delimiter == "}"
            position += 1
    except (ValueError, IndexError, RecursionError):
        return members, False


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _request_id(value: object) -> str | None:
    try:
        return _REQUEST_ID.validate_python(value)
    except ValidationError:
        return None


def parse(payload: bytes, name: str | None) -> Command:
    """Return the command in a payload; ``name`` is the one in the topic.

    Raises `CommandError`.
    """
    try:
        text = payload.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "The payload is not UTF-8 text.") from None
    if "\x00" in text:
        raise CommandError(ErrorCode.INVALID_PAYLOAD, "The payload holds a NUL character.")
    is_export = name == ManageCookies.command_name and text.startswith("[")
    value = text if is_export else _json(text)
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
    """Return a JSON object or string decoded; any other text as it is."""
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if not text.startswith("{"):
            return text  # search words, e.g. "[Official] some title"
        position = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise CommandError(
            ErrorCode.INVALID_JSON, f"The payload is not valid JSON{position}."
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
    """Whether all strings can be encoded as UTF-8 and contain no NUL."""
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
    name, path = cls.command_name, [str(part) for part in first["loc"]]
    key = path[0] if path else name
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(cls.model_fields))
        text = f"`{name}` does not know {key[:NAME_LENGTH]!r}. It knows: {known}."
    elif first["type"] == "missing":
        text = f"`{name}` needs {key!r}."
    else:
        text = f"{key}: {first['msg']}."
    return CommandError(ErrorCode.INVALID_PAYLOAD, text, field=texts.clean(key, NAME_LENGTH))
