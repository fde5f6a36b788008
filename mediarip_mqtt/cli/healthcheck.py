"""The command `healthcheck`."""

from __future__ import annotations

import sys
import time

import typer

from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.cli.terminal import Config, Exit, carry_out, load
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ONLINE
from mediarip_mqtt.service import health, supervisor


def healthcheck(*, config: Config = None) -> None:
    """Check that the service works, for containers; exit code 1 if it does not."""
    loaded = load(config, quiet=True, broker=False)
    signs = health.read(health.signs_paths(loaded))
    if signs is None:  # no service on this machine: ask over the broker
        carry_out(_check_online(loaded))
    checks = health.examine(signs, time.monotonic())
    for check in checks:
        text = f"{check.name}: {'ok' if check.ok else check.remedy}"
        print_line(sys.stdout if check.ok else sys.stderr, text)
    raise typer.Exit(Exit.OK if all(check.ok for check in checks) else Exit.FAILED)


async def _check_online(loaded: Settings) -> int:
    loaded = supervisor.with_broker(loaded, patience=0)
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
    print_line(sys.stdout, ONLINE)
    return Exit.OK
