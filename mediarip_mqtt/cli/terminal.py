"""What all commands of the command line share: options, exit codes, how they fail."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.errors import ConfigError, MediaripError
from mediarip_mqtt.contract.settings import LogSettings, Settings
from mediarip_mqtt.service import load_settings, logs, redaction, supervisor

out = Console()
err = Console(stderr=True)


class Exit(IntEnum):
    """What the exit code says."""

    OK = 0
    FAILED = 1  # the download, the command, the broker
    CONFIG = 2  # the configuration or the command line
    ANEW = 75  # of no process that ends: the program starts itself anew
    INTERRUPTED = 130


Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="MEDIARIP_CONFIG", help="Configuration file (YAML)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def load(config: Path | None, *, quiet: bool = False, broker: bool = True) -> Settings:
    """Return the settings, with the log set up; end with exit code 2 where they are wrong.

    Without ``broker`` the Supervisor, where there is one, is not asked for it.
    """
    try:
        loaded = load_settings.load(config)
        presets.check_presets(loaded.downloads)
        _configure_log(loaded, quiet=quiet)
        if broker:
            loaded = supervisor.with_broker(loaded)
            _configure_log(loaded, quiet=quiet)  # which hides its password, too
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    except MediaripError as error:
        fail(error.message, Exit.FAILED)
    return loaded


def _configure_log(loaded: Settings, *, quiet: bool) -> None:
    log = LogSettings(level="warning", format=loaded.log.format) if quiet else loaded.log
    logs.configure(log, secrets=redaction.secrets_of(loaded), console=err)


def carry_out(coroutine: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its exit code; what went wrong is told without a traceback."""
    try:
        code = asyncio.run(coroutine)
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    except MediaripError as error:
        fail(error.message, Exit.FAILED)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # what reads our output has gone
        sys.stdout = None  # its flush at exit would fail again
        code = Exit.OK
    raise typer.Exit(code)


def fail(message: str, code: Exit) -> NoReturn:
    """Tell what is wrong and end."""
    for line in logs.redact(message).split("\n"):
        print_line(sys.stderr, logs.visible(line))
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    print_line(sys.stdout, json.dumps(value, ensure_ascii=False, indent=2, default=str))
