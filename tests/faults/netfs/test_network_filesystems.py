"""The service on real NFS, CIFS, 9p and sshfs mounts, in a Linux of its own (user-mode-linux)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[3]
FILESYSTEMS = {"nfs4", "nfs", "cifs", "9p", "fuse.sshfs"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("mounting network filesystems takes root on a Debian")
    work = tmp_path_factory.mktemp("netfs")
    helper = work / "xstate.so"
    source = Path(__file__).with_name("xstate.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(helper), str(source)], check=True)
    started = subprocess.run(
        [
            "linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "mem=1500M",
            f"init={REPO}/tests/faults/netfs/init.sh", "con=null", "con0=null,fd:1", "con1=null",
            "ssl=null", f"WORK={work}", f"PYTHON={sys.executable}", f"REPO={REPO}",
        ],
        env=os.environ | {"TMPDIR": str(work), "LD_PRELOAD": str(helper)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=580,
        check=False,
    )  # fmt: skip
    log = (work / "init.log").read_text() if (work / "init.log").exists() else ""
    sys.stdout.write(f"{started.stdout.decode()[-2000:]}\n{log}")
    lines = (work / "results").read_text().splitlines() if (work / "results").exists() else []
    return {one["filesystem"]: one for one in map(json.loads, lines)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("filesystem", sorted(FILESYSTEMS))
def test_the_service_works_on_a_network_filesystem_and_survives_a_kill(
    filesystem: str, results: dict[str, dict[str, Any]]
) -> None:
    assert filesystem in results, f"not mounted; there were: {sorted(results)}"
    seen = results[filesystem]
    assert "failure" not in seen, seen["failure"]
    assert seen["journal_mode"] == "truncate"  # SQLite would take WAL there, and break it
    assert seen["jobs"] == ["completed", "completed"], seen["messages"]
    assert seen["resumed"]
    assert seen["sizes"] == [3_000_000, 3_000_000]
    assert seen["left"] == []
    assert seen["check"] == "ok"
    assert seen["copies"] >= 1
    assert seen["upgraded_from"] == 1
    assert seen["end"] < 10
