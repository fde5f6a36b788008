"""A command line without a broker or service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.broker import free_port
from tests.support.cli import Cli


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def lone(tmp_path: Path, port: int) -> Cli:
    return Cli(tmp_path, port)
