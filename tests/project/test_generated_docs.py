"""What is generated in docs/ is what the code says, and valid."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from mediarip_mqtt.cli.schema import described_topics
from mediarip_mqtt.commands import parse
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.settings import runtime_fields, sections

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ASYNCAPI = ROOT / "tests" / "support" / "asyncapi-3.0.0.json"
SCHEMAS = sorted((DOCS / "schemas").glob("*.json"))


def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text("utf-8"))
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return [*own, *(one for part in value.values() for one in references(part))]
    return [one for part in value for one in references(part)] if isinstance(value, list) else []


def resolve(root: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def test_what_is_generated_is_current() -> None:
    command = [sys.executable, "-m", "scripts.generated_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_setting_is_on_its_page() -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    for section, cls in sections():
        for key in cls.model_fields:
            assert f"`MEDIARIP__{section.upper()}__{key.upper()}`" in page


def test_the_document_is_valid_asyncapi_and_its_references_lead_somewhere() -> None:
    found = document()
    errors = [
        f"{one.json_path}: {one.message[:200]}"
        for one in Draft7Validator(json.loads(ASYNCAPI.read_text("utf-8"))).iter_errors(found)
    ]
    assert errors == []
    for reference in set(references(found)):
        assert resolve(found, reference), reference
    for name, one in found["components"]["schemas"].items():
        Draft7Validator.check_schema(one)
        assert name in str(references(found)), f"nobody needs {name}"


def test_every_topic_says_how_it_is_delivered() -> None:
    found = document()
    assert {one["channel"]["$ref"] for one in found["operations"].values()} == {
        f"#/channels/{name}" for name in found["channels"]
    }
    for name, one in found["operations"].items():
        binding = one["bindings"]["mqtt"]
        assert (binding["qos"] == 0) == name.endswith("job.progress")
        assert not (binding["retain"] and one["action"] == "receive")
    for one in found["channels"].values():
        named = re.findall(r"\{(\w+)\}", one["address"])
        assert set(named) == set(one.get("parameters", {}))


def test_the_document_has_all_there_is() -> None:
    found = document()
    channels, messages = found["channels"], found["components"]["messages"]
    assert {f"command.{name}" for name in CLASSES} <= set(channels)
    assert {f"reply.{name}" for name in CLASSES} <= set(channels["response"]["messages"])
    assert {f"event.{name}" for name in events.types()} == set(channels["event"]["messages"])
    assert {f"setting.{key}" for key in runtime_fields()} == set(channels["setting"]["messages"])
    assert set(found["components"]["schemas"]["ErrorCode"]["enum"]) == set(ErrorCode)
    assert set(messages) == {
        one.name for topic in described_topics.topics() for one in topic.messages
    }


def test_each_command_event_and_code_has_its_section_and_each_command_its_example() -> None:
    wanted = {"commands": CLASSES, "events": events.types(), "errors": list(ErrorCode)}
    for page, names in wanted.items():
        text = (DOCS / "reference" / f"{page}.md").read_text("utf-8")
        assert re.findall(r"^## (\S+)$", text, re.MULTILINE) == list(names)
    for name, payload in ((name, cls.example) for name, cls in CLASSES.items()):
        schema = json.loads((DOCS / "schemas" / f"command.{name}.json").read_text("utf-8"))
        assert Draft202012Validator(schema).is_valid(payload)
        assert parse.parse(json.dumps(payload).encode(), name)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_schema_is_valid_and_stands_alone(path: Path) -> None:
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema(schema)
    for reference in references(schema):
        assert resolve(schema, reference)


@pytest.mark.parametrize(
    ("payload", "good"),
    [
        ({"url": "https://a.example/x"}, True),
        ({"query": "harbour at night", "preset": "720p", "tags": ["a"]}, True),
        ({"url": "https://a.example/x", "query": "both"}, False),
        ({"url": "https://a.example/x", "quality": "4711pp"}, False),
        ({"url": "https://a.example/x", "exec": "id"}, False),
        ({"command": "cancel", "id": "last", "request_id": "r1"}, True),
        ({"command": "cancel"}, False),
        ({"id": "last"}, False),
        ({"command": "settings", "max_concurrent": 2}, True),
        ({"command": "settings", "max_concurrent": 99}, False),
        ({"command": "settings", "nonsense": 1}, False),
        ({"command": "purge", "older_than": 0, "status": ["failed"]}, True),
        ({"command": "purge", "status": "queued"}, False),
        ({"command": "fly"}, False),
    ],
)
def test_the_schema_of_commands_and_the_service_agree(
    payload: dict[str, Any],
    good: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    schema = json.loads((DOCS / "schemas" / "command.json").read_text("utf-8"))
    assert Draft202012Validator(schema).is_valid(payload) is good
    accepted = True
    try:
        command = parse.parse(json.dumps(payload).encode(), None)
        if isinstance(command, ChangeSettings):
            accepted = (
                set(command.values) <= set(runtime_fields()) and 99 not in command.values.values()
            )
    except CommandError:
        accepted = False
    assert accepted is good
