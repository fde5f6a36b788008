"""One job's steps, on a store that lies where the service has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediarip_mqtt.store import Store
from tests.support.steps import Bench


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    (tmp_path / ".mediarip").mkdir()
    one = Store(tmp_path / ".mediarip" / "store.db", journal_mode="wal", exclusive=False)
    await one.open()
    yield one
    await one.close()


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    return Bench(store, tmp_path)
