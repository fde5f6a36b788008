"""The list of protections that are taken out one by one (`scripts.protections`) fits the code."""

from __future__ import annotations

import ast

import pytest

from scripts.protections import HERE, PROTECTIONS, Protection


@pytest.mark.parametrize("one", PROTECTIONS, ids=lambda one: one.name)
def test_a_protection_can_be_taken_out_and_its_test_exists(one: Protection) -> None:
    code = (HERE / "mediarip_mqtt" / one.module).read_text()
    for old, _ in ((one.old, one.new), *one.also):
        assert code.count(old) == 1
    path, _, name = one.test.partition("::")
    tree = ast.parse((HERE / path).read_text())
    defined = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not name or name.partition("[")[0] in defined
