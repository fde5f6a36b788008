"""`doctor` on volumes that are full, read-only or hang: real mounts, as root on Linux."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Mosquitto, wait_for
from tests.support.cli import Cli
from tests.support.mounts import mount


@pytest.fixture
def cli(tmp_path: Path, mount_point: Path, mosquitto: Mosquitto) -> Cli:
    return Cli(tmp_path, mosquitto.port, MEDIARIP__STORAGE__ROOT=str(mount_point))


def states(cli: Cli) -> dict[str, dict[str, Any]]:
    done = cli.run("doctor", "--json")
    assert done.returncode == 1
    return {one["name"]: one for one in json.loads(done.stdout)["checks"]}


def test_a_read_only_volume(cli: Cli, mount_point: Path) -> None:
    mount("-t", "tmpfs", "-o", "ro", "tmpfs", str(mount_point))
    found = states(cli)
    assert found["volume"]["state"] == "problem"
    assert "read-only" in found["volume"]["found"]
    assert "database" not in found
    assert found["broker"]["state"] == "ok"


def test_a_full_volume(cli: Cli, mount_point: Path) -> None:
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount_point))
    with (mount_point / "film").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            pass
    found = states(cli)
    assert found["volume"]["state"] == "problem"
    assert "No space left" in found["volume"]["found"]
    assert "purge" in found["volume"]["remedy"]


def test_a_volume_without_room_for_more_files(cli: Cli, mount_point: Path) -> None:
    mount("-t", "tmpfs", "-o", "size=1m,nr_inodes=5", "tmpfs", str(mount_point))
    for number in range(4):
        (mount_point / str(number)).touch()
    assert states(cli)["volume"]["state"] == "problem"


def test_a_temporary_folder_in_memory(cli: Cli, tmp_path: Path, mount_point: Path) -> None:
    mount("-t", "tmpfs", "tmpfs", str(mount_point))
    disk = tmp_path / "disk"
    disk.mkdir()
    cli.environment["MEDIARIP__STORAGE__ROOT"] = str(disk)
    cli.environment["MEDIARIP__STORAGE__TEMP_DIR"] = str(mount_point / "tmp")
    done = cli.run("doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0
    assert found["temporary folder"]["state"] == "warning"
    assert "memory" in found["temporary folder"]["remedy"]


def test_a_hanging_volume_is_told_and_hangs_no_doctor(
    cli: Cli, tmp_path: Path, mount_point: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    server = subprocess.Popen(["bindfs", "-f", str(disk), str(mount_point)])
    try:
        wait_for(lambda: os.path.ismount(mount_point), what="bindfs (is there a /dev/fuse?)")
        server.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        found = states(cli)
        assert time.monotonic() - began < 50
        assert found["volume"]["state"] == "problem"
        assert "no answer" in found["volume"]["found"]
        assert "hangs" in found["volume"]["remedy"]
        assert found["broker"]["state"] == "ok"
        assert found["ffmpeg"]["state"] == "ok"
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait(20)
