"""Every class and every module of the package has a name of its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "mediarip_mqtt"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def repeated(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: where for name, where in places.items() if len(where) > 1}


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not repeated(places)


def test_no_two_modules_have_one_name() -> None:
    places = defaultdict(list)
    for path in MODULES:
        places[path.stem].append(str(path.relative_to(PACKAGE)))
    for path in PACKAGE.rglob("__init__.py"):
        places[path.parent.name].append(str(path.parent.relative_to(PACKAGE)))
    assert not repeated(places)
