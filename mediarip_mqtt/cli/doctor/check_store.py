"""The store: a copy of it is inspected, unless a service uses the store."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.filesize import decimal

from mediarip_mqtt.cli.doctor.findings import CHECK_DISK, Finding, ok, problem, remedy_for, warning
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import health
from mediarip_mqtt.store import inspection
from mediarip_mqtt.store.migrations import migrations
from mediarip_mqtt.volume import files

SPARE: Final = 64 * 2**20  # bytes that must stay free in the temporary folder
ERRORS: Final = 50  # rows


@dataclass(frozen=True)
class Copied:
    """A copy of the store, or why there is none."""

    path: Path | None
    reason: str = ""


def look(settings: Settings) -> list[Finding]:
    """Check that the store is sound, and that this program knows its version."""
    path = _store_path(settings)
    if not path.exists():
        return [ok("store", "does not exist yet; the service creates it")]
    try:
        with copied(settings) as copy:
            if copy.path is None:
                return [ok("store", f"{path}, {copy.reason}")]
            where = f"{path}, {decimal(copy.path.stat().st_size)}"
            return [_judge(where, inspection.inspect(copy.path))]
    except StoreError as error:
        cause = error.__cause__
        remedy = remedy_for(cause) if isinstance(cause, OSError) else CHECK_DISK
        return [problem("store", f"{path}: {error.message}", remedy)]


def _store_path(settings: Settings) -> Path:
    return files.own_folder(settings) / "store.db"


@contextmanager
def copied(settings: Settings) -> Iterator[Copied]:
    """Copy the store to a temporary folder of this machine, unless a service uses it."""
    path = _store_path(settings)
    signs = health.read(health.signs_paths(settings))
    if signs is not None and health.runs(signs.pid):
        yield Copied(None, "in use by the service on this machine, which checks it at each start")
        return
    with tempfile.TemporaryDirectory(prefix="mediarip-doctor-") as folder:
        size = inspection.size(path)
        if size + SPARE > shutil.disk_usage(folder).free:
            yield Copied(None, f"not checked: {folder} has no room for a copy of {decimal(size)}")
            return
        copy = inspection.copy_without_locks(path, Path(folder))
        yield Copied(copy) if copy else Copied(None, "in use: it changed while it was copied")


def _judge(where: str, store: inspection.Inspection) -> Finding:
    newest = migrations()[-1][0]
    if store.holder:
        return ok("store", f"{where}, in use by a service on {store.holder}")
    if store.damage:
        remedy = (
            "At its start the service sets the store aside and restores the newest sound copy from "
            "`.mediarip/backups`. Check the disk."
        )
        return problem("store", f"{where}, is damaged ({store.damage[:100]})", remedy)
    if store.version > newest:
        remedy = "Run a newer mediarip-mqtt, or move the store away."
        found = f"{where}, has version {store.version}; this program knows {newest}"
        return problem("store", found, remedy)
    if store.version < newest:
        remedy = "At its start the service upgrades it, and keeps a copy in `.mediarip/backups`."
        return warning("store", f"{where}, sound, has the older version {store.version}", remedy)
    return ok("store", f"{where}, sound, version {store.version}")


def newest_errors(settings: Settings) -> dict[str, Any]:
    """Return the newest rows of the error log; empty without a store, and while it is in use."""
    if not _store_path(settings).exists():
        return {}
    with copied(settings) as copy:
        return {} if copy.path is None else inspection.newest_errors(copy.path, ERRORS)
