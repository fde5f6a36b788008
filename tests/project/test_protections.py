"""The list of protections that are taken out one by one (`scripts.protections`) fits the code."""

from __future__ import annotations

import ast

import pytest

from scripts.mutations import (
    Mutation,
    MutationError,
    Place,
    assigned,
    before,
    body,
    constant,
    instead,
    never,
    with_argument,
    without,
)
from scripts.protections import HERE, PROTECTIONS, Protection


@pytest.mark.parametrize("one", PROTECTIONS, ids=lambda one: one.name)
def test_a_protection_can_be_taken_out_and_its_test_exists(one: Protection) -> None:
    for module, source in one.mutated(HERE).items():
        compile(source, module, "exec")
    path, _, name = one.test.partition("::")
    tree = ast.parse((HERE / path).read_text())
    defined = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not name or name.partition("[")[0] in defined


SOURCE = """
LIMIT: int = 5


class One:
    async def work(self, size):
        # a comment
        found = await look(size, again=True)
        if found and size > LIMIT:
            raise ValueError
        try:
            keep(found)
        finally:
            close()
        return found
"""
WORK = Place("package.module:One.work")


@pytest.mark.parametrize(
    ("place", "mutation", "old", "new"),
    [
        (WORK, never("size > LIMIT"), "if found and size > LIMIT:", "if False:"),
        (WORK, without("keep"), "keep(found)", "pass"),
        (WORK, with_argument("look", "again", "False"), "again=True", "again=False"),
        (WORK, with_argument("keep", 0, "None"), "keep(found)", "keep(None)"),
        (WORK, assigned("found", "None"), "await look(size, again=True)", "None"),
        (WORK, instead("ValueError", "OSError"), "ValueError", "OSError"),
        (
            WORK,
            before("close", "now()"),
            "            close()",
            "            now()\n            close()",
        ),
        (Place("package.module:LIMIT"), constant("6"), "LIMIT: int = 5", "LIMIT: int = 6"),
    ],
)
def test_a_mutation_changes_one_place(place: Place, mutation: Mutation, old: str, new: str) -> None:
    plain = ast.unparse(ast.parse(SOURCE))
    assert plain.count(old) == 1
    assert place.mutated(SOURCE, mutation) == plain.replace(old, new)


def test_another_body_can_call_the_original() -> None:
    changed = WORK.mutated(SOURCE, body("return not await original(self, size)"))
    assert "        async def original(self, size):\n            found = " in changed
    assert changed.endswith("        return not await original(self, size)")
    assert WORK.mutated(SOURCE, body("return None")).endswith(
        "work(self, size):\n        return None"
    )


@pytest.mark.parametrize(
    ("name", "mutation"),
    [
        ("One.gone", body("pass")),
        ("One.work", never("nothing")),
        ("One.work", without("found")),
        ("One.work", without("nothing")),
        ("One.work", assigned("LIMIT", "1")),
        ("One.work", constant("1")),
        ("LIMIT", body("pass")),
        ("LIMIT", constant("5")),
    ],
)
def test_a_mutation_that_fits_no_one_place_is_refused(name: str, mutation: Mutation) -> None:
    with pytest.raises(MutationError):
        Place(f"package.module:{name}").mutated(SOURCE, mutation)
