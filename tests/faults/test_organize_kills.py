"""Kills and lost volumes while titles are organized and adopted: nothing is lost or doubled.

The volumes are real mounts: root on Linux.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mediarip_mqtt.fault_points import Point
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import Fault, freeze, kill, program
from tests.support.mounts import mount, umount
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service

COUNT = 30  # more than a chunk
SOON = {"mediarip_mqtt.library.runs:PAUSE": 0.5, "mediarip_mqtt.library.organizer:INTERVAL": 0.5}


@pytest.fixture
def library(service: Service) -> Service:
    """The service, stopped, with a library and a folder of another tool."""
    service.stop()
    service.environment |= {
        "MEDIARIP__LIBRARY__ENABLED": "true",
        "MEDIARIP__LIBRARY__NFO": "false",
    }
    fill(service.root)
    return service


def fill(root: Path) -> None:
    for number in range(COUNT):
        folder = root / f"yt/{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"tide [x{number:04d}].mp4").write_text(f"film {number}")
        (folder / f"tide [x{number:04d}].en.srt").write_text(f"text {number}")


def run_into(library: Service, *faults: Fault) -> list[str]:
    """Start the service with faults; return how it is usually started."""
    own, library.program = library.program, program(*faults, constants=SOON)
    library.start(wait=False)
    return own


def go_on(library: Service, own: list[str]) -> None:
    wait_for(lambda: not library.running, 60, "the kill")
    library.program = own
    library.start(wait=False)


def run_ended(client: Client, kind: str) -> None:
    def found() -> bool:
        runs = [event["run"]["kind"] for event in client.events("library_run_ended")]
        return kind in runs

    wait_for(found, 90, f"the end of {kind}")


def check(root: Path, folder: str) -> None:
    """Each medium is one title with both files, as the store says, with their contents."""
    with closing(sqlite3.connect(root / ".mediarip" / "store.db")) as store:
        rows = store.execute(
            "SELECT titles.id, state, filename, move_to, source_id, role FROM titles "
            "JOIN files ON title_id = titles.id"
        ).fetchall()
        (titles,) = store.execute("SELECT count(*) FROM titles").fetchone()
        assert store.execute("SELECT count(*) FROM library_runs").fetchone() == (0,)
    assert titles == COUNT
    assert {(row[1], row[3]) for row in rows} == {("completed", None)}
    own = root / ".mediarip"
    files = {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and own not in path.parents
    }
    assert files == {row[2] for row in rows}
    assert len(files) == 2 * COUNT
    for _, _, name, _, key, role in rows:
        assert name.startswith(f"{folder}/")
        word = "film" if role == "main" else "text"
        assert (root / name).read_text() == f"{word} {int(key[1:])}"


def adopted(library: Service, client: Client) -> None:
    library.start()
    client.publish("command/adopt", "yt")
    run_ended(client, "adopt")
    library.stop()


@pytest.mark.parametrize(
    ("point", "count"),
    [("before-ack", 1), ("medium-adopted", 1), ("medium-adopted", 28), ("run-chunk", 1)],
)
def test_a_kill_while_media_are_adopted_makes_each_a_title_once(
    point: Point, count: int, library: Service, client: Client
) -> None:
    own = run_into(library, kill(point, count))
    client.publish("command/adopt", {"folder": "yt", "request_id": "r1"})
    go_on(library, own)
    run_ended(client, "adopt")
    check(library.root, "yt")


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("before-ack", 1),
        ("organize-planned", 1),
        ("organize-planned", 28),
        ("before-move", 1),
        ("before-move", 12),
        ("title-moved", 1),
        ("title-moved", 27),
        ("run-chunk", 2),
    ],
)
def test_a_kill_while_titles_are_organized_moves_each_file_once(
    point: Point, count: int, library: Service, client: Client
) -> None:
    adopted(library, client)
    own = run_into(library, kill(point, count))
    client.publish("command/organize", {"id": "all", "request_id": "r1"})
    go_on(library, own)
    run_ended(client, "organize")
    check(library.root, "Videos")


def organize_on(
    tmp_path: Path,
    mosquitto: Mosquitto,
    client: Client,
    away: Callable[[], None],
    back: Callable[[], None],
) -> None:
    """Organize while the volume fails in the middle and returns."""
    service = Service(tmp_path, mosquitto.port, LIBRARY__ENABLED="true", LIBRARY__NFO="false")
    fill(service.root)
    service.start()
    client.publish("command/adopt", "yt")
    run_ended(client, "adopt")
    service.stop()
    run_into(service, freeze("before-move", 20, seconds=4))
    try:
        client.publish("command/organize", "all")
        wait_for(lambda: len(list(service.root.glob("Videos/*.mp4"))) > 5, 30, "the first moves")
        away()
        wait_for(lambda: "postponed" in service.log or "storage:" in service.log, 40, "the loss")
        assert service.running
        back()
        run_ended(client, "organize")
        check(service.root, "Videos")
    finally:
        service.stop()


def test_a_volume_lost_while_titles_are_organized_loses_nothing(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("--bind", str(disk), str(mount_point))

    def away() -> None:
        assert umount(mount_point)

    organize_on(
        tmp_path,
        mosquitto,
        client,
        away,
        lambda: mount("--bind", str(disk), str(mount_point)),
    )


def test_a_volume_that_becomes_read_only_while_titles_are_organized_loses_nothing(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("--bind", str(disk), str(mount_point))

    def again(*options: str) -> None:
        assert umount(mount_point)
        mount("--bind", str(disk), str(mount_point))
        for option in options:
            mount("-o", f"remount,bind,{option}", str(mount_point))

    organize_on(tmp_path, mosquitto, client, lambda: again("ro"), again)


def test_a_volume_that_is_full_while_titles_are_organized_loses_nothing(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client
) -> None:
    mount("-t", "tmpfs", "-o", "size=60m", "tmpfs", str(mount_point))
    filler = mount_point / ".filler"
    reserve = mount_point / ".mediarip" / "reserve"

    def away() -> None:
        with filler.open("wb", buffering=0) as file:
            reserve.unlink(missing_ok=True)
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):  # until nothing is left
                    while True:
                        file.write(bytes(size))

    organize_on(tmp_path, mosquitto, client, away, filler.unlink)


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("room-made", 1),
        ("before-move", 2),
        ("title-moved", 1),
        ("place-committed", 2),
        ("before-completion", 2),
    ],
)
def test_a_kill_while_a_title_is_overwritten_keeps_both_files(
    point: Point, count: int, service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    service.environment |= {
        "MEDIARIP__LIBRARY__ENABLED": "true",
        "MEDIARIP__LIBRARY__CONFLICT": "overwrite",
        "MEDIARIP__LIBRARY__NFO": "false",
    }
    own = run_into(service, kill(point, count))
    what = {"content_type": "movie", "title": "Sea", "year": 2019}
    for size in (2000, 3000):
        url = media.url(f"/bytes/{size}/film.mp4")
        job_id = client.download(url, library=what) if size == 2000 else ""
        if job_id:
            client.wait_status(job_id, "completed")
        else:
            client.publish("command", {"url": url, "library": what, "request_id": "r2"})
    go_on(service, own)
    wait_for(lambda: client.json("library").get("counts", {}).get("archived"), 60, "the archive")
    done = lambda: client.json("library")["counts"].get("completed") == 1  # noqa: E731 - read at once
    wait_for(done, 60, "the new title")
    wait_for(lambda: not service.temporary(), 20)
    name = "Movies/Sea (2019)/Sea (2019).mp4"
    assert service.media() == [name]
    assert (service.root / name).read_bytes() == made_up(0, 3000)
    (kept,) = (service.root / ".mediarip/archive").glob(f"*/{name}")
    assert kept.read_bytes() == made_up(0, 2000)
