"""The command `command`: sends any MQTT command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mediarip_mqtt.cli import completion
from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.terminal import Config, Exit, carry_out, fail, load, print_json
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract.settings import Settings


def send_command(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the command: list, get, cancel, pause, settings, ...",
            autocompletion=completion.command_names,
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JSON | KEY=VALUE... | ID]", help="The command's arguments."),
    ] = None,
    *,
    config: Config = None,
) -> None:
    """Send any command and print its reply as JSON; exit code 1 if it is refused."""
    loaded = load(config, quiet=True)
    carry_out(_send(loaded, name, _arguments(name, arguments or [])))


async def _send(loaded: Settings, name: str, arguments: Mapping[str, Any]) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        reply = await client.ask(name, arguments)
    print_json(reply)
    return Exit.OK if reply.get("ok") else Exit.FAILED


def _arguments(name: str, words: list[str]) -> dict[str, Any]:
    """Parse a command's arguments: one JSON object, ``key=value`` words, or its main argument."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            value = json.loads(words[0])
        except ValueError as error:
            fail(f"The argument is not valid JSON: {error}", Exit.CONFIG)
        return dict(value)
    main = (CLASSES[name].main_argument if name in CLASSES else None) or "id"
    if len(words) == 1 and (main == "url" or "=" not in words[0]):
        return {main: words[0]}
    arguments = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            fail(f"{word!r} is not KEY=VALUE.", Exit.CONFIG)
        arguments[key] = _value(text, as_json=name == "settings")
    return arguments


def _value(text: str, *, as_json: bool) -> Any:
    """Parse a value as JSON unless it may be meant as text; the service converts numbers."""
    if as_json or text in {"true", "false", "null"} or text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
