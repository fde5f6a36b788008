"""Shared by all commands: options, exit codes, settings, error output."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.contract import local_time, presets
from mediarip_mqtt.contract.errors import ConfigError, MediaripError
from mediarip_mqtt.contract.settings import LogSettings, Settings
from mediarip_mqtt.service import environment, load_settings, logs, redaction, supervisor

logger = logging.getLogger(__name__)
out = Console()
err = Console(stderr=True)


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1  # download, command or connection
    CONFIG = 2  # invalid configuration or arguments
    RESTART = 75  # internal: `run` replaces the process instead of exiting
    INTERRUPTED = 130


Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="MEDIARIP_CONFIG", help="Configuration file (YAML)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def load(
    config: Path | None, *, quiet: bool = False, broker: bool = True, service: bool = False
) -> Settings:
    """Load the settings and configure the log; exit with code 2 if they are invalid.

    ``broker``: ask Home Assistant's Supervisor, if there is one, for the broker. ``service``: also
    check what only the service must not use.
    """
    wrong_zone = local_time.use_time_zone()
    try:
        loaded = load_settings.load(config)
        presets.check_presets(loaded.downloads)
        if service:
            load_settings.check_topics(loaded, config)
        _configure_log(loaded, quiet=quiet)
        if wrong_zone:
            logger.warning("TZ is %r, which is no time zone: times are in UTC", wrong_zone)
        for warning in environment.check_names():
            logger.warning("%s", warning)
        if broker:
            loaded = supervisor.with_broker(loaded)
            _configure_log(loaded, quiet=quiet)  # now also redacts the broker's password
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    except MediaripError as error:
        fail(error.message, Exit.FAILED)
    return loaded


def _configure_log(loaded: Settings, *, quiet: bool) -> None:
    log = LogSettings(level="warning", format=loaded.log.format) if quiet else loaded.log
    logs.configure(log, secrets=redaction.secrets_of(loaded), console=err)


def carry_out(coroutine: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command and exit with its code; print errors without a traceback."""
    try:
        code = asyncio.run(coroutine)
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    except MediaripError as error:
        fail(error.message, Exit.FAILED)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has exited
        sys.stdout = None  # the flush at exit would fail again
        code = Exit.OK
    raise typer.Exit(code)


def fail(message: str, code: Exit) -> NoReturn:
    """Print an error without secrets and control characters, and exit."""
    for line in logs.redact(message).split("\n"):
        if logs.is_only_output():
            logger.error("%s", line)
            continue
        print_line(sys.stderr, logs.visible(line))
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print_line(sys.stdout, json.dumps(value, ensure_ascii=False, indent=2, default=str))
