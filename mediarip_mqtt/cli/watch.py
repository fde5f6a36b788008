"""The command `watch`: a live table of all jobs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.live import Live

from mediarip_mqtt.cli.client import Client, decode, open_client, reachable
from mediarip_mqtt.cli.display import JobTable, plain_line, print_line
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, carry_out, load, out
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ONLINE, dumps

REFRESH: Final = 4  # redraws of the live table per second


def watch(*, as_json: AsJson = False, config: Config = None) -> None:
    """Show all jobs live until Ctrl-C."""
    carry_out(_watch(load(config, quiet=True), as_json=as_json))


async def _watch(loaded: Settings, *, as_json: bool) -> int:
    mqtt = reachable(loaded)
    async with open_client(mqtt) as client:
        topics = client.topics
        # The table needs retained topics only; programs also get events and replies.
        wanted = [topics.status, topics.state, topics.job_state("+"), topics.job_progress("+")]
        await client.subscribe(*wanted, *([topics.event, topics.response] if as_json else []))
        if as_json:
            while True:
                message = await client.receive()
                text = message.payload.decode("utf-8", "replace")
                line = {"topic": message.topic, "payload": decode(message.payload) or text}
                print_line(sys.stdout, dumps(line))
        await _watch_table(client)
    return Exit.OK


async def _watch_table(client: Client) -> None:
    table = JobTable()
    if not out.is_terminal:
        while True:
            job = await _update(client, table)
            if job:
                print_line(sys.stdout, plain_line(job))
    with Live(
        get_renderable=lambda: table.render(max(3, out.height - 6)),
        console=out,
        refresh_per_second=REFRESH,
        screen=True,
    ):
        while True:
            await _update(client, table)


async def _update(client: Client, table: JobTable) -> Mapping[str, Any] | None:
    """Apply the next message to the table; return the job if its status changed."""
    message, topics = await client.receive(), client.topics
    if message.topic == topics.status:
        table.online = message.payload == ONLINE.encode()
    elif message.topic == topics.state:
        table.state = decode(message.payload)
    elif (parsed := topics.parse_job(message.topic)) is not None:
        job_id, kind = parsed
        content = decode(message.payload)
        if kind == "progress":
            table.update_progress(job_id, content)
        else:
            before = table.jobs.get(job_id, {}).get("status")
            table.update_job(job_id, content)
            return content if content and content.get("status") != before else None
    return None
