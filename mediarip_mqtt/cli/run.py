"""The command `run`: the service, with an embedded broker and a first download where asked."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mediarip_mqtt.cli.client import Outcome, Snapshot, download, reachable
from mediarip_mqtt.contract.errors import BrokerError, ConfigError, StoreInUseError
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.embedded_broker import EmbeddedBrokerInUseError, embedded_broker
from mediarip_mqtt.service import app
from mediarip_mqtt.volume.files import own_folder

READY_TIME: Final = 30.0  # seconds until the service must be online where a download waits for it

logger = logging.getLogger(__name__)


async def run(settings: Settings, *, embedded: bool, say: Callable[[str], None]) -> bool:
    """Run the service until a signal; ``say`` gets what a person may do next once it is up.

    Return whether the program shall start itself anew.
    """
    async with _broker(settings, embedded=embedded) as serving:
        ready = asyncio.Event()
        service = asyncio.create_task(app.serve(serving, ready=ready), name="service")
        try:
            await _first(service, asyncio.ensure_future(ready.wait()))
            if not service.done():
                say(welcome(serving))
            return await service
        finally:
            service.cancel()
            await asyncio.wait({service})


async def run_for(
    settings: Settings, url: str, *, embedded: bool, show: Callable[[Snapshot], None]
) -> Outcome | None:
    """Run the service for one download; None where a signal ended it before.

    Where a service already runs on this storage, that one gets the download.
    """
    arguments = {"url": url}
    try:
        async with _broker(_allow_host(settings, url), embedded=embedded) as serving:
            return await _serve_for(serving, arguments, show)
    except EmbeddedBrokerInUseError as error:
        if error.settings is None:
            raise
        reached = error.settings
    except StoreInUseError:
        reached = reachable(settings)
    logger.info("a service already runs on %s; it gets the download", settings.storage.root)
    return await download(reached, arguments, show)


async def _serve_for(
    settings: Settings, arguments: dict[str, Any], show: Callable[[Snapshot], None]
) -> Outcome | None:
    ready, stop = asyncio.Event(), asyncio.Event()
    service = asyncio.create_task(app.serve(settings, ready=ready, stop=stop), name="service")
    work: asyncio.Task[Outcome] | None = None
    try:
        await _first(service, asyncio.ensure_future(ready.wait()), seconds=READY_TIME)
        if not service.done() and not ready.is_set():
            raise BrokerError(
                f"The service did not get online within {READY_TIME:.0f} s: the broker at "
                f"{settings.mqtt.host}:{settings.mqtt.port} can't be used; the log tells why."
            )
        if not service.done():
            work = asyncio.create_task(download(settings.mqtt, arguments, show), name="download")
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
    """Wait for the first of two; raise what ended the service."""
    await asyncio.wait({service, other}, return_when=asyncio.FIRST_COMPLETED, timeout=seconds)
    if service.done():
        other.cancel()
        service.result()


@asynccontextmanager
async def _broker(settings: Settings, *, embedded: bool) -> AsyncIterator[Settings]:
    """Yield the settings to serve with, while the broker they name runs."""
    if not embedded:
        yield settings
        return
    if settings.mqtt.host not in {"localhost", "127.0.0.1"}:
        logger.warning("mqtt.host %s is not used: --embedded-broker is given", settings.mqtt.host)
    folder = own_folder(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"storage.root: {folder} can't be made: {error.strerror}. Check that this user may "
            "write there."
        ) from None
    async with embedded_broker(settings.mqtt, folder) as reached:
        yield settings.model_copy(update={"mqtt": reached})


def _allow_host(settings: Settings, url: str) -> Settings:
    """Allow the host of a URL that the operator typed himself, also where it is an inside one."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return settings  # the service says what is wrong with the URL
    if not host:
        return settings
    logger.info("%s is allowed for this run, as its URL was given on the command line", host)
    security = settings.security
    allowed = security.model_copy(update={"allowed_hosts": (*security.allowed_hosts, host)})
    return settings.model_copy(update={"security": allowed})


def welcome(settings: Settings) -> str:
    """Return what a person wants to know when the service is up, with commands to copy."""
    mqtt, topics = settings.mqtt, Topics(settings.mqtt.base_topic)
    program = program_name()
    host = "" if mqtt.host in {"127.0.0.1", "localhost"} else f" -h {mqtt.host}"
    port = "" if mqtt.port == MqttSettings().port else f" -p {mqtt.port}"
    lines = [
        "",
        "mediarip-mqtt is up. Ctrl-C ends it.",
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
    """Return how this program was called, to be typed again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{Path(sys.executable).name} -m mediarip_mqtt"
    if shutil.which(called.name) and Path(shutil.which(called.name) or "").samefile(called):
        return called.name
    try:
        return str(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(called)
