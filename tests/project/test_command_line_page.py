"""The examples of the README and docs/command-line.md are commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from mediarip_mqtt.cli.main import app

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^\$ mediarip-mqtt (.+)$", re.MULTILINE)
PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/command-line.md")}
EXAMPLES = [
    (name, words.split("  #")[0]) for name, text in PAGES.items() for words in EXAMPLE.findall(text)
]


@pytest.mark.parametrize(("page", "words"), EXAMPLES)
def test_an_example_is_accepted_as_it_stands(page: str, words: str) -> None:
    main: Any = typer.main.get_command(app)
    name, *rest = shlex.split(words)
    if name.startswith("--"):
        assert name in {one for option in main.params for one in option.opts}
        return
    # Parsed as it would be, and not carried out.
    main.commands[name].make_context(name, rest)


def test_every_command_has_an_example() -> None:
    commands: Any = typer.main.get_command(app)
    shown = {words.split()[0] for _, words in EXAMPLES}
    assert set(commands.commands) - shown <= {"healthcheck"}  # for containers: docs/docker.md
