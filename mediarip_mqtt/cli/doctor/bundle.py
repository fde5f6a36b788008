"""What a report of a fault needs, in one zip file, without secrets."""

from __future__ import annotations

import asyncio
import io
import json
import os
import platform
import sqlite3
import sys
import zipfile
from collections import deque
from collections.abc import Mapping
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt import __version__
from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.doctor import check_store
from mediarip_mqtt.cli.doctor.findings import attempt
from mediarip_mqtt.contract.errors import BrokerError, MediaripError
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.service import load_settings, redaction

SECONDS: Final = 30.0
LOG_LINES: Final = 2000
ERRORS: Final = 50
TOPICS: Final = ("status", "info", "state", "jobs", "ytdlp")  # below the base topic; no reply


async def collect(
    report: Mapping[str, Any], loaded: Settings | None, config: Path | None, log: Path | None
) -> dict[str, str]:
    """Return the bundle's files by name; of a configuration that is wrong only what is known."""
    secrets = redaction.secrets_of(loaded) if loaded else frozenset()
    contents: dict[str, Any] = {"doctor.json": report, "versions.json": versions()}
    if loaded is not None:
        contents["settings.json"] = settings(loaded, config)
        for name, look in {
            "mqtt.json": lambda: asyncio.run(_topics(reachable(loaded))),
            "errors.json": partial(_errors, loaded),
        }.items():
            contents[name] = await _try(look)
    files = {
        name: json.dumps(redaction.scrub(value, secrets), ensure_ascii=False, indent=2)
        for name, value in contents.items()
    }
    if log is not None:
        lines = await _try(partial(_last_lines, log))
        files["service.log"] = redaction.scrub_text(str(lines), secrets)
    return files


async def _try(look: Any) -> Any:
    try:
        return await attempt(look, "bundle", SECONDS)
    except (OSError, MediaripError, sqlite3.Error) as error:
        return {"not_collected": str(error)}


def settings(loaded: Settings, config: Path | None) -> list[dict[str, Any]]:
    """Return each setting in force, without secrets, with where it comes from."""
    origins = load_settings.origins(config)
    return [
        {"setting": ".".join(place), "value": value, "source": origins[place]}
        for place, value in redaction.shown_settings(loaded).items()
    ]


def versions() -> dict[str, Any]:
    """Return the versions of all that the service runs on."""
    packages = {one.name: one.version for one in distributions()}
    return {
        "mediarip-mqtt": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
        "packages": dict(sorted(packages.items())),
    }


async def _topics(mqtt: MqttSettings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with open_client(mqtt) as client:
        for name in TOPICS:
            payload = await client.retained(f"{client.topics.root}/{name}")
            text = (payload or b"").decode("utf-8", "replace")
            found[name] = json.loads(text) if text.startswith("{") else text or None
    return found


def _errors(loaded: Settings) -> Any:
    """Return the newest rows of the error log: from the service, else from the store."""
    try:
        reply = asyncio.run(_ask_errors(reachable(loaded)))
    except MediaripError:
        return check_store.errors(loaded)
    return {key: reply.get(key) for key in ("errors", "unsupported_urls")}


async def _ask_errors(mqtt: MqttSettings) -> dict[str, Any]:
    async with open_client(mqtt) as client:
        await client.check_online()
        reply = await client.ask("errors", {"limit": ERRORS})
    if not reply.get("ok"):
        raise BrokerError("refused")
    return reply


def _last_lines(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, LOG_LINES))


def write(path: Path, files: Mapping[str, str]) -> None:
    """Write a zip file that only its owner may read; raise `FileExistsError` where one is there."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.getvalue())
