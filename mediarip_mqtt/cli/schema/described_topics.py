"""The contract as data: every topic with what is said on it, made from the models of the code.

A `Schema` is JSON Schema as Python's own types; models stand in it as ``{"$ref": "#/$defs/Name"}``
and are defined by `definitions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.replies import Refused
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.models import Job, Progress
from mediarip_mqtt.contract.settings import HomeAssistantSettings, MqttSettings, runtime_fields
from mediarip_mqtt.contract.subscription_models import Subscription
from mediarip_mqtt.contract.topic_payloads import (
    Info,
    JobList,
    JobsFailed,
    JobsFinished,
    JobsNow,
    LibraryState,
    Presence,
    State,
    SubscriptionsState,
    Ytdlp,
)
from mediarip_mqtt.contract.topics import OFFLINE, ONLINE, Topics

Schema: TypeAlias = dict[str, Any]
JSON: Final = "application/json"
TEXT: Final = "text/plain"
DEFS: Final = "#/$defs/"

PARAMETERS: Final = {
    "id": "The id of a job or subscription.",
    "sid": "A session's name: 1 to 64 letters, digits and `_ . @ -`.",
    "name": "A command's name.",
    "key": "A runtime setting's name.",
}


@dataclass(frozen=True)
class TopicMessage:
    """Something that is said on a topic; JSON where ``content_type`` says no other."""

    name: str
    summary: str
    payload: Schema
    content_type: str = JSON
    example: Any = None


@dataclass(frozen=True)
class Topic:
    """A topic, or a family of them that differ in the ``{parameters}`` of their address.

    ``action`` is the service's: it sends or receives. ``only`` names the session mode without which
    there are none of them.
    """

    name: str
    address: str
    action: Literal["send", "receive"]
    summary: str
    messages: tuple[TopicMessage, ...]
    retained: bool = False
    qos: Literal[0, 1] = 1
    only: Literal["isolated"] | None = None
    enums: tuple[tuple[str, tuple[str, ...]], ...] = ()  # the values of some parameters


CLEARED: Final = TopicMessage(
    "cleared", "Nothing is retained here any more.", {"type": "string", "maxLength": 0}, TEXT
)


def topics(
    base: str = MqttSettings.model_fields["base_topic"].default,
    node_id: str = MqttSettings.model_fields["node_id"].default,
) -> list[Topic]:
    """Return every topic of a service."""
    root = Topics(base, isolated=True)
    session = root.of("{sid}")
    return [
        *_single(root),
        *_of_jobs(root, "", None),
        *_of_jobs(session, "session.", "isolated"),
        *_intake(root, session),
        *_settings(root),
        _presence(root),
        *_homeassistant(node_id),
    ]


def reply(name: str) -> TopicMessage:
    """Return the reply to a command."""
    accepted = [_ref(cls) for cls in CLASSES[name].replies()]
    payload = {
        "properties": {"command": {"const": name}},
        "anyOf": [*accepted, _ref(Refused)],
    }
    return TopicMessage(f"reply.{name}", f"The reply to `{name}`.", payload)


def answers() -> list[TopicMessage]:
    """Return all replies; the last one is that to what is no known command."""
    unknown = TopicMessage("reply.unknown", "The reply to what is no known command.", _ref(Refused))
    return [*(reply(name) for name in CLASSES), unknown]


def command(name: str) -> TopicMessage:
    """Return a command as an object."""
    cls = CLASSES[name]
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    return TopicMessage(f"command.{name}", summary, _ref(cls), example=dict(cls.example))


def named(name: str) -> TopicMessage:
    """Return a command as an object that has to say which command it is."""
    one = command(name)
    payload = {"allOf": [one.payload, {"required": ["command"]}]}
    example = {"command": name, **one.example}
    return TopicMessage(f"command.{name}.named", one.summary, payload, example=example)


def event(name: str) -> TopicMessage:
    """Return an event."""
    cls = events.classes()[name]
    return TopicMessage(f"event.{name}", (cls.__doc__ or "").strip().splitlines()[0], _ref(cls))


def setting(key: str) -> TopicMessage:
    """Return a runtime setting's value."""
    schema = _setting(key)
    text = "enum" in schema or schema.get("type") == "string"
    return TopicMessage(
        f"setting.{key}", str(schema["description"]), schema, TEXT if text else JSON
    )


def _single(root: Topics) -> list[Topic]:
    status = {"type": "string", "enum": [ONLINE, OFFLINE]}
    picture = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/jpeg"}
    rows = [
        (
            "status",
            root.status,
            "Whether the service is there; `offline` is also its last will.",
            TopicMessage("status", "In one word.", status, TEXT),
        ),
        ("info", root.info, "Facts that rarely change.", _message("info", Info)),
        (
            "state",
            root.state,
            "What the service does: after each change, at most twice a second, and every 30 s.",
            _message("state", State),
        ),
        (
            "library",
            root.library,
            "The library in numbers, only if it is enabled: after each change of a title.",
            _message("library", LibraryState),
        ),
        ("ytdlp", root.ytdlp, "The version of yt-dlp, and its update.", _message("ytdlp", Ytdlp)),
        (
            "thumbnail",
            root.thumbnail,
            "The picture of the current or last job.",
            TopicMessage("thumbnail", "A JPEG of at most 640 pixels, in base64.", picture, TEXT),
        ),
        (
            "jobs.now",
            root.jobs_now,
            "What a dashboard shows at once; between two messages it calculates the progress.",
            _message("jobs.now", JobsNow),
        ),
        (
            "jobs.finished",
            root.jobs_finished,
            "The newest completed jobs.",
            _message("jobs.finished", JobsFinished),
        ),
        (
            "jobs.failed",
            root.jobs_failed,
            "The newest failed jobs.",
            _message("jobs.failed", JobsFailed),
        ),
        (
            "tiles",
            root.tiles,
            "The thumbnails of the listed jobs in one picture; a job's `tile` is its place in it.",
            TopicMessage(
                "tiles",
                "A JPEG of 8 x 5 tiles of 128 x 72 pixels, in base64; at most every 10 s.",
                picture,
                TEXT,
            ),
        ),
    ]
    return [
        Topic(name, address, "send", summary, (message,), retained=True)
        for name, address, summary, message in rows
    ]


def _of_jobs(of: Topics, prefix: str, only: Literal["isolated"] | None) -> list[Topic]:
    """Return what is published of jobs: by the service, or by one isolated session."""
    rows: list[tuple[str, str, str, tuple[TopicMessage, ...], bool, Literal[0, 1]]] = [
        (
            "job.state",
            of.job_state("{id}"),
            "The whole job; cleared once it is deleted.",
            (_message("job", Job), CLEARED),
            True,
            1,
        ),
        (
            "job.progress",
            of.job_progress("{id}"),
            "A job's progress, at most five times a second. Stays after its end; cleared with it.",
            (_message("progress", Progress), CLEARED),
            True,
            0,
        ),
        (
            "jobs",
            of.jobs,
            "The jobs that run, wait and ended last, for a dashboard.",
            (_message("jobs", JobList), *([CLEARED] if only else [])),
            True,
            1,
        ),
        (
            "subscription.state",
            of.subscription_state("{id}"),
            "A subscription: after each check, and after each change of its items.",
            (_message("subscription", Subscription), CLEARED),
            True,
            1,
        ),
        (
            "subscriptions",
            of.subscriptions,
            "The subscriptions in numbers, those that fail, and what they found last.",
            (_message("subscriptions", SubscriptionsState), *([CLEARED] if only else [])),
            True,
            1,
        ),
        (
            "event",
            of.event,
            "One message for each thing that happened.",
            tuple(event(name) for name, cls in events.classes().items() if not only or _job(cls)),
            False,
            1,
        ),
        ("response", of.response, "The reply to every command.", tuple(answers()), False, 1),
    ]
    return [
        Topic(prefix + name, address, "send", summary, messages, retained, qos, only)
        for name, address, summary, messages, retained, qos in rows
    ]


def _job(cls: type[events.Event]) -> bool:
    kinds = events.JobEvent | events.TitleEvent | events.SubscriptionEvent
    return issubclass(cls, kinds)


def _intake(root: Topics, session: Topics) -> list[Topic]:
    names = tuple(CLASSES)
    objects = tuple(command(name) for name in names)
    text = _text("download")
    assert text is not None  # noqa: S101 - a download has a main argument
    found = [
        Topic(
            "command",
            root.command,
            "receive",
            "The one door for everything: text is a download, an object names its `command`.",
            (text, command("download"), *(named(name) for name in names if name != "download")),
        )
    ]
    for name in names:
        one = command(name)
        found.append(
            Topic(
                f"command.{name}",
                root.command_for(name),
                "receive",
                one.summary,
                (one, *([text] if (text := _text(name)) else [])),
            )
        )
    on_behalf = "The same on behalf of a session."
    texts = tuple(text for name in names if (text := _text(name)))
    return [
        *found,
        Topic("session.command", session.command, "receive", on_behalf, found[0].messages),
        Topic(
            "session.command.name",
            session.command_for("{name}"),
            "receive",
            on_behalf,
            (*objects, *texts),
            enums=(("name", names),),
        ),
    ]


def _text(name: str) -> TopicMessage | None:
    """Return a command as plain text; None for one that takes none."""
    main = CLASSES[name].main_argument
    if main is None:
        return None
    what = "a URL, or search words" if name == "download" else f"`{main}`"
    return TopicMessage(f"command.{name}.text", f"Plain text: {what}.", {"type": "string"}, TEXT)


def _settings(root: Topics) -> list[Topic]:
    keys = tuple(runtime_fields())
    values = tuple(setting(key) for key in keys)
    enums = (("key", keys),)
    return [
        Topic(
            "setting",
            root.setting("{key}"),
            "send",
            "A runtime setting's value: JSON, texts without quotes.",
            values,
            retained=True,
            enums=enums,
        ),
        Topic(
            "setting.set",
            root.setting_set("{key}"),
            "receive",
            "A new value for it; answered as the command `settings`.",
            values,
            enums=enums,
        ),
    ]


def _presence(root: Topics) -> Topic:
    return Topic(
        "presence",
        root.presence,
        "send",
        "Says that this service is online, and answers another one, or `doctor`, that asks here.",
        (_message("presence", Presence),),
    )


def _homeassistant(node_id: str) -> list[Topic]:
    fields = HomeAssistantSettings.model_fields
    device = TopicMessage(
        "device", "A device of Home Assistant's MQTT discovery.", {"type": "object"}
    )
    birth = TopicMessage(
        "birth", "`online` when Home Assistant has started.", {"type": "string"}, TEXT
    )
    return [
        Topic(
            "homeassistant.device",
            f"{fields['discovery_prefix'].default}/device/{node_id}/config",
            "send",
            "The device that Home Assistant shows.",
            (device, CLEARED),
            retained=True,
        ),
        Topic(
            "homeassistant.birth",
            str(fields["birth_topic"].default),
            "receive",
            "Home Assistant's birth message: the device is announced again.",
            (birth,),
        ),
    ]


def _message(name: str, cls: type[BaseModel]) -> TopicMessage:
    return TopicMessage(name, (cls.__doc__ or "").strip().splitlines()[0], _ref(cls))


def _ref(cls: type[BaseModel]) -> Schema:
    return {"$ref": DEFS + cls.__name__}


@cache
def definitions() -> dict[str, Schema]:
    """Return the schema of every model, by its name.

    What is sent may get more keys in later versions, so objects are open; commands are closed.
    """
    sent: list[type[BaseModel]] = [Info, State, Ytdlp, JobList, JobsNow, JobsFinished, JobsFailed]
    sent += [LibraryState, Subscription, SubscriptionsState, Job, Progress, Presence, Refused]
    sent += [reply for cls in CLASSES.values() for reply in cls.replies()]
    sent += events.classes().values()
    taken = [cls for cls in CLASSES.values() if cls is not ChangeSettings]
    found = {
        ChangeSettings.__name__: _change_settings(),
        **_defined(taken, "validation", closed=True),
        **_defined(sent, "serialization", closed=False),
    }
    return dict(sorted(found.items()))


def _defined(
    models: Iterable[type[BaseModel]], mode: JsonSchemaMode, *, closed: bool
) -> dict[str, Schema]:
    made = models_json_schema([(cls, mode) for cls in models], ref_template=DEFS + "{model}")[1]
    return {name: _tidy(one, closed=closed) for name, one in made["$defs"].items()}


def _change_settings() -> Schema:
    own = ChangeSettings.model_json_schema(ref_template=DEFS + "{model}")["properties"]
    schema = {
        "type": "object",
        "description": (ChangeSettings.__doc__ or "").strip(),
        "properties": {
            "command": own["command"],
            "request_id": own["request_id"],
            **{key: _setting(key) for key in runtime_fields()},
        },
        "additionalProperties": False,
    }
    return _tidy(schema, closed=True)


def _setting(key: str) -> Schema:
    section = runtime_fields()[key][1]
    schema: Schema = TypeAdapter(section).json_schema()["properties"][key]
    left_out = {"runtime", "default"}  # what is left out of a command stays as it is
    return _tidy({name: one for name, one in schema.items() if name not in left_out}, closed=True)


def _tidy(schema: Schema, *, closed: bool) -> Schema:
    """Return a schema without what only pydantic needs, and open where it is not ``closed``."""
    left_out = {"title"} if closed else {"title", "default"}
    if not closed and schema.get("additionalProperties") is False:
        left_out |= {"additionalProperties"}
    if "default" in schema and schema["default"] is None:
        left_out |= {"default"}
    found = {key: one for key, one in schema.items() if key not in left_out}
    for key in ("properties", "$defs"):
        if key in found:
            found[key] = {name: _tidy(one, closed=closed) for name, one in found[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _tidy(found[key], closed=closed)
    if "anyOf" in found:
        found["anyOf"] = [_tidy(one, closed=closed) for one in found["anyOf"]]
        found = _nullable(found)
    return found


def _nullable(schema: Schema) -> Schema:
    """Return ``{"type": [..., "null"]}`` for a choice between one plain type and null."""
    match schema["anyOf"]:
        case [{"type": str(kind), **rest}, {"type": "null"}] if "enum" not in rest:
            outer = {key: one for key, one in schema.items() if key != "anyOf"}
            return outer | {"type": [kind, "null"]} | {str(key): one for key, one in rest.items()}
    return schema
