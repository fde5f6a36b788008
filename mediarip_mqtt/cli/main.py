"""The command line; see `mediarip-mqtt --help`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Coroutine, Mapping
from typing import Annotated, Any, Final

import typer
from rich.live import Live
from rich.table import Table

from mediarip_mqtt import __version__
from mediarip_mqtt.cli import completion, export_import, manage_jobs
from mediarip_mqtt.cli.client import (
    Client,
    Outcome,
    accepted_job,
    decode,
    download,
    open_client,
    reachable,
)
from mediarip_mqtt.cli.display import JobTable, ProgressBar, clean, plain_line, print_line, title_of
from mediarip_mqtt.cli.doctor.command import doctor
from mediarip_mqtt.cli.schema.command import register
from mediarip_mqtt.cli.terminal import (
    AsJson,
    Config,
    Exit,
    carry_out,
    err,
    fail,
    load,
    out,
    print_json,
)
from mediarip_mqtt.commands.plain_text import repair_url
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract.media_options import MediaType
from mediarip_mqtt.contract.models import Priority
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ONLINE, dumps
from mediarip_mqtt.service import health, load_settings, redaction, supervisor, ytdlp_version
from mediarip_mqtt.volume import files

REFRESH: Final = 4  # times a second that the live table is drawn

app = typer.Typer(
    name="mediarip-mqtt",
    help="Downloads by yt-dlp, commanded and watched over MQTT.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register(app)


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
    loaded = load(config)
    fetched = files.fetched_folder(loaded)
    ytdlp_version.use(fetched)
    if download_url is None:
        coroutine: Coroutine[Any, Any, int] = _serve(loaded, embedded=embedded_broker)
    else:
        coroutine = _serve_for(loaded, download_url, embedded=embedded_broker)
    try:
        carry_out(coroutine)
    except typer.Exit as end:
        if end.exit_code == Exit.ANEW:
            ytdlp_version.switch(fetched)
        if end.exit_code != Exit.CONFIG:  # a new yt-dlp may refuse an option of the old one
            ytdlp_version.forgive(fetched)
        raise


async def _serve(loaded: Settings, *, embedded: bool) -> int:
    from mediarip_mqtt.cli import run as start  # noqa: PLC0415 - with yt-dlp: a second that no other command needs

    def say(text: str) -> None:
        print_line(sys.stdout, text)

    anew = await start.run(loaded, embedded=embedded, say=say)
    return Exit.ANEW if anew else Exit.OK


async def _serve_for(loaded: Settings, url: str, *, embedded: bool) -> int:
    from mediarip_mqtt.cli import run as start  # noqa: PLC0415 - the same

    with ProgressBar(err) as bar:
        outcome = await start.run_for(loaded, url, embedded=embedded, show=bar.show)
    if outcome is None:
        print_line(sys.stderr, "Stopped; the next start goes on with the download.")
        return Exit.INTERRUPTED
    return _tell(outcome)


@app.command(name="check-config")
def check_config(*, config: Config = None, as_json: AsJson = False) -> None:
    """Print the settings in force and where each comes from; exit code 2 where one is wrong."""
    loaded = load(config)
    origins = load_settings.origins(config)
    if supervisor.names_broker(load_settings.load(config)):
        origins |= {("mqtt", key): "the Supervisor" for key in supervisor.GIVEN}
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


@app.command(name="download")
def download_command(  # noqa: PLR0913 - the options of a download
    url: Annotated[str, typer.Argument(help="A URL, or search words in quotes.")],
    *,
    preset: Annotated[
        str | None, typer.Option(help="Name of a preset.", autocompletion=completion.presets)
    ] = None,
    quality: Annotated[str | None, typer.Option(help="Greatest height: 1080p, or best.")] = None,
    format_id: Annotated[str | None, typer.Option(help="A format that `probe` named.")] = None,
    audio: Annotated[bool, typer.Option("--audio", help="Only the sound.")] = False,
    output_format: Annotated[
        str | None, typer.Option(help="mp4, mkv, mp3, m4a, opus or flac.")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Folder below the storage root.")] = None,
    playlist_items: Annotated[str | None, typer.Option(help="Items to take: 1:5,8.")] = None,
    subtitles: Annotated[str | None, typer.Option(help="Languages: en,de.")] = None,
    sponsorblock: Annotated[str | None, typer.Option(help="mark or remove.")] = None,
    embed: Annotated[str | None, typer.Option(help="metadata,chapters,thumbnail.")] = None,
    split_chapters: Annotated[
        bool, typer.Option("--split-chapters", help="A file for each chapter, too.")
    ] = False,
    rate_limit: Annotated[str | None, typer.Option(help="Bytes per second: 2M.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Who goes first.")] = None,
    category: Annotated[str | None, typer.Option(help="A category of your own.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Acts only once.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Download over the running service; exit code 0 only if the file is there."""
    loaded = load(config, quiet=True)
    arguments = {
        ("url" if repair_url(url) else "query"): url,
        "preset": preset,
        "quality": quality,
        "format_id": format_id,
        "media_type": MediaType.AUDIO if audio else None,
        "output_format": output_format,
        "folder": folder,
        "playlist_items": playlist_items,
        "subtitles": subtitles,
        "sponsorblock": sponsorblock,
        "embed": embed,
        "split_chapters": split_chapters or None,
        "rate_limit": rate_limit,
        "priority": priority,
        "category": category,
        "request_id": request_id,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    carry_out(_download(loaded, given, as_json=as_json, wait=wait))


async def _download(
    loaded: Settings, arguments: Mapping[str, Any], *, as_json: bool, wait: bool
) -> int:
    mqtt = reachable(loaded)
    if not wait:
        async with open_client(mqtt) as client:
            await client.check_online()
            reply = await client.ask("download", arguments)
        if as_json:
            print_json(reply)
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
        print_json({**job, "path": str(outcome.path) if outcome.path else None})
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
    carry_out(_watch(load(config, quiet=True), as_json=as_json))


async def _watch(loaded: Settings, *, as_json: bool) -> int:
    mqtt = reachable(loaded)
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
                print_line(sys.stdout, dumps(line))
        await _watch_table(client)
    return Exit.OK


async def _watch_table(client: Client) -> None:
    table = JobTable()
    if not out.is_terminal:
        while True:
            job = await _take(client, table)
            if job:
                print_line(sys.stdout, plain_line(job))
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
        table.online = message.payload == ONLINE.encode()
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


app.command(name="list")(manage_jobs.list_jobs)
app.command()(manage_jobs.cancel)
app.command()(manage_jobs.retry)
app.command()(manage_jobs.purge)


@app.command()
def command(
    name: Annotated[
        str,
        typer.Argument(
            help="Its name: list, get, cancel, pause, settings, ...",
            autocompletion=completion.command_names,
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JSON | KEY=VALUE... | ID]", help="What it is to act on."),
    ] = None,
    *,
    config: Config = None,
) -> None:
    """Send any command and print its reply as JSON; exit code 1 where it is refused."""
    loaded = load(config, quiet=True)
    carry_out(_command(loaded, name, _arguments(name, arguments or [])))


async def _command(loaded: Settings, name: str, arguments: Mapping[str, Any]) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        reply = await client.ask(name, arguments)
    print_json(reply)
    return Exit.OK if reply.get("ok") else Exit.FAILED


def _arguments(name: str, words: list[str]) -> dict[str, Any]:
    """Return a command's arguments from JSON, from ``key=value`` words, or its main one alone."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            value = json.loads(words[0])
        except ValueError as error:
            fail(f"The argument is not valid JSON: {error}", Exit.CONFIG)
        return dict(value)
    main = (CLASSES[name].main_argument if name in CLASSES else None) or "id"
    if len(words) == 1 and (main == "url" or "=" not in words[0]):
        return {main: words[0]}
    given = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            fail(f"{word!r} is not KEY=VALUE.", Exit.CONFIG)
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


app.command()(doctor)
app.command(name="export")(export_import.export)
app.command(name="import")(export_import.import_file)


@app.command()
def healthcheck(*, config: Config = None) -> None:
    """Tell what of the service is well; exit code 1 where something is not; for containers."""
    loaded = load(config, quiet=True, broker=False)
    signs = health.read(health.place(loaded))
    if signs is None:  # not on this machine: the broker knows
        carry_out(_healthcheck(loaded))
    checks = health.examine(signs, time.monotonic())
    for one in checks:
        text = f"{one.name}: {'ok' if one.ok else one.remedy}"
        print_line(sys.stdout if one.ok else sys.stderr, text)
    raise typer.Exit(Exit.OK if all(one.ok for one in checks) else Exit.FAILED)


async def _healthcheck(loaded: Settings) -> int:
    loaded = supervisor.with_broker(loaded, patience=0)
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
    print_line(sys.stdout, ONLINE)
    return Exit.OK
