"""The command `check-config`."""

from __future__ import annotations

import json
import sys

from rich.table import Table

from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, fail, load, out, print_json
from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.engine import cookie_files
from mediarip_mqtt.service import load_settings, redaction, supervisor


def check_config(*, config: Config = None, as_json: AsJson = False) -> None:
    """Print the effective settings and their sources; exit code 2 if one is invalid.

    A flaw in the cookies file is a warning: the service starts without its cookies.
    """
    from mediarip_mqtt.engine import ytdlp_options  # noqa: PLC0415 - imports yt-dlp, which takes a second

    loaded = load(config, service=True)
    try:
        ytdlp_options.check_options(loaded.downloads)
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    origins = load_settings.origins(config)
    if supervisor.names_broker(load_settings.load(config)):
        origins |= {("mqtt", key): "the Supervisor" for key in supervisor.GIVEN}
    if problem := cookie_files.problem_of(loaded.downloads.cookies_file):
        print_line(sys.stderr, f"downloads.cookies_file: {problem}")
    rows = [
        (".".join(place), value, origins[place])
        for place, value in redaction.shown_settings(loaded).items()
    ]
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
        return
    if not out.is_terminal:
        for name, value, source in rows:
            print_line(sys.stdout, f"{name} = {json.dumps(value, ensure_ascii=False)}  # {source}")
        return
    table = Table("setting", "value", "from")
    for name, value, source in rows:
        table.add_row(name, json.dumps(value, ensure_ascii=False), source)
    out.print(table)
