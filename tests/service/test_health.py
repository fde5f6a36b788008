"""`healthcheck` tells apart what can fail by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.settings import Settings, StorageSettings
from mediarip_mqtt.service import health
from mediarip_mqtt.service.health import Health, Signs, examine
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.service import Service

REPOSITORY = str(Path(__file__).parents[2])


def check(service: Service) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *service.program, "healthcheck"],
        env=service.environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def failing(now: float = 1000.0, **signs: Any) -> list[str]:
    well = {"pid": os.getpid(), "at": 1000.0, "queue_at": 999.0, "published_at": 990.0}
    return [one.name for one in examine(Signs(**{**well, **signs}), now) if not one.ok]


def test_each_failure_is_told_by_its_name() -> None:
    assert failing() == []
    assert failing(now=1040.0) == ["event loop"]
    assert failing(queue_at=800.0) == ["queue"]
    assert failing(published_at=800.0) == ["publisher"]
    assert failing(lost_broker_at=900.0, published_at=800.0) == ["broker"]
    assert failing(lost_broker_at=990.0) == []  # a broker may restart
    assert failing(store="database is locked") == ["store"]
    assert failing(volume="missing") == ["volume"]
    assert failing(lost_threads=2) == ["threads"]


@pytest.mark.slow
def test_a_service_that_was_killed_is_not_healthy_and_one_that_runs_is(
    service: Service, client: Client
) -> None:
    wait_for(lambda: "process: ok" in (done := check(service)).stdout and not done.returncode)
    service.kill()
    gone = check(service)
    assert gone.returncode == 1
    assert "process: The service's process is gone" in gone.stderr
    service.start()
    wait_for(lambda: check(service).returncode == 0)
    service.stop()
    assert check(service).returncode == 1


def test_the_signs_go_where_a_file_can_be_written_and_are_found_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker run --read-only` without a tmpfs: only the volume can be written."""
    monkeypatch.setattr(health, "TEMPORARY", ("/proc/none",))
    monkeypatch.setenv("TMPDIR", "/proc/none either")
    settings = Settings(storage=StorageSettings(root=tmp_path))
    (tmp_path / ".mediarip").mkdir()
    paths = health.signs_paths(settings)
    assert health.read(paths) is None
    signs = Signs(pid=os.getpid(), at=1.0, queue_at=1.0)
    Health(paths, lambda: signs, lambda: None)._write(signs.model_dump_json())  # type: ignore[arg-type, return-value] # noqa: SLF001 - the rest of it waits
    assert health.read(paths) == signs
    assert paths[-1].is_relative_to(tmp_path)


@pytest.mark.faults
def test_with_a_read_only_root_the_service_and_its_health_check_work(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    if os.geteuid() or not shutil.which("unshare"):
        pytest.fail("this test needs namespaces: run it as root on Linux")
    service = Service(tmp_path, mosquitto.port, fresh=True)
    service.root.mkdir()
    command = " ".join([sys.executable, *service.program])
    script = (
        f"mount --bind {service.root} {service.root}; mount --bind / /; "
        "mount -o remount,ro,bind /; "
        "for m in /tmp /run /var /dev/shm; do mountpoint -q $m && mount -o remount,ro,bind $m; "
        f"done; mount -o remount,rw,bind {service.root}; cd /; {command} run & "
        f"for i in $(seq 60); do sleep 0.5; {command} healthcheck && break; done; kill %1; wait"
    )
    environment = {**service.environment, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": REPOSITORY}
    done = subprocess.run(
        ["unshare", "-m", "bash", "-mc", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "Traceback" not in done.stderr
    assert "store: ok" in done.stdout
    wait_for(lambda: client.kept("status") == "offline")
