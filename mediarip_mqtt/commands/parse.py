"""What arrives on a command topic, made a command: JSON, or the plain text that a person types."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from mediarip_mqtt.commands.payloads import (
    CLASSES,
    MAIN_ARGUMENT,
    MAX_TEXT,
    Base,
    Command,
    Download,
    RequestId,
)
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode

_ADAPTER: Final[TypeAdapter[Command]] = TypeAdapter(Command)
_REQUEST_ID: Final[TypeAdapter[str]] = TypeAdapter(RequestId)
_CASE_FREE: Final = ("quality", "media_type", "output_format", "priority", "on_duplicate", "status")

_URL_IN_TEXT: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_BROKEN_SCHEME: Final = re.compile(r"^(https?)(?::/?|/{1,2}|//:)(?=[^/:\s])", re.IGNORECASE)
_BARE_HOST: Final = re.compile(
    r"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,30}[A-Za-z]{2,63}/\S+$"
)
# Bounded, for a sender chooses the text: else "searchsearch..." would be tried at every "search".
_OTHER_SCHEME: Final = re.compile(
    r"^(?:[a-z][a-z0-9+.-]{0,30}:/"
    r"|(?:file|data|javascript|about|blob|mailto|ftp|[a-z0-9]{0,20}search\w{0,20}):)",
    re.IGNORECASE,
)
# A cookies.txt by its header, or by a line of it; the tabs may have become spaces on the way.
_COOKIES: Final = re.compile(
    r"^#[^\n]*HTTP Cookie File"
    r"|^\S+[ \t]+(?:TRUE|FALSE)[ \t]+/\S*[ \t]+(?:TRUE|FALSE)[ \t]+\d+(?:\.\d+)?[ \t]+\S",
    re.IGNORECASE | re.MULTILINE,
)
_TRAILING: Final = ".,;:!?\"')>]}"


class ParseError(CommandError):
    """A payload that is no command; carries what could be learnt of it for the reply."""

    def __init__(
        self, error: CommandError, command: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(error.code, error.message, field=error.field)
        self.command = command
        self.request_id = request_id


def parse(payload: bytes, name: str | None) -> Base:
    """Return the command that a payload is; ``name`` is what its topic says.

    Raises `ParseError`.
    """
    try:
        text = payload.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        raise ParseError(
            CommandError(ErrorCode.INVALID_PAYLOAD, "The payload is not UTF-8 text."), name
        ) from None
    if "\x00" in text:
        raise ParseError(
            CommandError(ErrorCode.INVALID_PAYLOAD, "The payload holds a NUL character."), name
        )
    value = _json(text, name)
    return _from_object(value, name) if isinstance(value, dict) else _from_text(value, name)


def _json(text: str, name: str | None) -> dict[str, Any] | str:
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
        raise ParseError(
            CommandError(ErrorCode.INVALID_JSON, f"The payload is not valid JSON{place}."), name
        ) from None
    if not isinstance(value, dict | str):
        raise ParseError(
            CommandError(ErrorCode.INVALID_PAYLOAD, "The payload must be text or a JSON object."),
            name,
        )
    if not _encodable(value):
        raise ParseError(
            CommandError(
                ErrorCode.INVALID_PAYLOAD,
                "The payload holds text that is not Unicode, or a NUL character.",
            ),
            name,
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


def _from_text(text: str, name: str | None) -> Base:
    name = name or "download"
    if name not in CLASSES:
        raise ParseError(_unknown(name), name)
    main: str | None = MAIN_ARGUMENT[name]
    if not text:
        return _validate({"command": name}, name, None)
    if main is None:
        raise ParseError(
            CommandError(
                ErrorCode.INVALID_PAYLOAD, f"`{name}` takes no plain text, only a JSON object."
            ),
            name,
        )
    if main == "url":
        _refuse_cookies(text, name, None)
        # What is too long for a URL is refused as one, before anything is looked for in it.
        url = repair_url(text) if len(text) <= MAX_TEXT else text
        if url is not None:
            return _validate({"command": name, "url": url}, name, None)
        main = "query" if name == "download" else "url"
    return _validate({"command": name, main: text}, name, None)


def _refuse_cookies(text: str, name: str, request_id: str | None) -> None:
    """Refuse a cookies.txt, which would become a search, whose words are published."""
    if _COOKIES.search(text):
        raise ParseError(
            CommandError(
                ErrorCode.INVALID_PAYLOAD,
                "The payload looks like a cookies.txt, which is not taken here. Send it on the "
                "topic command/cookies, and log out at the site where others read this topic.",
            ),
            name,
            request_id,
        )


def _request_id(value: object) -> str | None:
    """Return what a refusal may give back as the request's id."""
    try:
        return _REQUEST_ID.validate_python(value)
    except ValidationError:
        return None


def _from_object(value: dict[str, Any], name: str | None) -> Base:
    request_id = _request_id(value.get("request_id"))
    named = value.get("command", name or "download")
    if not isinstance(named, str):
        raise ParseError(
            CommandError(ErrorCode.INVALID_PAYLOAD, "`command` must be text.", field="command"),
            name,
            request_id,
        )
    if name is not None and named != name:
        raise ParseError(
            CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"The topic says `{name}` and the payload {named[:40]!r}.",
                field="command",
            ),
            name,
            request_id,
        )
    if named not in CLASSES:
        raise ParseError(_unknown(named), texts.clean(named, 64), request_id)
    if named == "settings":
        return _validate(_settings_object(value), named, request_id)
    for key in ("url", "query"):
        if isinstance(value.get(key), str):
            _refuse_cookies(value[key], named, request_id)
    return _validate(_repaired({**value, "command": named}), named, request_id)


def _repaired(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an object's fields as they can only be meant."""
    for key in _CASE_FREE:
        if isinstance(fields.get(key), str):
            fields[key] = fields[key].strip().lower()
    if isinstance(fields.get("url"), str) and len(fields["url"]) <= MAX_TEXT:
        fields["url"] = repair_url(fields["url"]) or fields["url"]
    if isinstance(fields.get("quality"), int):
        fields["quality"] = str(fields["quality"])
    return fields


def _settings_object(value: dict[str, Any]) -> dict[str, Any]:
    own = ("command", "request_id")
    values = {key: one for key, one in value.items() if key not in own}
    return {
        **{key: value[key] for key in own if key in value},
        "command": "settings",
        "values": values,
    }


def _validate(fields: dict[str, Any], name: str, request_id: str | None) -> Base:
    try:
        command = _ADAPTER.validate_python(fields)
    except ValidationError as error:
        raise ParseError(_explain(error, name), name, request_id) from None
    if isinstance(command, Download) and (command.url is None) == (command.query is None):
        text = "A download needs a `url`, or search words as `query`"
        both = command.url is not None
        raise ParseError(
            CommandError(
                ErrorCode.INVALID_PAYLOAD, f"{text}{', not both' if both else ''}.", field="url"
            ),
            name,
            request_id,
        )
    return command


def _explain(error: ValidationError, name: str) -> CommandError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = [str(part) for part in first["loc"][1:]]
    key = place[0] if place else name
    known = ", ".join(sorted(CLASSES[name].model_fields))
    if first["type"] == "extra_forbidden":
        text = f"`{name}` does not know {key[:64]!r}. It knows: {known}."
    elif first["type"] == "missing":
        text = f"`{name}` needs {key!r}."
    else:
        text = f"{key}: {first['msg']}."
    return CommandError(ErrorCode.INVALID_PAYLOAD, text, field=texts.clean(key, 64))


def _unknown(name: str) -> CommandError:
    return CommandError(
        ErrorCode.UNKNOWN_COMMAND,
        f"There is no command {name[:64]!r}. There are: {', '.join(sorted(CLASSES))}.",
        field="command",
    )


def repair_url(text: str) -> str | None:
    """Return the one URL that a text can mean; None where it is something else, as search words.

    Voice and phones send ``https//host``, a missing scheme, a shared "title https://…". The text
    has at most `MAX_TEXT` characters: a normal form takes the square of that.
    """
    text = unicodedata.normalize("NFC", text).strip(f"{texts.MARKS} \t\r\n").strip("<>").strip()
    if _OTHER_SCHEME.match(text) and not text.lower().startswith(("http:/", "https:/")):
        return text  # kept as it is: the check of URLs says what is wrong with it
    found = _URL_IN_TEXT.findall(text)
    if len(found) == 1 and not text.lower().startswith(("http://", "https://")):
        return str(found[0]).rstrip(_TRAILING)
    if text.lower().startswith(("http://", "https://")):
        return text.split()[0].rstrip(",;\"'>") if len(found) == 1 else text
    if not re.search(r"\s", text):
        if match := _BROKEN_SCHEME.match(text):
            return f"{match[1].lower()}://{text[match.end() :]}"
        if _BARE_HOST.match(text):
            return f"https://{text}"
    return None
