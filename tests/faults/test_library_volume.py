"""The volume is lost, read-only or full while titles are archived: no file is lost or doubled."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import freeze, program
from tests.support.mounts import mount, umount
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service

COUNT = 4
FILE = 200_000  # bytes
Trouble = Literal["lost", "read-only", "full"]


@pytest.fixture
def disk(tmp_path: Path, mount_point: Path) -> Iterator[Path]:
    """A small volume that is mounted at the storage root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder))
    mount("--bind", str(folder), str(mount_point))
    yield folder
    umount(mount_point)
    umount(folder)


def begin(trouble: Trouble, disk: Path, mount_point: Path) -> None:
    if trouble == "full":
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        assert not shutil.disk_usage(disk).free
        return
    assert umount(mount_point)
    if trouble == "read-only":
        mount("--bind", str(disk), str(mount_point))
        mount("-o", "remount,bind,ro", str(mount_point))


def end(trouble: Trouble, disk: Path, mount_point: Path) -> None:
    if trouble == "full":
        (disk / "filler").unlink()
        return
    while umount(mount_point):
        pass
    mount("--bind", str(disk), str(mount_point))


def contents(folder: Path) -> list[bytes]:
    return sorted(one.read_bytes() for one in folder.rglob("*.mp4"))


@pytest.mark.parametrize("trouble", ["lost", "read-only", "full"])
@pytest.mark.parametrize("command", ["archive", "restore"])
def test_titles_move_on_once_the_volume_is_well_again(
    command: str,
    trouble: Trouble,
    tmp_path: Path,
    mount_point: Path,
    disk: Path,
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
) -> None:
    service = Service(
        tmp_path, mosquitto.port, LIBRARY__ENABLED="true", LIBRARY__REVIEW_BELOW="0"
    ).start()
    try:
        ids = download(client, media)
        if command == "restore":
            send(client, "archive", ids)
            in_state(client, "archived")
            moved(disk)
        service.stop()
        service.program = program(
            freeze("before-move", 3, seconds=8),
            constants={"mediarip_mqtt.library.organizer:INTERVAL": 2.0},
        )
        service.start()
        send(client, command, ids)
        wait_for(lambda: waiting(disk) in range(1, 2 * COUNT), 30, "the first title")
        begin(trouble, disk, mount_point)
        if trouble == "full":
            wait_for(lambda: "postponed" in service.log or not waiting(disk), 30, "the moves")
        else:
            wait_for(lambda: client.events("storage_lost"), 30, "the loss to be noticed")
        assert len(contents(disk)) == COUNT
        end(trouble, disk, mount_point)
        in_state(client, "archived" if command == "archive" else "completed")
        moved(disk)
        where = disk / ".mediarip" / "archive" if command == "archive" else disk / "Videos"
        assert contents(where) == contents(disk)
        expected = sorted(made_up(0, FILE + number) for number in range(COUNT))
        assert contents(disk) == expected
        assert "Traceback" not in service.log
    finally:
        service.stop()


def download(client: Client, media: MediaServer) -> list[str]:
    jobs = [
        client.download(media.url(f"/bytes/{FILE + number}/{number}.mp4"))
        for number in range(COUNT)
    ]
    return [client.wait_status(job, "completed")["title_id"] for job in jobs]


def send(client: Client, command: str, ids: list[str]) -> None:
    for title_id in ids:
        reply = client.request(command, id=title_id)
        assert reply["ok"], reply


def in_state(client: Client, state: str) -> None:
    wait_for(lambda: client.json("library").get("counts") == {state: COUNT}, 60, state)


def waiting(disk: Path) -> int:
    """Return how many files have a name to go to."""
    with closing(sqlite3.connect(disk / ".mediarip" / "store.db")) as store:
        query = "SELECT count(*) FROM files WHERE move_to IS NOT NULL"
        return int(store.execute(query).fetchone()[0])


def moved(disk: Path) -> None:
    wait_for(lambda: not waiting(disk), 60, "the moves")
