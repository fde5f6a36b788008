"""`doctor` on a volume without a service, and what it reports."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.cli import Cli


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """Return what `doctor --json` found, by name."""
    report = json.loads(done.stdout)
    found = {one["name"]: one for one in report["checks"]}
    states = [one["state"] for one in report["checks"]]
    assert report["problems"] == states.count("problem")
    assert report["warnings"] == states.count("warning")
    assert all(one["remedy"] for one in found.values() if one["state"] != "ok")
    assert done.returncode in {0, 1, 2}
    assert (done.returncode == 0) == (report["problems"] == 0)
    return found


def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir(exist_ok=True)
    return tmp_path / "volume"


def lone(tmp_path: Path, port: int, **variables: str) -> Cli:
    """Without a service."""
    root = str(volume(tmp_path))
    return Cli(tmp_path, port, MEDIARIP__STORAGE__ROOT=root, **variables)
