"""Reads blueprints of Home Assistant."""

from __future__ import annotations

from typing import Any

import yaml


class _WithInputs(yaml.SafeLoader):
    """Reads `!input name` as the name."""


def _name(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_WithInputs.add_constructor("!input", _name)


def read_blueprint(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, _WithInputs)  # noqa: S506 - a safe loader
    return found
