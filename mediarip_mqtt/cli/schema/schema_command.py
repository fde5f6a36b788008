"""The command `schema`: the contract for programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.cli.schema import asyncapi


class Format(StrEnum):
    """How the contract is told."""

    ASYNCAPI = "asyncapi"
    JSON_SCHEMA = "json-schema"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="schema")(schema)


def schema(
    *,
    form: Annotated[
        Format, typer.Option("--format", help="All of the contract, or the payloads alone.")
    ] = Format.ASYNCAPI,
    as_json: Annotated[bool, typer.Option("--json", help="AsyncAPI as JSON, not YAML.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write files there instead of printing.")
    ] = None,
) -> None:
    """Print the MQTT contract: AsyncAPI 3, or a JSON Schema for each payload."""
    if output is None:
        print_line(sys.stdout, _text(form, as_json=as_json).rstrip("\n"))
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in files(form, as_json=as_json).items():
            (output / name).write_text(text, "utf-8")
    except OSError as error:
        print_line(sys.stderr, f"{output}: can't be written: {error.strerror}.")
        raise typer.Exit(1) from None


def files(form: Format, *, as_json: bool = False) -> dict[str, str]:
    """Return what ``--output`` writes: name to content."""
    if form is Format.JSON_SCHEMA:
        return {name: asyncapi.as_json(one) for name, one in asyncapi.schemas().items()}
    return {f"asyncapi.{'json' if as_json else 'yaml'}": _text(form, as_json=as_json)}


def _text(form: Format, *, as_json: bool) -> str:
    if form is Format.JSON_SCHEMA:
        return asyncapi.as_json(asyncapi.schemas())
    document = asyncapi.document()
    return asyncapi.as_json(document) if as_json else asyncapi.as_yaml(document)
