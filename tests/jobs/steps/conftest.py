"""One job's steps, on a store that lies where the service has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediarip_mqtt.store import Store
from tests.support.steps import Bench
from tests.support.stores import store_on_volume


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with store_on_volume(tmp_path) as one:
        yield one


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    return Bench(store, tmp_path)
