"""The store that is there already: looked at in a copy, and not at all while a service uses it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.filesize import decimal

from mediarip_mqtt.cli.doctor.findings import Finding, ok, problem, warning
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import health
from mediarip_mqtt.store.database import migrations
from mediarip_mqtt.volume import files

SPARE: Final = 64 * 2**20  # bytes that a copy must leave free
FRESH: Final = timedelta(minutes=1)  # a lease's heartbeat of a service that lives
ERRORS: Final = 50


@dataclass(frozen=True)
class Copied:
    """A copy of the store, or why there is none."""

    path: Path | None
    reason: str = ""


def look(settings: Settings) -> list[Finding]:
    """Look whether the store is sound, and of a version that this program knows."""
    path = files.own_folder(settings) / "store.db"
    if not path.exists():
        return [ok("store", "there is none yet; the service begins one")]
    with copied(settings) as copy:
        if copy.path is None:
            return [ok("store", f"{path}, {copy.reason}")]
        return [_examine(path, copy.path)]


@contextmanager
def copied(settings: Settings) -> Iterator[Copied]:
    """Copy the store that no service uses to this machine.

    No lock is taken: it could be in the way of a service that starts at this moment. So a copy made
    while somebody wrote is thrown away.
    """
    path = files.own_folder(settings) / "store.db"
    signs = health.read(health.signs_path(settings))
    if signs is not None and health.runs(signs.pid):
        yield Copied(None, "in use by the service on this machine, which checks it at each start")
        return
    with tempfile.TemporaryDirectory(prefix="mediarip-doctor-") as folder:
        size = path.stat().st_size
        if size + SPARE > shutil.disk_usage(folder).free:
            yield Copied(None, f"not looked at: no room in {folder} for a copy of {decimal(size)}")
            return
        before, target = _state(path), Path(folder) / "store.db"
        for suffix in ("", "-wal", "-journal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, target.with_name(target.name + suffix))
        if _state(path) != before:
            yield Copied(None, "in use: it changed while it was looked at")
            return
        yield Copied(target)


def _state(path: Path) -> list[tuple[int, int] | None]:
    found = []
    for suffix in ("", "-wal", "-journal"):
        one = path.with_name(path.name + suffix)
        state = one.stat() if one.exists() else None
        found.append((state.st_mtime_ns, state.st_size) if state else None)
    return found


def _examine(path: Path, copy: Path) -> Finding:
    newest = migrations()[-1][0]
    where = f"{path}, {decimal(copy.stat().st_size)}"
    try:
        with closing(sqlite3.connect(copy)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            holder = _holder(connection) if version else None
    except sqlite3.DatabaseError as error:
        answer, version, holder = str(error), 0, None
    if holder:
        return ok("store", f"{where}, in use by a service on {holder}")
    if answer != "ok":
        remedy = (
            "The service puts it aside at its start and takes the newest sound copy of "
            "`.mediarip/backups`. Check the disk."
        )
        return problem("store", f"{where}, is damaged ({str(answer)[:100]})", remedy)
    if version > newest:
        remedy = "Run a newer mediarip-mqtt, or move the store away."
        return problem("store", f"{where}, of version {version}; this one knows {newest}", remedy)
    if version < newest:
        remedy = "The service brings it up to date at its start, and keeps a copy in `backups`."
        return warning("store", f"{where}, sound, of the older version {version}", remedy)
    return ok("store", f"{where}, sound, version {version}")


def _holder(connection: sqlite3.Connection) -> str | None:
    """Return the machine whose service holds the store."""
    row = connection.execute("SELECT host, heartbeat_at FROM lease").fetchone()
    if row is None:
        return None
    return str(row[0]) if datetime.now(UTC) - datetime.fromisoformat(row[1]) < FRESH else None


def errors(settings: Settings) -> dict[str, Any]:
    """Return the newest rows of the error log of a store that no service uses."""
    path = files.own_folder(settings) / "store.db"
    if not path.exists():
        return {}
    with copied(settings) as copy:
        if copy.path is None:
            return {}
        with closing(sqlite3.connect(copy.path)) as connection:
            connection.row_factory = sqlite3.Row
            rows = {
                table: connection.execute(
                    f"SELECT * FROM {table} ORDER BY id DESC LIMIT ?",  # noqa: S608 - two names of our own
                    (ERRORS,),
                ).fetchall()
                for table in ("error_log", "unsupported_urls")
            }
    return {
        "errors": [dict(row) for row in rows["error_log"]],
        "unsupported_urls": [dict(row) for row in rows["unsupported_urls"]],
    }
