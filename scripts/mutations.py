"""Mutations of a function (or constant) that disable a protection in it.

They match names and syntax trees, so comments, formatting and neighbouring lines do not matter.
Each applies to exactly one place, or raises `MutationError`. Code and expressions are given as
Python and compared as trees.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Constant = ast.Assign | ast.AnnAssign
Mutation = Callable[[ast.stmt], None]


class MutationError(Exception):
    """A mutation does not match the code."""


@dataclass(frozen=True)
class Place:
    """A function or constant of a module: `package.module:Class.method`."""

    name: str

    def path(self, base: Path) -> Path:
        """Return the file of the module; ``base`` is the folder that holds the package."""
        return (base / self.name.partition(":")[0].replace(".", "/")).with_suffix(".py")

    def mutated(self, source: str, mutation: Mutation) -> str:
        """Return the mutated source of a module."""
        tree = ast.parse(source)
        mutation(self.find(tree))
        changed = ast.unparse(ast.fix_missing_locations(tree))
        if changed == ast.unparse(ast.parse(source)):
            raise MutationError(f"{self.name}: the mutation changes nothing")
        return changed

    def find(self, tree: ast.Module) -> ast.stmt:
        """Return the definition."""
        *outer, last = self.name.partition(":")[2].split(".")
        statements: list[ast.stmt] = tree.body
        for name in outer:
            owner = _only(
                [statement for statement in statements if name in _defined(statement)], self.name
            )
            statements = owner.body if isinstance(owner, ast.ClassDef | Function) else []
        return _only(
            [statement for statement in statements if last in _defined(statement)], self.name
        )


def body(code: str) -> Mutation:
    """Replace the body of the function; ``original`` in it is the unchanged function."""

    def mutate(node: ast.stmt) -> None:
        function = _function(node)
        original = copy.deepcopy(function)
        original.name, original.decorator_list = "original", []
        new = ast.parse(code).body
        function.body = (
            [original, *new] if any(_mentions(statement, "original") for statement in new) else new
        )

    return mutate


def never(mentions: str) -> Mutation:
    """Falsify the condition of the only `if`, `elif` or `while` that mentions an expression."""

    def mutate(node: ast.stmt) -> None:
        matches = [
            child
            for child in ast.walk(_function(node))
            if isinstance(child, ast.If | ast.While) and _mentions(child.test, mentions)
        ]
        _only(matches, f"an if with {mentions}").test = ast.Constant(value=False)

    return mutate


def without(mentions: str) -> Mutation:
    """Remove the only simple statement that mentions an expression, such as a call."""

    def mutate(node: ast.stmt) -> None:
        statements, index = _statement(node, mentions)
        statements[index] = ast.Pass()

    return mutate


def before(mentions: str, code: str) -> Mutation:
    """Insert code before the only simple statement that mentions an expression."""

    def mutate(node: ast.stmt) -> None:
        statements, index = _statement(node, mentions)
        statements[index:index] = ast.parse(code).body

    return mutate


def with_argument(function: str, argument: str | int, value: str) -> Mutation:
    """Replace an argument, by name or position, in the only call of a function."""

    def mutate(node: ast.stmt) -> None:
        calls = [
            child
            for child in ast.walk(_function(node))
            if isinstance(child, ast.Call) and _same(child.func, _expression(function))
        ]
        call = _only(calls, f"a call of {function}")
        if isinstance(argument, int):
            call.args[argument] = _expression(value)
        else:
            keywords = [keyword for keyword in call.keywords if keyword.arg == argument]
            _only(keywords, f"{argument} of {function}").value = _expression(value)

    return mutate


def assigned(name: str, value: str) -> Mutation:
    """Replace the value of the only assignment to a variable."""

    def mutate(node: ast.stmt) -> None:
        matches = [
            child
            for child in ast.walk(_function(node))
            if isinstance(child, Constant) and name in _assigned(child)
        ]
        _only(matches, f"an assignment to {name}").value = _expression(value)

    return mutate


def instead(expression: str, replacement: str) -> Mutation:
    """Replace the only occurrence of an expression."""

    def mutate(node: ast.stmt) -> None:
        old = _expression(expression)
        places = [
            (parent, field, index)
            for parent in ast.walk(node)
            for field, index, child in _children(parent)
            if _same(child, old)
        ]
        parent, field, index = _only(places, f"the expression {expression}")
        if index is None:
            setattr(parent, field, _expression(replacement))
        else:
            getattr(parent, field)[index] = _expression(replacement)

    return mutate


def constant(value: str) -> Mutation:
    """Replace the value of a constant."""

    def mutate(node: ast.stmt) -> None:
        if not isinstance(node, Constant):
            raise MutationError("not a constant")
        node.value = _expression(value)

    return mutate


def _only(matches: list[T], what: str) -> T:
    if len(matches) != 1:
        raise MutationError(f"{len(matches)} matches instead of one: {what}")
    return matches[0]


def _defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module or class defines."""
    return {node.name} if isinstance(node, ast.ClassDef | Function) else _assigned(node)


def _assigned(node: ast.AST) -> set[str]:
    """Return the variable that a statement assigns."""
    if not isinstance(node, Constant):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _function(node: ast.stmt) -> Function:
    if not isinstance(node, Function):
        raise MutationError("not a function")
    return node


def _statement(node: ast.stmt, mentions: str) -> tuple[list[ast.stmt], int]:
    """Return the block and index of the only simple statement that mentions an expression."""
    matches = [
        (statements, index)
        for parent in ast.walk(_function(node))
        for statements in _blocks(parent)
        for index, statement in enumerate(statements)
        if not _blocks(statement) and _mentions(statement, mentions)
    ]
    return _only(matches, f"a statement with {mentions}")


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    """Return the blocks of statements of a node."""
    values = [value for _, value in ast.iter_fields(node) if isinstance(value, list) and value]
    return [value for value in values if isinstance(value[0], ast.stmt)]


def _mentions(node: ast.AST, expression: str) -> bool:
    wanted = _expression(expression)
    return any(_same(child, wanted) for child in ast.walk(node))


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """Yield the children of a node: field name, index in a list or None, child."""
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield field, index, item


def _expression(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body


def _same(left: ast.AST, right: ast.AST) -> bool:
    return type(left) is type(right) and ast.dump(left) == ast.dump(right)
