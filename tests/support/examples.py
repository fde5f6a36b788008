"""The examples in README and docs: every fenced block, and how to run it.

A comment before a block gives its kind if the block does not show it: ``<!-- example: KIND -->`` or
``<!-- example: not run, REASON -->``. The output of a console block is compared, unless a comment
says ``console`` and the reason. ``fails``: a console block whose exit code is not 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from mediarip_mqtt.contract.settings import sections

ROOT = Path(__file__).parent.parent.parent
_OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "DOCS.md")]
PAGES = [*_OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]
CHECKED = {"json", "settings", "compose", "homeassistant"}
RUN = {"console", "fails", "service", "mosquitto.conf", "acl"}
KINDS = CHECKED | RUN
_NOTE = re.compile(r"<!-- example: ([\w. ]+?)(?:, (.+))? -->")


@dataclass(frozen=True)
class Example:
    """A fenced block; ``reason`` says why it is not run."""

    page: Path
    line: int
    heading: str
    kind: str
    reason: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def lines(self) -> list[tuple[str, list[str]]]:
        """Return each typed line with its expected output."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def examples(*kinds: str) -> list[Example]:
    """Return all examples, or those of the given kinds."""
    found = [one for page in PAGES for one in _of(page)]
    return [one for one in found if not kinds or one.kind in kinds]


def _of(page: Path) -> list[Example]:
    found = []
    note, heading = "", ""
    tokens = MarkdownIt("commonmark").parse(page.read_text("utf-8"))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and after:
            heading = after.content
        elif token.type == "html_block":
            assert "example" not in token.content or (after and after.type == "fence"), (
                f"{page}: nothing follows {token.content}"
            )
            note = token.content
            continue
        elif token.type in {"fence", "code_block"} and not token.info.startswith("{"):
            assert token.map
            kind, reason = _kind(token.info, token.content, note)
            found.append(Example(page, token.map[0] + 1, heading, kind, reason, token.content))
        note = ""
    return found


def _kind(language: str, text: str, note: str) -> tuple[str, str]:
    """Return the kind of a block (empty if unknown), and why it is not run."""
    if match := _NOTE.search(note):
        return match[1], match[2] or ""
    if language in {"console", "json"}:
        return language, ""
    return (_kind_of_yaml(yaml.safe_load(text)) if language == "yaml" else ""), ""


def _kind_of_yaml(value: Any) -> str:
    keys = set(value)
    if keys <= {name for name, _ in sections()}:
        return "settings"
    if "services" in keys:
        return "compose"
    return "homeassistant" if keys & {"action", "actions", "sequence"} else ""
