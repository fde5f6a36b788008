"""What every command has to have; a new one needs no line here."""

from __future__ import annotations

import json

import pytest

from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.parse import parse
from mediarip_mqtt.commands.registry import CLASSES, FAMILIES
from mediarip_mqtt.commands.replies import Accepted


def subclasses(cls: type[Command]) -> list[type[Command]]:
    found = cls.__subclasses__()
    return [*found, *(deeper for one in found for deeper in subclasses(one))]


def test_every_command_is_found_once_and_by_its_name() -> None:
    defined = [cls for cls in subclasses(Command) if cls.command_name]
    assert sorted(defined, key=str) == sorted(CLASSES.values(), key=str)
    assert {cls.__module__ for cls in defined} == {family.__name__ for family in FAMILIES}


@pytest.mark.parametrize("name", CLASSES)
def test_every_command_describes_itself(name: str) -> None:
    cls = CLASSES[name]
    assert cls.command_name == name == cls.model_fields["command"].default
    assert cls.__doc__
    assert "example" in vars(cls)
    assert isinstance(parse(json.dumps(cls.example).encode(), name), cls)
    assert cls.main_argument is None or cls.main_argument in cls.model_fields
    assert cls.replies()
    assert all(issubclass(reply, Accepted) and reply is not Accepted for reply in cls.replies())
