"""The bundle for a bug report: one zip file, without secrets."""

from __future__ import annotations

import asyncio
import io
import json
import os
import platform
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt import __version__
from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.doctor import check_store
from mediarip_mqtt.cli.doctor.findings import with_time_limit
from mediarip_mqtt.contract.errors import BrokerError, MediaripError
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.service import load_settings, redaction
from mediarip_mqtt.store.inspection import SQLITE_VERSION

SECONDS: Final = 30.0  # time limit of each part
LOG_LINES: Final = 2000
ERRORS: Final = 50
TOPICS: Final = ("status", "info", "state", "jobs", "ytdlp")  # retained, below the base topic


async def collect(
    report: Mapping[str, Any], loaded: Settings | None, config: Path | None, log: Path | None
) -> dict[str, str]:
    """Return the bundle's files by name; without ``loaded`` settings only those that need none."""
    secrets = redaction.secrets_of(loaded) if loaded else frozenset()
    contents: dict[str, Any] = {"doctor.json": report, "versions.json": versions()}
    if loaded is not None:
        contents["settings.json"] = settings(loaded, config)
        contents["mqtt.json"] = await _try(lambda: asyncio.run(_topics(reachable(loaded))))
        contents["errors.json"] = await _try(partial(_errors, loaded))
    files = {
        name: json.dumps(redaction.scrub(value, secrets), ensure_ascii=False, indent=2)
        for name, value in contents.items()
    }
    if log is not None:
        lines = await _try(partial(_last_lines, log))
        files["service.log"] = redaction.scrub_text(str(lines), secrets)
    return files


async def _try(collect_part: Callable[[], Any]) -> Any:
    try:
        return await with_time_limit(collect_part, "bundle", SECONDS)
    except (OSError, MediaripError) as error:
        return {"not_collected": str(error)}


def settings(loaded: Settings, config: Path | None) -> list[dict[str, Any]]:
    """Return each setting, its value without secrets, and its source."""
    origins = load_settings.origins(config)
    return [
        {"setting": ".".join(name), "value": value, "source": origins[name]}
        for name, value in redaction.shown_settings(loaded).items()
    ]


def versions() -> dict[str, Any]:
    """Return the versions of the service, Python, the system and all packages."""
    packages = {package.name: package.version for package in distributions()}
    return {
        "mediarip-mqtt": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "sqlite": SQLITE_VERSION,
        "packages": dict(sorted(packages.items())),
    }


async def _topics(mqtt: MqttSettings) -> dict[str, Any]:
    contents: dict[str, Any] = {}
    async with open_client(mqtt) as client:
        for name in TOPICS:
            payload = await client.retained(f"{client.topics.root}/{name}")
            text = (payload or b"").decode("utf-8", "replace")
            contents[name] = json.loads(text) if text.startswith("{") else text or None
    return contents


def _errors(loaded: Settings) -> Any:
    """Return the newest rows of the error log, from the service if it runs, else from the store."""
    try:
        reply = asyncio.run(_ask_errors(reachable(loaded)))
    except MediaripError:
        return check_store.newest_errors(loaded)
    return {key: reply.get(key) for key in ("errors", "unsupported_urls")}


async def _ask_errors(mqtt: MqttSettings) -> dict[str, Any]:
    async with open_client(mqtt) as client:
        await client.check_online()
        reply = await client.ask("errors", {"limit": ERRORS})
    if not reply.get("ok"):
        raise BrokerError("The service refused the command `errors`.")
    return reply


def _last_lines(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, LOG_LINES))


def write(path: Path, files: Mapping[str, str]) -> None:
    """Write a zip file that only its owner may read; raise `FileExistsError` if the path exists."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.getvalue())
