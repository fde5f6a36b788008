"""The command line: one typer app that registers each command from its own module."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mediarip_mqtt import __version__
from mediarip_mqtt.cli import (
    add_download,
    check_config,
    export_import,
    healthcheck,
    homeassistant_install,
    manage_jobs,
    run,
    send_command,
    watch,
)
from mediarip_mqtt.cli.display import print_line
from mediarip_mqtt.cli.doctor.doctor_command import doctor
from mediarip_mqtt.cli.schema.schema_command import register

app = typer.Typer(
    name="mediarip-mqtt",
    help="Download with yt-dlp, controlled and monitored over MQTT.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    app()


def _version(value: bool) -> None:  # noqa: FBT001 - typer's signature
    if value:
        print_line(sys.stdout, __version__)
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command; typer shows the app's help instead of this text."""


app.command("run")(run.run)
app.command("check-config")(check_config.check_config)
app.command("download")(add_download.download)
app.command("watch")(watch.watch)
app.command("list")(manage_jobs.list_jobs)
app.command("cancel")(manage_jobs.cancel)
app.command("retry")(manage_jobs.retry)
app.command("purge")(manage_jobs.purge)
app.command("command")(send_command.send_command)
app.command("export")(export_import.export)
app.command("import")(export_import.import_file)
app.command("doctor")(doctor)
app.command("healthcheck")(healthcheck.healthcheck)
app.add_typer(homeassistant_install.app, name="homeassistant")
register(app)
