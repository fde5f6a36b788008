"""The volume goes away, fills, hangs and comes back: nothing is lost, and nobody is lied to.

Real mounts: needs root on Linux, and bindfs for the one that hangs.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import Fault, fail, freeze, program
from tests.support.mounts import mount, umount
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service


@contextmanager
def running(
    tmp_path: Path, mosquitto: Mosquitto, *faults: Fault, **settings: Any
) -> Iterator[Service]:
    service = Service(tmp_path, mosquitto.port, **settings)
    if faults:
        service.program = program(*faults)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def lost(client: Client) -> bool:
    state = client.json("state")
    return bool(state.get("pause_reason") == "storage_lost" and state["status"] == "storage_lost")


def check_lost_and_back(
    service: Service,
    client: Client,
    media: MediaServer,
    away: Callable[[], Any],
    back: Callable[[], Any],
) -> None:
    """While the volume is away everything waits and says so; then the download goes on."""
    size = 3_000_000
    job_id = client.download(media.url(f"/slow/400000/bytes/{size}/film.mp4"))
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("progress_percent", 0) > 10)
    away()
    wait_for(lambda: lost(client), 20, "the loss to be noticed")
    wait_for(lambda: client.events("storage_lost"))
    first = client.json("state")["uptime"]
    reply = client.request("download", url=media.url("/bytes/1000/late.mp4"))
    assert reply["error"]["code"] == "storage_unavailable"
    assert client.request("list")["error"]["code"] == "storage_unavailable"
    wait_for(lambda: client.json("state")["uptime"] > first, 40, "the heartbeat to go on")
    assert service.running
    back()
    wait_for(lambda: client.json("state").get("pause_reason") is None, 30, "the return")
    wait_for(lambda: client.events("storage_restored"))
    assert client.wait_status(job_id, "completed", "failed", timeout=40)["status"] == "completed"
    assert (service.root / "film.mp4").read_bytes() == made_up(0, size)
    late = client.download(media.url("/bytes/1000/late.mp4"))
    client.wait_status(late, "completed")
    told = [one["event_id"] for one in client.events("storage_lost")]
    assert len(set(told)) == 1  # told at once and again from the store, as one event
    assert "Traceback" not in service.log


def test_a_volume_that_is_unmounted_is_noticed_and_its_mount_point_stays_empty(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("--bind", str(disk), str(mount_point))
    with running(tmp_path, mosquitto) as service:

        def away() -> None:
            assert umount(mount_point)

        def back() -> None:
            assert list(mount_point.iterdir()) == []
            mount("--bind", str(disk), str(mount_point))

        check_lost_and_back(service, client, media, away, back)


def test_a_broker_that_comes_back_while_the_volume_is_lost_finds_the_service_alive(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    """As when a NAS that holds both starts anew."""
    with running(tmp_path, mosquitto) as service:
        job_id = client.download(media.url("/bytes/1000/film.mp4"))
        client.wait_status(job_id, "completed")
        elsewhere = tmp_path / "elsewhere"
        service.root.rename(elsewhere)
        wait_for(lambda: lost(client), 20, "the loss to be noticed")
        mosquitto.stop()
        mosquitto.start()
        wait_for(lambda: service.log.count("connected to") > 1, 20, "the service to reconnect")
        client.publish(f"job/{job_id}/state", "{}", retain=True)  # a lie, for the comparison
        fresh = Client(mosquitto.port)
        wait_for(lambda: fresh.kept("status") == "online", 20)
        wait_for(lambda: lost(fresh), 20)
        assert not service.root.exists()
        elsewhere.rename(service.root)
        wait_for(lambda: client.events("storage_restored"), 30)
        wait_for(lambda: fresh.job(job_id).get("status") == "completed", 20, "the truth")
        late = fresh.download(media.url("/bytes/1000/late.mp4"))
        fresh.wait_status(late, "completed")
        fresh.close()
        assert "Traceback" not in service.log


def test_a_volume_that_becomes_read_only_is_noticed(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("--bind", str(disk), str(mount_point))
    with running(tmp_path, mosquitto) as service:

        def again(*options: str) -> Callable[[], None]:
            # A remount in place is refused while files are open: the kernel's own, after an error
            # of the disk, can't be had here.
            def remount() -> None:
                assert umount(mount_point)
                mount("--bind", str(disk), str(mount_point))
                for option in options:
                    mount("-o", f"remount,bind,{option}", str(mount_point))

            return remount

        check_lost_and_back(service, client, media, again("ro"), again())


def test_a_volume_that_is_mounted_anew_between_two_looks_is_used_again(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    """With FUSE, as with NFS and SMB, the same path then leads to another file."""
    disk = tmp_path / "disk"
    disk.mkdir()
    servers = []

    def bind() -> None:
        servers.append(subprocess.Popen(["bindfs", "-f", str(disk), str(mount_point)]))
        wait_for(lambda: os.path.ismount(mount_point), what="bindfs (is there a /dev/fuse?)")

    bind()
    try:
        with running(tmp_path, mosquitto) as service:
            first = client.download(media.url("/bytes/1000/a.mp4"))
            client.wait_status(first, "completed")
            assert umount(mount_point)
            bind()
            check_used_again(service, client, media)
            assert client.job(first)["status"] == "completed"
    finally:
        umount(mount_point)
        for server in servers:
            server.kill()
            server.wait(10)


def test_a_filesystem_mounted_on_top_of_the_volume_is_used_instead(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    mount("-t", "tmpfs", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto) as service:
        client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
        disk = tmp_path / "copy"
        mount("-t", "tmpfs", "tmpfs", str(disk := _folder(disk)))
        try:
            shutil.copytree(mount_point, disk, dirs_exist_ok=True)
            mount("--bind", str(disk), str(mount_point))
            check_used_again(service, client, media)
            assert (disk / "late.mp4").exists()
        finally:
            umount(disk)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def check_used_again(service: Service, client: Client, media: MediaServer) -> None:
    """The loss and the return are told, and then commands are taken again."""
    wait_for(lambda: client.events("storage_lost"), 20, "the loss to be noticed")
    wait_for(lambda: client.events("storage_restored"), 20, "the return")
    wait_for(lambda: client.json("state")["storage"] == "ok")
    late = client.download(media.url("/bytes/1000/late.mp4"))
    client.wait_status(late, "completed")
    assert "Traceback" not in service.log


def test_a_volume_that_hangs_stops_nothing_but_itself(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    server = subprocess.Popen(["bindfs", "-f", str(disk), str(mount_point)])
    wait_for(lambda: os.path.ismount(mount_point), what="bindfs (is there a /dev/fuse?)")
    try:
        with running(tmp_path, mosquitto) as service:
            check_lost_and_back(
                service,
                client,
                media,
                lambda: server.send_signal(signal.SIGSTOP),
                lambda: server.send_signal(signal.SIGCONT),
            )
            server.send_signal(signal.SIGSTOP)
            wait_for(lambda: lost(client), 20)
            service.process.send_signal(signal.SIGTERM)
            wait_for(lambda: client.kept("status") == "offline", 15)  # also while it hangs
            server.kill()  # the kernel may hold even a killed process until a FUSE server answers
            service.process.wait(20)
    finally:
        server.send_signal(signal.SIGCONT)
        umount(mount_point)
        server.kill()
        server.wait(10)


def test_a_look_at_the_volume_that_hangs_is_told_and_ends_nothing(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    with running(tmp_path, mosquitto, freeze("volume-look", 2, seconds=12)) as service:
        wait_for(lambda: lost(client), 20, "the loss to be noticed")
        wait_for(lambda: client.events("storage_lost"))
        wait_for(lambda: client.json("state").get("pause_reason") is None, 30, "the return")
        client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
        assert "(hanging)" in service.log


def test_a_full_volume_fails_the_download_with_its_reason_and_everything_else_goes_on(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto) as service:
        big = client.download(media.url("/bytes/30000000/big.mp4"))
        job = client.wait_status(big, "failed", "completed", timeout=40)
        assert job["error_code"] == "disk_full"
        small = client.download(media.url("/bytes/100000/small.mp4"))
        client.wait_status(small, "completed")
        wait_for(lambda: not service.temporary())
        # To the last byte: commands are taken, as the store has a reserve, and what comes of them
        # is kept; when there is space again all goes on.
        filler = mount_point / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}"], capture_output=True, check=False)
        assert shutil.disk_usage(mount_point).free == 0
        more = client.download(media.url("/bytes/9000000/more.mp4"))
        assert client.wait_status(more, "failed")["error_code"] == "disk_full"
        assert client.request("list")["ok"]
        filler.unlink()
        more = client.download(media.url("/bytes/1000/again.mp4"))
        client.wait_status(more, "completed", timeout=30)
        assert service.running
        assert "uses its reserve" in service.log
        wait_for((mount_point / ".mediarip" / "reserve").exists, 30, "the reserve to be renewed")


def test_a_store_that_another_process_locks_is_told_and_used_again_afterwards(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    with running(tmp_path, mosquitto) as service:
        other = sqlite3.connect(service.root / ".mediarip" / "store.db", isolation_level=None)
        running_one = client.download(media.url("/slow/500000/bytes/800000/slow.mp4"))
        wait_for(lambda: client.json(f"job/{running_one}/progress").get("downloaded_bytes"))
        other.execute("BEGIN IMMEDIATE")
        asked = sum("slow.mp4" in one.path for one in media.requests)
        reply = client.request("download", 20, url=media.url("/bytes/1000/a.mp4"))
        assert reply["error"]["code"] == "storage_unavailable"
        wait_for(lambda: "runner: the store can't be written" in service.log, 40)
        other.execute("ROLLBACK")
        other.close()
        client.wait_status(client.download(media.url("/bytes/1000/b.mp4")), "completed")
        # It ended while nothing could be written, and was not begun anew.
        client.wait_status(running_one, "completed")
        assert sum("slow.mp4" in one.path for one in media.requests) == asked


def test_an_outcome_that_the_store_refuses_is_written_later_and_not_worked_for_again(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    refused = [fail("before-completion", "sqlite3:OperationalError", count) for count in (1, 2)]
    with running(tmp_path, mosquitto, *refused) as service:
        job = client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
        assert job["attempt"] == 1
        assert "runner: the store can't be written" in service.log
        assert sum("a.mp4" in one.path for one in media.requests) == 2  # page, and download


def test_a_damaged_store_is_said_loudly_and_the_broker_says_what_its_copy_says(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    with running(tmp_path, mosquitto) as service:
        kept = client.download(media.url("/bytes/1000/kept.mp4"))
        client.wait_status(kept, "completed")
        service.stop()
        service.environment["MEDIARIP__STORAGE__BACKUP_INTERVAL"] = "1"
        copies = service.root / ".mediarip" / "backups"
        earlier = set(copies.glob("store-2*.db"))
        service.start()
        wait_for(lambda: set(copies.glob("store-2*.db")) - earlier)
        service.stop()
        service.environment["MEDIARIP__STORAGE__BACKUP_INTERVAL"] = "0"
        service.start()
        gone = client.download(media.url("/bytes/1000/gone.mp4"))
        client.wait_status(gone, "completed")
        service.stop()
        path = service.root / ".mediarip" / "store.db"
        path.write_bytes(b"nonsense" * 5000)
        service.start()
        assert "The store was damaged" in service.log
        wait_for(lambda: "damaged" in (client.json("info")["store_recovered"] or ""))
        wait_for(lambda: not client.job(gone))
        assert client.job(kept)["status"] == "completed"
        assert client.request("list")["count"] == 1
        assert service.media() == ["gone.mp4", "kept.mp4"]  # media are never touched


def test_a_volume_that_is_not_there_at_the_start_is_not_taken_for_an_empty_one(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    service = Service(tmp_path, mosquitto.port, STORAGE__CREATE="false").start(wait=False)
    deadline = time.monotonic() + 20
    while service.running and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "is it mounted?" in service.log
    assert not (service.root / ".mediarip" / "store.db").exists()
