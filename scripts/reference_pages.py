"""Renders the pages of docs/reference from the contract; see `scripts.generated_docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from mediarip_mqtt.cli.schema import described_topics
from mediarip_mqtt.cli.schema.described_topics import DEFS, Schema
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import ErrorCode, ErrorScope

MADE: Final = "<!-- Written by `make docs` from the code. -->"
COMMANDS: Final = f"""# Commands

{MADE}

Publish a command on `mediarip/command/<name>`, or on `mediarip/command` with its name as the key
`command` (without one it is a `download`). To act for a session, publish below
`mediarip/session/<sid>/`. The payload is a JSON object, or the command's main argument as plain
text. Unknown keys are refused, so that a typing error is noticed. Each command gets one reply on
`mediarip/response`, and another on the MQTT 5 response topic if the request names one.

Each command may have a `request_id`: text of at most 128 characters, which the reply repeats. A
second command with the same `request_id` from the same session has no effect and gets the first
reply again.

The reply to a refused command has `ok` false and an `error` with `code` ([what each
means](errors.md)), `message` and `field`. Otherwise `ok` is true, and the reply has `command`,
`request_id` and the keys that each section lists.
"""
TOPICS: Final = f"""# Topics

{MADE}

All topics are below the setting `mqtt.base_topic` (here `mediarip`). Times are ISO 8601 in UTC,
sizes are bytes, speeds bytes per second, durations seconds. Later versions may add keys to an
object: ignore those you don't know. A key never changes its meaning.

For programs there is [asyncapi.yaml](../asyncapi.yaml), or `mediarip-mqtt schema`, which also
prints each payload as a JSON Schema.

For an isolated session (`session.mode: isolated`) the topics `job/{{id}}/state`,
`job/{{id}}/progress`, `jobs`, `event` and `response` are below `session/{{sid}}/`, and nowhere
else. The service subscribes with QoS 1. A retained command is refused.

| topic | | retained | QoS | what it is |
| --- | --- | --- | --- | --- |
"""
EVENTS: Final = f"""# Events

{MADE}

For each thing that happens there is one message on `mediarip/event`, with QoS 1 and not retained.
Events wait in the store until the broker has acknowledged them, so none is lost. One may be
delivered twice: use `event_id` to drop repeats. Each event has `event_type`, `event_id` and `at`
(a time). An event of a job has the job at that time under `job`: [its keys](topics.md#job).
"""
ERRORS: Final = f"""# Error codes

{MADE}

The reply to a refused command has the code in `error.code`. A failed job, and one that waits for
its next attempt, has it in `error_code`. Codes are stable, so automations may compare them. The
message beside a code is for people and may change.
"""
PAGES: Final = {  # topics that a page of their own describes
    "event": "events",
    "response": "commands",
    "command": "commands",
    "session.command": "commands",
    "session.command.name": "commands",
}
SCOPES: Final = {
    ErrorScope.COMMAND: "Of a command.",
    ErrorScope.JOB: "Of a job, and of `probe`.",
    ErrorScope.BOTH: "Of a command or a job.",
}


def pages() -> dict[str, str]:
    """Return every page by its name."""
    return {
        "commands.md": _page(COMMANDS, (_command(name) for name in CLASSES)),
        "topics.md": _page(TOPICS.rstrip(), (*_topics(), "", *map(_object, _objects()))),
        "events.md": _page(EVENTS, (_event(name) for name in events.types())),
        "errors.md": _page(ERRORS, (_error(code) for code in ErrorCode)),
    }


def _page(head: str, sections: Iterable[str]) -> str:
    return "\n".join([head, *sections]).rstrip() + "\n"


def _command(name: str) -> str:
    cls = CLASSES[name]
    schema = described_topics.definitions()[cls.__name__]
    main = cls.main_argument
    own = {
        key: value
        for key, value in schema["properties"].items()
        if key not in {"command", "request_id"}
    }
    text = f"Plain text is its `{main}`." if main else "It takes no plain text."
    if name == "download":
        text = "Plain text is its `url`, or else its `query`."
    lines = [f"## {name}\n", f"{_first_line(cls)} {text}\n"]
    if own:
        lines += ["| key | value | what it is |", "| --- | --- | --- |"]
        lines += [
            _row(key, value, "Required." if key in schema.get("required", ()) else _default(value))
            for key, value in own.items()
        ]
        lines.append("")
    lines += ["```json", json.dumps(cls.example), "```\n", "The reply:\n"]
    lines += [f"- {_reply(reply)}" for reply in cls.replies()]
    return "\n".join([*lines, ""])


def _reply(cls: type[Accepted]) -> str:
    own = {
        key: _link(schema)
        for key, schema in described_topics.definitions()[cls.__name__]["properties"].items()
        if key not in Accepted.model_fields
    }
    keys = ", ".join(f"`{key}`{link}" for key, link in own.items())
    return f"{keys}: {_first_line(cls)}"


def _link(schema: Schema) -> str:
    """Return a link to the description of an object, or of a list's objects."""
    kind = _kind(schema)
    return f" ({kind})" if "](" in kind else ""


def _topics() -> Iterable[str]:
    """Yield a row for each topic; one for all commands."""
    for topic in described_topics.topics():
        if topic.only or topic.name.startswith("command."):
            continue
        description = topic.summary
        if topic.name in PAGES:
            description += f" See [{PAGES[topic.name]}]({PAGES[topic.name]}.md)."
        for message in topic.messages:
            if message.payload.keys() == {"$ref"} and topic.name not in PAGES:
                description += f" [{_name(message.payload)}](#{_name(message.payload).lower()})."
        direction = "out" if topic.action == "send" else "in"
        kept = "yes" if topic.retained else "no"
        yield f"| `{topic.address}` | {direction} | {kept} | {topic.qos} | {description} |"
        if topic.name == "command":
            text = "One command, by its name."
            yield f"| `{topic.address}/{{name}}` | in | no | 1 | {text} |"


def _objects() -> list[str]:
    """Return the names of all objects in published payloads, commands, replies and events."""
    inside: dict[str, None] = {}
    published = [message for topic in described_topics.topics() for message in topic.messages]
    todo: list[Any] = [
        *(
            message.payload
            for message in published
            if _is_object(message)
            and message.name.split(".")[0] not in {"command", "event", "reply"}
        ),
        *(
            described_topics.definitions()[reply.__name__]
            for cls in CLASSES.values()
            for reply in cls.replies()
        ),
        *(described_topics.definitions()[cls.__name__] for cls in CLASSES.values()),
        *(described_topics.definitions()[cls.__name__] for cls in events.classes().values()),
    ]
    while todo:
        for name in re.findall(rf"{re.escape(DEFS)}(\w+)", json.dumps(todo.pop(0))):
            schema = described_topics.definitions()[name]
            if name not in inside and "properties" in schema:
                inside[name] = None
                todo.append(schema)
    return list(inside)


def _is_object(message: described_topics.TopicMessage) -> bool:
    return message.payload.keys() == {"$ref"}


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(DEFS)


def _object(name: str) -> str:
    schema = described_topics.definitions()[name]
    return f"## {name}\n\n{_text(schema)}\n\n{_table(schema)}"


def _table(schema: Schema) -> str:
    rows = [_row(key, value) for key, value in schema["properties"].items()]
    return "\n".join(["| key | value | what it is |", "| --- | --- | --- |", *rows, ""])


def _event(name: str) -> str:
    schema = described_topics.definitions()[events.classes()[name].__name__]
    own = {
        key: value
        for key, value in schema["properties"].items()
        if key not in {"event_type", "event_id", "at", "job"}
    }
    table = f"\n\n{_table({'properties': own})}" if own else "\n"
    return f"## {name}\n\n{_text(schema)}{table}"


def _error(code: ErrorCode) -> str:
    scope = SCOPES[code.scope]
    return f"## {code}\n\n{scope} {code.meaning}\n\n**What to do:** {code.remedy}\n"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, [], "") else f"Default: `{json.dumps(default)}`."


def _row(key: str, schema: Schema, note: str | None = None) -> str:
    """Return a key's row; keys of commands have a ``note`` and are omitted instead of null."""
    kind = _kind(schema) if note is None else _kind(schema).removesuffix(" or null")
    description = " ".join(text for text in (schema.get("description"), note) if text)
    cells = (f"`{key}`", kind, description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kind(schema: Schema) -> str:  # noqa: PLR0911 - one for each form of a schema
    if "$ref" in schema:
        return _named(schema["$ref"].removeprefix(DEFS))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return _codes(schema["enum"])
    if "const" in schema:
        return _codes([schema["const"]])
    kinds = schema.get("type", "anything")
    if isinstance(kinds, list):
        return " or ".join(_kind({**schema, "type": kind}) for kind in kinds)
    if kinds == "array":
        return f"list of {_kind(schema['items'])}"
    if kinds == "object":
        values = schema.get("additionalProperties")
        return f"object of {_kind(values)}" if isinstance(values, dict) else "object"
    if kinds == "string" and schema.get("format") == "date-time":
        return "time"
    least, most = schema.get("minimum"), schema.get("maximum")
    if kinds in {"integer", "number"} and least is not None and most is not None:
        return f"{kinds}, {least} to {most}"
    return {"string": "text", "boolean": "true or false"}.get(str(kinds), str(kinds))


def _named(name: str) -> str:
    schema = described_topics.definitions()[name]
    if "enum" in schema:
        return _codes(schema["enum"])
    return f"[{name}](topics.md#{name.lower()})"


def _text(schema: Schema) -> str:
    """Return a docstring as one line of Markdown."""
    return " ".join(str(schema["description"]).replace("``", "`").split())


def _codes(values: Iterable[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _first_line(cls: type[Any]) -> str:
    return str(cls.__doc__ or "").strip().splitlines()[0]
