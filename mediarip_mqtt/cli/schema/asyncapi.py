"""The contract as AsyncAPI 3 and as JSON Schemas."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from mediarip_mqtt.cli.schema import described_topics
from mediarip_mqtt.cli.schema.described_topics import DEFS, JSON, Schema, Topic, TopicMessage
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import CONTRACT_VERSION, OFFLINE

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS: Final = "#/components/schemas/"
MQTT_BINDING: Final = "0.2.0"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    topics = described_topics.topics()
    messages = {one.name: one for topic in topics for one in topic.messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mediarip-mqtt",
            "version": str(CONTRACT_VERSION),
            "description": "Downloads by yt-dlp, commanded and watched over MQTT. The version is "
            "the contract's: within one, keys and topics are only added. All topics stand below "
            "the setting `mqtt.base_topic`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "servers": {"broker": _server(topics)},
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {f"{topic.action}.{topic.name}": _operation(topic) for topic in topics},
        "components": {
            "schemas": {name: _moved(one) for name, one in described_topics.definitions().items()},
            "messages": {name: _message(one) for name, one in messages.items()},
        },
    }


def schemas() -> dict[str, Schema]:
    """Return a JSON Schema for each JSON message, and for each topic with several: by file name."""
    found: dict[str, Schema] = {}
    for topic in described_topics.topics():
        several = [one for one in topic.messages if one.content_type == JSON]
        found |= {
            f"{one.name}.json": _whole(one.summary, one.payload)
            for one in several
            if one.payload.keys() & {"$ref", "anyOf"}
        }
        if topic.name in {"command", "event", "response"}:
            anyone = {"anyOf": [one.payload for one in several]}
            found[f"{topic.name}.json"] = _whole(topic.summary, anyone)
    return dict(sorted(found.items()))


def as_yaml(value: object) -> str:
    """Return YAML, in the order and with no anchors."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def as_json(value: object) -> str:
    """Return JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        """Write everything out."""
        return True


def _server(topics: list[Topic]) -> dict[str, Any]:
    fields = MqttSettings.model_fields
    status = next(topic for topic in topics if topic.name == "status")
    return {
        "host": f"{fields['host'].default}:{fields['port'].default}",
        "protocol": "mqtt",
        "protocolVersion": fields["protocol"].default,
        "description": "The settings `mqtt.*` name it. 3.1.1 is spoken where 5 is not.",
        "bindings": {
            "mqtt": {
                "clientId": fields["node_id"].default,
                "cleanSession": False,
                "lastWill": {
                    "topic": status.address,
                    "qos": status.qos,
                    "message": OFFLINE,
                    "retain": status.retained,
                },
                "keepAlive": fields["keepalive"].default,
                "sessionExpiryInterval": fields["session_expiry"].default,
                "bindingVersion": MQTT_BINDING,
            }
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    enums = dict(topic.enums)
    parameters = {
        name: {
            "description": described_topics.PARAMETERS[name],
            **({"enum": list(enums[name])} if name in enums else {}),
        }
        for name in _PARAMETER.findall(topic.address)
    }
    only = f" Only in session mode `{topic.only}`." if topic.only else ""
    return {
        "address": topic.address,
        "description": topic.summary + only,
        **({"parameters": parameters} if parameters else {}),
        "messages": {
            one.name: {"$ref": f"#/components/messages/{one.name}"} for one in topic.messages
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    command = topic.name.removeprefix("session.").removeprefix("command.")
    takes = topic.action == "receive" and not topic.name.startswith("homeassistant.")
    return {
        "action": topic.action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.summary,
        "bindings": {
            "mqtt": {
                "qos": topic.qos,
                "retain": topic.retained,
                "bindingVersion": MQTT_BINDING,
            }
        },
        **({"reply": _reply(command)} if takes else {}),
    }


def _reply(command: str) -> dict[str, Any]:
    """Return where the answer is; a request with an MQTT 5 response topic has it there, too."""
    known = {one.name: one for one in described_topics.answers()}
    name = f"reply.{'settings' if command == 'setting.set' else command}"
    names = [name] if name in known else list(known)
    return {
        "channel": {"$ref": "#/channels/response"},
        "messages": [{"$ref": f"#/channels/response/messages/{one}"} for one in names],
    }


def _message(message: TopicMessage) -> dict[str, Any]:
    return {
        "summary": message.summary,
        "contentType": message.content_type,
        "payload": _moved(message.payload),
        **({"examples": [{"payload": message.example}]} if message.example is not None else {}),
    }


def _moved(schema: Schema) -> Schema:
    """Return a schema with its references to where AsyncAPI keeps schemas."""
    moved: Schema = json.loads(json.dumps(schema).replace(f'"{DEFS}', f'"{SCHEMAS}'))
    return moved


def _whole(title: str, payload: Schema) -> Schema:
    """Return a schema that stands alone, with all it refers to."""
    everything = described_topics.definitions()
    needed: dict[str, Schema] = {}
    todo = [payload]
    while todo:
        for name in re.findall(rf'"{re.escape(DEFS)}(\w+)"', json.dumps(todo.pop())):
            if name not in needed:
                needed[name] = everything[name]
                todo.append(everything[name])
    return {"$schema": DIALECT, "title": title, **payload, "$defs": dict(sorted(needed.items()))}
