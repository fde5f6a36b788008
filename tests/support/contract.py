"""Validates messages seen on a broker against the generated contract (docs/asyncapi.yaml)."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import yaml
from jsonschema import Draft7Validator
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.support.broker import Client

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "asyncapi.yaml"


@dataclass(frozen=True)
class Seen:
    """A message with the QoS and retain flag of the publisher."""

    topic: str
    payload: str
    qos: int
    retained: bool


class Listener(Client):
    """A client that also records flags, and the discovery messages for Home Assistant."""

    def __init__(self, port: int, base: str = "mediarip") -> None:
        self.seen: list[Seen] = []
        self._mine: set[str] = set()
        super().__init__(port, base)

    def publish(self, topic: str, *arguments: Any, **how: Any) -> None:
        self._mine.add(f"{self.base}/{topic}")
        super().publish(topic, *arguments, **how)

    @property
    def others(self) -> list[Seen]:
        """Return the messages that this client did not publish itself."""
        return [one for one in self.seen if one.topic not in self._mine]

    def _on_connect(self, *arguments: Any) -> None:
        super()._on_connect(*arguments)
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        self._client.subscribe("homeassistant/#", options=options)

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload.decode("utf-8", "replace")
        self.seen.append(Seen(message.topic, payload, message.qos, message.retain))
        super()._on_message(client, data, message)


class Contract:
    """Validates messages against the document; undescribed topics and keys are errors."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text("utf-8"))
        channels = self.document["channels"]
        self._addresses: dict[re.Pattern[str], str] = {
            re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one["address"]))): name
            for name, one in channels.items()
        }
        self._operations = {
            one["channel"]["$ref"].rpartition("/")[2]: one
            for one in self.document["operations"].values()
        }

    @cached_property
    def _components(self) -> dict[str, Any]:
        """Return the components with closed schemas: this version publishes no other keys."""
        found = copy.deepcopy(self.document["components"])
        for schema in found["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        return dict(found)

    def sent(self) -> set[str]:
        """Return the names of all topics on which the service publishes."""
        return {name for name, one in self._operations.items() if one["action"] == "send"}

    def messages(self, channel: str) -> set[str]:
        """Return the names of the messages of a topic."""
        return set(self.document["channels"][channel]["messages"])

    def judge(self, seen: list[Seen]) -> set[str]:
        """Validate messages; return the names of their topics."""
        return {self._judge(one) for one in seen}

    def _judge(self, one: Seen) -> str:
        names = [name for address, name in self._addresses.items() if address.fullmatch(one.topic)]
        assert names, f"{one.topic} is not described"
        name = names[0]
        operation = self._operations[name]
        assert operation["action"] == "send", f"the service does not publish on {one.topic}"
        binding = operation["bindings"]["mqtt"]
        assert (one.qos, one.retained) == (binding["qos"], binding["retain"]), one
        self._judge_payload(one, name)
        return name

    def _judge_payload(self, one: Seen, channel: str) -> None:
        candidates = self.messages(channel)
        if channel == "setting":
            candidates = {f"setting.{one.topic.rpartition('/')[2]}"}
        problems = [self._problem(one.payload, name) for name in candidates]
        assert None in problems, f"{one.topic}: {one.payload[:500]}: {problems}"

    def _problem(self, payload: str, name: str) -> str | None:
        message = self._components["messages"][name]
        value: Any = payload
        if message["contentType"] == "application/json":
            try:
                value = json.loads(payload)
            except ValueError:
                return f"{name}: not JSON"
        schema = {**message["payload"], "components": self._components}
        error = next(Draft7Validator(schema).iter_errors(value), None)
        return f"{name}: {error.json_path}: {error.message[:200]}" if error else None
