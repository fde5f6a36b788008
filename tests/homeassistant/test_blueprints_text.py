"""The blueprints' files: whole, described, and safe with hostile titles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from mediarip_mqtt.homeassistant.entities import TRIGGERS

ROOT = Path(__file__).parents[2]
FOLDER = Path("homeassistant/blueprints/automation/mediarip")
PATHS = sorted((ROOT / FOLDER).glob("*.yaml"))
ADDRESS = "https://mediarip.example/mediarip-mqtt/raw/main"
# Written by its own generator, with docs of its own.
OWN_PAGE = {"voice"}


class _Loader(yaml.SafeLoader):
    """Reads `!input` as a name in braces."""


_Loader.add_constructor("!input", lambda _, node: f"<{node.value}>")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def _content(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text("utf-8"), _Loader))  # noqa: S506 - a SafeLoader


def _inputs(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, one in content["blueprint"]["input"].items():
        found |= one.get("input", {name: one})
    return found


def test_a_blueprint_is_described_and_uses_what_it_asks_for(path: Path) -> None:
    content = _content(path)
    blueprint = content.pop("blueprint")
    assert blueprint["homeassistant"]["min_version"] == "2025.4.0"
    assert len(blueprint["description"]) > 40
    inputs = _inputs({"blueprint": blueprint})
    for one in inputs.values():
        assert one["name"]
        assert one["selector"]
    used = set(re.findall(r"!input (\w+)", path.read_text("utf-8")))
    assert used == set(inputs)


def test_a_blueprint_waits_for_triggers_that_the_device_has(path: Path) -> None:
    subtypes = re.findall(r"subtype: (\w+)", path.read_text("utf-8"))
    assert set(subtypes) <= set(TRIGGERS)


def test_a_blueprint_neither_trusts_titles_nor_needs_an_administrator(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|shell_command|mqtt\.publish", text)
    messages = list(_sent(_content(path)["actions"]))
    assert all(message.rstrip().endswith("| to_json }}") for message in messages)


def _sent(value: Any) -> Iterator[str]:
    """Find the messages to the service."""
    if isinstance(value, dict):
        if value.get("action") == "notify.send_message":
            yield value["data"]["message"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _sent(one)


def test_a_blueprint_has_its_paragraph_with_a_link_that_imports_it(path: Path) -> None:
    if path.stem in OWN_PAGE:
        return
    address = quote(f"{ADDRESS}/{FOLDER.as_posix()}/{path.name}", safe="")
    page = (ROOT / "docs" / "automations.md").read_text("utf-8")
    assert f"blueprint_import/?blueprint_url={address})" in page
