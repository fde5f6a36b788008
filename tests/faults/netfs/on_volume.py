"""Run the service on a folder: a download, a kill in the midst of one, a restart; tell as JSON."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from mediarip_mqtt.store.migrations import migrations
from mediarip_mqtt.volume.mounts import mount_of
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

SIZE = 3_000_000
TIMEOUT = 90  # a Linux within Linux is slow


def report(volume: Path, folder: Path) -> dict[str, Any]:
    """Return what was seen; raises where something was waited for in vain."""
    media = MediaServer(folder).start()
    broker = Mosquitto(folder / "broker").start()
    client = Client(broker.port)
    service = Service(folder, broker.port, fresh=True)
    service.root = volume / "media"
    service.root.mkdir()
    _older_store(service.root / ".mediarip" / "store.db", folder)
    service.environment["MEDIARIP__STORAGE__ROOT"] = str(service.root)
    try:
        service.start(wait=False)
        wait_for(lambda: client.json("info").get("journal_mode"), TIMEOUT, "the service")
        first = client.download(media.url(f"/bytes/{SIZE}/first.mp4"))
        client.wait_status(first, "completed", "failed", timeout=TIMEOUT)
        second = client.download(media.url(f"/slow/400000/bytes/{SIZE}/second.mp4"))
        wait_for(
            lambda: sum(one.stat().st_size for one in service.temporary()) > SIZE // 5, TIMEOUT
        )
        service.kill()
        service.start(wait=False)
        client.wait_status(second, "completed", "failed", timeout=TIMEOUT)
        seen = {
            "journal_mode": client.json("info")["journal_mode"],
            "jobs": [client.job(one)["status"] for one in (first, second)],
            "messages": [client.job(one)["error_message"] for one in (first, second)],
            "resumed": any(one.range for one in media.requests if "second" in one.path),
            "upgraded_from": len(list(service.root.glob(".mediarip/backups/store-v1-*.db"))),
            "copies": len(
                wait_for(lambda: list(service.root.glob(".mediarip/backups/store-2*.db")), TIMEOUT)
            ),
        }
        seen["end"] = service.stop()
        seen["sizes"] = sorted(one.stat().st_size for one in service.root.glob("*.mp4"))
        seen["left"] = [one.name for one in service.temporary()]
        seen["check"] = _check(service.root / ".mediarip" / "store.db", folder)
        return seen
    finally:
        service.stop()
        sys.stdout.write(service.log)
        client.close()
        broker.stop()
        media.stop()


def _older_store(path: Path, folder: Path) -> None:
    """Leave a store as the first version of the service did."""
    made = folder / "older.db"  # where SQLite's locks work
    connection = sqlite3.connect(made)
    connection.executescript(migrations()[0][1] + "PRAGMA user_version=1;")
    connection.close()
    path.parent.mkdir()
    shutil.copy(made, path)


def _check(store: Path, folder: Path) -> str:
    copy = folder / "copy.db"  # where SQLite's locks work
    for suffix in ("", "-wal", "-journal"):
        if store.with_name(store.name + suffix).exists():
            shutil.copy(store.with_name(store.name + suffix), f"{copy}{suffix}")
    connection = sqlite3.connect(copy)
    try:
        return str(connection.execute("PRAGMA quick_check").fetchone()[0])
    finally:
        connection.close()


def main() -> None:
    volume, results = Path(sys.argv[1]), Path(sys.argv[2])
    mount = mount_of(volume)
    found: dict[str, Any] = {"filesystem": mount.fstype, "mount": mount.mount_point}
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
            found |= report(volume, Path(name))
    except Exception:  # noqa: BLE001 - all failures are reported
        found["failure"] = traceback.format_exc()
    with results.open("a") as file:
        file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
