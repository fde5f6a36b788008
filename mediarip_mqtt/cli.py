"""The command line; see `mediarip-mqtt --help`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Coroutine, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mediarip_mqtt import (
    __version__,
    cli_history,
    commands,
    health,
    logs,
    presets,
    settings,
    start,
    wire,
    ytdlp_choice,
)
from mediarip_mqtt.client import Client, Outcome, accepted_job, decode, download, open_client
from mediarip_mqtt.display import JobTable, ProgressBar, clean, print_line, title_of
from mediarip_mqtt.errors import ConfigError, MediaripError
from mediarip_mqtt.models import MediaType, Priority
from mediarip_mqtt.settings import LogSettings, Settings

HIDDEN: Final = "***"
REFRESH: Final = 4  # times a second that the live table is drawn

app = typer.Typer(
    name="mediarip-mqtt",
    help="Downloads by yt-dlp, commanded and watched over MQTT.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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


def main() -> None:
    """Run the command line."""
    app()


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
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
    """Take what stands before the command; typer shows the app's own help instead of this."""


@app.command()
def run(
    *,
    config: Config = None,
    embedded_broker: Annotated[
        bool, typer.Option("--embedded-broker", help="Run a broker, too, for this machine only.")
    ] = False,
    download_url: Annotated[
        str | None,
        typer.Option("--download", metavar="URL", help="Download this, print its path, and end."),
    ] = None,
) -> None:
    """Run the service."""
    loaded = _load(config)
    fetched = start.fetched_folder(loaded)
    ytdlp_choice.use(fetched)
    if download_url is None:
        coroutine: Coroutine[Any, Any, int] = _serve(loaded, embedded=embedded_broker)
    else:
        coroutine = _serve_for(loaded, download_url, embedded=embedded_broker)
    try:
        _carry_out(coroutine)
    except typer.Exit as end:
        if end.exit_code == Exit.ANEW:
            ytdlp_choice.switch(fetched)
        if end.exit_code != Exit.CONFIG:  # a new yt-dlp may refuse an option of the old one
            ytdlp_choice.forgive(fetched)
        raise


async def _serve(loaded: Settings, *, embedded: bool) -> int:
    def say(text: str) -> None:
        print_line(sys.stdout, text)

    anew = await start.run(loaded, embedded=embedded, say=say)
    return Exit.ANEW if anew else Exit.OK


async def _serve_for(loaded: Settings, url: str, *, embedded: bool) -> int:
    with ProgressBar(err) as bar:
        outcome = await start.run_for(loaded, url, embedded=embedded, show=bar.show)
    if outcome is None:
        print_line(sys.stderr, "Stopped; the next start goes on with the download.")
        return Exit.INTERRUPTED
    return _tell(outcome)


@app.command(name="check-config")
def check_config(*, config: Config = None, as_json: AsJson = False) -> None:
    """Print the settings in force and where each comes from; exit code 2 where one is wrong."""
    loaded = _load(config)
    origins = settings.origins(config)
    rows = [
        (f"{section}.{key}", _shown(getattr(getattr(loaded, section), key)), origins[section, key])
        for section, cls in settings.sections()
        for key in cls.model_fields
    ]
    if as_json:
        _print_json({name: {"value": value, "source": source} for name, value, source in rows})
        return
    if not out.is_terminal:
        for name, value, source in rows:
            print_line(sys.stdout, f"{name} = {json.dumps(value, ensure_ascii=False)}  # {source}")
        return
    table = Table("setting", "value", "from")
    for name, value, source in rows:
        table.add_row(name, json.dumps(value, ensure_ascii=False), source)
    out.print(table)


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


@app.command(name="download")
def download_command(  # noqa: PLR0913 - the options of a download
    url: Annotated[str, typer.Argument(help="A URL, or search words in quotes.")],
    *,
    preset: Annotated[str | None, typer.Option(help="Name of a preset.")] = None,
    quality: Annotated[str | None, typer.Option(help="Greatest height: 1080p, or best.")] = None,
    format_id: Annotated[str | None, typer.Option(help="A format that `probe` named.")] = None,
    audio: Annotated[bool, typer.Option("--audio", help="Only the sound.")] = False,
    output_format: Annotated[
        str | None, typer.Option(help="mp4, mkv, mp3, m4a, opus or flac.")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Folder below the storage root.")] = None,
    playlist_items: Annotated[str | None, typer.Option(help="Items to take: 1:5,8.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Who goes first.")] = None,
    category: Annotated[str | None, typer.Option(help="A category of your own.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Acts only once.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Download over the running service; exit code 0 only if the file is there."""
    loaded = _load(config, quiet=True)
    arguments = {
        ("url" if commands.repair_url(url) else "query"): url,
        "preset": preset,
        "quality": quality,
        "format_id": format_id,
        "media_type": MediaType.AUDIO if audio else None,
        "output_format": output_format,
        "folder": folder,
        "playlist_items": playlist_items,
        "priority": priority,
        "category": category,
        "request_id": request_id,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    _carry_out(_download(loaded, given, as_json=as_json, wait=wait))


async def _download(
    loaded: Settings, arguments: Mapping[str, Any], *, as_json: bool, wait: bool
) -> int:
    mqtt = start.reachable(loaded)
    if not wait:
        async with open_client(mqtt) as client:
            await client.check_online()
            reply = await client.ask("download", arguments)
        if as_json:
            _print_json(reply)
            return Exit.OK if reply.get("ok") else Exit.FAILED
        print_line(sys.stdout, str(accepted_job(reply)["id"]))
        return Exit.OK
    if as_json:
        return _tell(await download(mqtt, arguments, lambda _: None), as_json=True)
    with ProgressBar(err) as bar:
        try:
            outcome = await download(mqtt, arguments, bar.show)
        except asyncio.CancelledError:
            if bar.job_id:
                err.print(f"The service goes on with it; `command cancel {bar.job_id}` stops it.")
            raise
    return _tell(outcome)


def _tell(outcome: Outcome, *, as_json: bool = False) -> int:
    """Print how a download ended: its path last, so that a script finds it."""
    job = outcome.job
    if as_json:
        _print_json({**job, "path": str(outcome.path) if outcome.path else None})
    elif outcome.completed and outcome.path:
        print_line(sys.stdout, str(outcome.path))
    else:
        reason = f": {clean(job['error_message'])}" if job.get("error_message") else "."
        code = f" ({job['error_code']})" if job.get("error_code") else ""
        print_line(sys.stderr, f"{title_of(job)}: {job.get('status')}{reason}{code}")
    return Exit.OK if outcome.completed else Exit.FAILED


@app.command()
def watch(*, as_json: AsJson = False, config: Config = None) -> None:
    """Show all jobs, live; Ctrl-C ends it."""
    _carry_out(_watch(_load(config, quiet=True), as_json=as_json))


async def _watch(loaded: Settings, *, as_json: bool) -> int:
    mqtt = start.reachable(loaded)
    async with open_client(mqtt) as client:
        topics = client.topics
        # A table needs only what is retained; programs get all there is.
        wanted = [topics.status, topics.state, topics.job_state("+"), topics.job_progress("+")]
        await client.subscribe(*wanted, *([topics.event, topics.response] if as_json else []))
        if as_json:
            while True:
                message = await client.receive()
                text = message.payload.decode("utf-8", "replace")
                line = {"topic": message.topic, "payload": decode(message.payload) or text}
                print_line(sys.stdout, wire.dumps(line))
        await _watch_table(client)
    return Exit.OK


async def _watch_table(client: Client) -> None:
    table = JobTable()
    if not out.is_terminal:
        while True:
            job = await _take(client, table)
            if job:
                line = f"{job.get('status'):<12} {job.get('id')}  {title_of(job)}"
                reason = clean(job.get("error_message"))
                print_line(sys.stdout, f"{line}  {reason}".rstrip())
    with Live(
        get_renderable=lambda: table.render(max(3, out.height - 6)),
        console=out,
        refresh_per_second=REFRESH,
        screen=True,
    ):
        while True:
            await _take(client, table)


async def _take(client: Client, table: JobTable) -> Mapping[str, Any] | None:
    """Take one message over; return the job whose status it changed."""
    message, topics = await client.receive(), client.topics
    if message.topic == topics.status:
        table.online = message.payload == wire.ONLINE.encode()
    elif message.topic == topics.state:
        table.state = decode(message.payload)
    elif (place := topics.parse_job(message.topic)) is not None:
        job_id, kind = place
        content = decode(message.payload)
        if kind == "progress":
            table.update_progress(job_id, content)
        else:
            before = table.jobs.get(job_id, {}).get("status")
            table.update_job(job_id, content)
            return content if content and content.get("status") != before else None
    return None


@app.command()
def command(
    name: Annotated[str, typer.Argument(help="Its name: list, get, cancel, pause, settings, ...")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JSON | KEY=VALUE... | ID]", help="What it is to act on."),
    ] = None,
    *,
    config: Config = None,
) -> None:
    """Send any command and print its reply as JSON; exit code 1 where it is refused."""
    loaded = _load(config, quiet=True)
    _carry_out(_command(loaded, name, _arguments(name, arguments or [])))


async def _command(loaded: Settings, name: str, arguments: Mapping[str, Any]) -> int:
    async with open_client(start.reachable(loaded)) as client:
        await client.check_online()
        reply = await client.ask(name, arguments)
    _print_json(reply)
    return Exit.OK if reply.get("ok") else Exit.FAILED


def _arguments(name: str, words: list[str]) -> dict[str, Any]:
    """Return a command's arguments from JSON, from ``key=value`` words, or its main one alone."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            value = json.loads(words[0])
        except ValueError as error:
            _fail(f"The argument is not valid JSON: {error}", Exit.CONFIG)
        return dict(value)
    main = commands.MAIN_ARGUMENT.get(name) or "id"
    if len(words) == 1 and (main == "url" or "=" not in words[0]):
        return {main: words[0]}
    given = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            _fail(f"{word!r} is not KEY=VALUE.", Exit.CONFIG)
        given[key] = _value(text, as_json=name == "settings")
    return given


def _value(text: str, *, as_json: bool) -> Any:
    """Return a value as JSON where it can't be meant as text; the service converts numbers."""
    if as_json or text in {"true", "false", "null"} or text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


@app.command()
def healthcheck(*, config: Config = None) -> None:
    """Tell what of the service is well; exit code 1 where something is not; for containers."""
    loaded = _load(config, quiet=True)
    signs = health.read(health.place(loaded))
    if signs is None:  # not on this machine: the broker knows
        _carry_out(_healthcheck(loaded))
    checks = health.examine(signs, time.monotonic())
    for one in checks:
        text = f"{one.name}: {'ok' if one.ok else one.remedy}"
        print_line(sys.stdout if one.ok else sys.stderr, text)
    raise typer.Exit(Exit.OK if all(one.ok for one in checks) else Exit.FAILED)


async def _healthcheck(loaded: Settings) -> int:
    async with open_client(start.reachable(loaded)) as client:
        await client.check_online()
    print_line(sys.stdout, wire.ONLINE)
    return Exit.OK


def _load(config: Path | None, *, quiet: bool = False) -> Settings:
    """Return the settings, with the log set up; end with exit code 2 where they are wrong."""
    try:
        loaded = settings.load(config)
        presets.check_presets(loaded.downloads)
    except ConfigError as error:
        _fail(error.message, Exit.CONFIG)
    password = loaded.mqtt.password
    log = LogSettings(level="warning", format=loaded.log.format) if quiet else loaded.log
    logs.configure(log, secrets=[password.get_secret_value()] if password else [], console=err)
    return loaded


def _carry_out(coroutine: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its exit code; what went wrong is told without a traceback."""
    try:
        code = asyncio.run(coroutine)
    except ConfigError as error:
        _fail(error.message, Exit.CONFIG)
    except MediaripError as error:
        _fail(error.message, Exit.FAILED)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # what reads our output has gone
        sys.stdout = None  # its flush at exit would fail again
        code = Exit.OK
    raise typer.Exit(code)


def _fail(message: str, code: Exit) -> NoReturn:
    print_line(sys.stderr, logs.redact(message))
    raise typer.Exit(code)


cli_history.register(app, lambda config: _load(config, quiet=True), _carry_out)


def _print_json(value: Mapping[str, Any]) -> None:
    print_line(sys.stdout, json.dumps(value, ensure_ascii=False, indent=2, default=str))
