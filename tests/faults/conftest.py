"""Everything here is slow: `make test-faults` runs it, and CI does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mounts import umount


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "faults" in item.path.parts:
            item.add_marker(pytest.mark.faults)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(400))  # hundreds of jobs on a busy machine


@pytest.fixture
def mount_point(tmp_path: Path) -> Iterator[Path]:
    """The storage root; what is mounted there is gone after the test."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.fail("these tests mount volumes: run them as root on Linux")
    point = tmp_path / "volume"
    point.mkdir()
    yield point
    while umount(point):
        pass
