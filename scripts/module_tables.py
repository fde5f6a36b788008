"""The tables of files in docs/architecture.md, made from the docstrings of the modules.

`scripts.generated_docs` writes them. The page marks their places: ``<!-- files: ROOM -->``, and
``<!-- end of files -->``.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "mediarip_mqtt"
PAGE: Final = ROOT / "docs" / "architecture.md"
TOP: Final = "top"  # the modules beside the rooms
_TABLE: Final = re.compile(r"(<!-- files: (\w+) -->\n).*?(<!-- end of files -->)", re.DOTALL)


def page() -> str:
    """Return the page with current tables; exit if a room has none."""
    text = PAGE.read_text("utf-8")
    marked = {name for _, name, _ in _TABLE.findall(text)}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    if marked != rooms | {TOP}:
        sys.exit(f"docs/architecture.md: rooms without a table, or the other way: {marked ^ rooms}")
    return _TABLE.sub(lambda match: f"{match[1]}\n{_table(match[2])}\n{match[3]}", text)


def _table(room: str) -> str:
    folder = PACKAGE if room == TOP else PACKAGE / room
    paths = folder.glob("*.py") if room == TOP else folder.rglob("*.py")
    modules = sorted(path for path in paths if path != folder / "__init__.py")
    rows = [f"| `{_name(path, folder)}` | {_summary(path)} |" for path in modules]
    return "\n".join(["| file | what it does |", "| --- | --- |", *rows, ""])


def _name(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    return name.removesuffix("__init__.py")


def _summary(path: Path) -> str:
    """Return the first paragraph of a module's docstring as Markdown in one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = docstring.split("\n\n", maxsplit=1)[0]
    return " ".join(first.replace("``", "`").split()).replace("|", "\\|")
