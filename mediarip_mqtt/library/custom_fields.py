"""Values of custom fields: each has the type that `library.fields` gives it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.library_settings import CustomField

TEXT_LIMIT: Final = 1000


def changed_fields(
    definitions: Mapping[str, CustomField], now: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a title's values after a change; null removes one. Raises `CommandError`."""
    values = dict(now)
    for name, value in changes.items():
        if name not in definitions:
            known = ", ".join(definitions) or "none"
            raise _bad(name, f"is not defined in library.fields (defined: {known})")
        if value is None:
            values.pop(name, None)
        else:
            values[name] = _checked(name, definitions[name], value)
    return values


def _checked(name: str, field: CustomField, value: Any) -> Any:
    match field.type:
        case "number":
            return _number(name, value)
        case "boolean" if isinstance(value, bool):
            return value
        case "date":
            return _date(name, value)
        case "select":
            return _option(name, field, value)
        case "multi_select" if isinstance(value, list | tuple):
            return [_option(name, field, one) for one in value[: len(field.options)]]
        case "text" | "url":
            return _text(name, value, url=field.type == "url")
    raise _bad(name, f"must be a {field.type.replace('_', ' ')}")


def _number(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and abs(value) < 1e15:  # noqa: PLR2004 - exact as a float
        return value  # type: ignore[no-any-return] # a number: checked above
    raise _bad(name, "must be a number below 10^15")


def _date(name: str, value: Any) -> str:
    try:
        return TypeAdapter(date).validate_python(value).isoformat()
    except ValidationError:
        raise _bad(name, "must be a date: 2026-01-31") from None


def _option(name: str, field: CustomField, value: Any) -> str:
    if value not in field.options:
        raise _bad(name, f"must be one of {', '.join(field.options)}")
    return str(value)


def _text(name: str, value: Any, *, url: bool) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise _bad(name, f"must be a text of at most {TEXT_LIMIT} characters")
    if url and not value.startswith(("http://", "https://")):
        raise _bad(name, "must be an http or https URL")
    try:
        return texts.printable(value)
    except PydanticCustomError:
        raise _bad(name, "holds a control character") from None


def _bad(name: str, problem: str) -> CommandError:
    return CommandError(
        ErrorCode.INVALID_PAYLOAD, f"The field {name[:64]!r} {problem}.", field="fields"
    )
