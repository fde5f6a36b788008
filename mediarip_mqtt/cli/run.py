"""The command `run`: the service, with an embedded broker or a single download if requested."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from mediarip_mqtt import threads
from mediarip_mqtt.cli.add_download import Outcome, add_and_follow, print_outcome
from mediarip_mqtt.cli.client import reachable
from mediarip_mqtt.cli.display import ProgressBar, print_line
from mediarip_mqtt.cli.terminal import Config, Exit, carry_out, err, load
from mediarip_mqtt.contract.errors import BrokerError, StoreInUseError
from mediarip_mqtt.contract.settings import LogSettings, MqttSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.embedded_broker import EmbeddedBrokerInUseError, embedded_broker
from mediarip_mqtt.service import load_settings, logs, ytdlp_version
from mediarip_mqtt.service.json_output import json_alone
from mediarip_mqtt.service.storage import prepare_folders
from mediarip_mqtt.volume import files

READY_TIME: Final = 30.0  # seconds that `--download` waits for the service to be online

logger = logging.getLogger(__name__)


def run(
    *,
    config: Config = None,
    embedded: Annotated[
        bool,
        typer.Option("--embedded-broker", help="Also run a broker, for this machine only."),
    ] = False,
    download_url: Annotated[
        str | None,
        typer.Option("--download", metavar="URL", help="Download this URL, print its path, exit."),
    ] = None,
) -> None:
    """Run the service."""
    if load_settings.log_format(config) == "json":
        logs.configure(LogSettings(format="json"))
        with json_alone(stdout=download_url is None):
            _run_command(config, download_url, embedded=embedded)
    _run_command(config, download_url, embedded=embedded)


def _run_command(config: Path | None, download_url: str | None, *, embedded: bool) -> None:
    loaded = load(config, service=True)
    fetched = files.fetched_folder(loaded)
    ytdlp_version.use(fetched, files.own_folder(loaded) / "lock")
    coroutine: Coroutine[Any, Any, int]
    if download_url is None:
        coroutine = _run(loaded, embedded=embedded)
    else:
        coroutine = _download(loaded, download_url, embedded=embedded)
    try:
        carry_out(coroutine)
    except typer.Exit as end:
        if end.exit_code == Exit.RESTART:
            ytdlp_version.switch(fetched)
        if (
            end.exit_code != Exit.CONFIG
        ):  # a new yt-dlp may reject an option that the old one accepted
            ytdlp_version.forgive(fetched)
        raise


async def _serve(
    settings: Settings, ready: asyncio.Event, stop: asyncio.Event | None = None
) -> bool:
    """Run the service until a signal, or ``stop``; return whether to restart the process."""
    from mediarip_mqtt.service import app  # noqa: PLC0415 - imports yt-dlp, which takes a second

    return await app.serve(settings, ready=ready, stop=stop)


async def _run(settings: Settings, *, embedded: bool) -> int:
    async with _broker(settings, embedded=embedded) as serving:
        ready = asyncio.Event()
        service = asyncio.create_task(_serve(serving, ready), name="service")
        try:
            await _first(service, asyncio.create_task(ready.wait(), name="ready"))
            if not service.done():
                _say_ready(serving)
            return Exit.RESTART if await service else Exit.OK
        finally:
            service.cancel()
            await asyncio.wait({service})


async def _download(settings: Settings, url: str, *, embedded: bool) -> int:
    with ProgressBar(err) as bar:
        outcome = await _run_for(settings, url, bar, embedded=embedded)
    if outcome is None:
        print_line(sys.stderr, "Stopped; the download continues at the next start.")
        return Exit.INTERRUPTED
    return print_outcome(outcome)


async def _run_for(
    settings: Settings, url: str, bar: ProgressBar, *, embedded: bool
) -> Outcome | None:
    """Run the service for one download; return None if a signal stopped it.

    If a service already runs on this storage, send it the download instead.
    """
    arguments = {"url": url}
    try:
        async with _broker(_allow_host(settings, url), embedded=embedded) as serving:
            return await _serve_for(serving, arguments, bar)
    except EmbeddedBrokerInUseError as error:
        if error.settings is None:
            raise
        reached = error.settings
    except StoreInUseError:
        reached = reachable(settings)
    logger.info("a service already runs on %s; sending it the download", settings.storage.root)
    return await add_and_follow(reached, arguments, bar.show)


async def _serve_for(
    settings: Settings, arguments: dict[str, Any], bar: ProgressBar
) -> Outcome | None:
    ready, stop = asyncio.Event(), asyncio.Event()
    service = asyncio.create_task(_serve(settings, ready, stop), name="service")
    work: asyncio.Task[Outcome] | None = None
    try:
        online = asyncio.create_task(ready.wait(), name="ready")
        await _first(service, online, seconds=READY_TIME)
        if not service.done() and not ready.is_set():
            raise BrokerError(
                f"The service did not get online within {READY_TIME:.0f} s: the broker at "
                f"{settings.mqtt.host}:{settings.mqtt.port} can't be used; see the log."
            )
        if not service.done():
            work = asyncio.create_task(
                add_and_follow(settings.mqtt, arguments, bar.show), name="download"
            )
            await _first(service, work)
        if work is not None and work.done():
            return work.result()
        return None
    finally:
        if work is not None:
            work.cancel()
        stop.set()
        await service


async def _first(
    service: asyncio.Task[bool], other: asyncio.Future[Any], seconds: float | None = None
) -> None:
    """Wait until either is done; raise the service's exception if it failed."""
    await asyncio.wait({service, other}, return_when=asyncio.FIRST_COMPLETED, timeout=seconds)
    if service.done():
        other.cancel()
        service.result()


@asynccontextmanager
async def _broker(settings: Settings, *, embedded: bool) -> AsyncIterator[Settings]:
    """Yield the settings to serve with; keep the embedded broker running meanwhile."""
    if not embedded:
        yield settings
        return
    if settings.mqtt.host not in {"localhost", "127.0.0.1"}:
        logger.warning("mqtt.host %s is ignored: --embedded-broker is given", settings.mqtt.host)
    folder = files.own_folder(settings)
    await threads.call(prepare_folders, settings.storage, folder.parent, folder)
    async with embedded_broker(settings.mqtt, folder) as reached:
        yield settings.model_copy(update={"mqtt": reached})


def _allow_host(settings: Settings, url: str) -> Settings:
    """Allow the host of a URL that the operator typed, even an internal one."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return settings  # the service reports what is wrong with the URL
    if not host:
        return settings
    logger.info("%s is allowed for this run: its URL was given on the command line", host)
    security = settings.security
    allowed = security.model_copy(update={"allowed_hosts": (*security.allowed_hosts, host)})
    return settings.model_copy(update={"security": allowed})


def _say_ready(settings: Settings) -> None:
    if logs.is_only_output():
        root = settings.storage.root.expanduser().absolute()
        logger.info("mediarip-mqtt is up; files go to %s", root)
    else:
        print_line(sys.stdout, welcome(settings))


def welcome(settings: Settings) -> str:
    """Return the text printed once the service is online, with commands to copy."""
    mqtt, topics = settings.mqtt, Topics(settings.mqtt.base_topic)
    program = program_name()
    host = "" if mqtt.host in {"127.0.0.1", "localhost"} else f" -h {mqtt.host}"
    port = "" if mqtt.port == MqttSettings().port else f" -p {mqtt.port}"
    lines = [
        "",
        "mediarip-mqtt is up. Press Ctrl-C to stop it.",
        f"  broker  {mqtt.host}:{mqtt.port}, topics below {mqtt.base_topic}/",
        f"  files   {settings.storage.root.expanduser().absolute()}",
        "In another terminal:",
        f"  {program} download https://...",
        f"  {program} watch",
    ]
    if mqtt.username is None and not mqtt.tls:
        publish = f"  mosquitto_pub{host}{port} -t {topics.command} -m 'https://...'"
        if shutil.which("mosquitto_pub") is None:
            publish += "   (Debian's package mosquitto-clients)"
        lines.append(publish)
    return "\n".join([*lines, ""])


def program_name() -> str:
    """Return the command that runs this program, for the user to copy."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{Path(sys.executable).name} -m mediarip_mqtt"
    if shutil.which(called.name) and Path(shutil.which(called.name) or "").samefile(called):
        return called.name
    try:
        return str(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(called)
