"""Intakes without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.intake import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    one = await Desk(tmp_path).open()
    yield one
    await one.close()


@pytest.fixture
async def isolated(tmp_path: Path) -> AsyncIterator[Desk]:
    one = await Desk(tmp_path, "isolated").open()
    yield one
    await one.close()
