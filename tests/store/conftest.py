from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.store import Store
from tests.support.stores import OpenStore


@pytest.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Open stores at `s.db`; also what a failed test left open is closed."""
    stores: list[Store] = []

    async def open_one(**options: Any) -> Store:
        defaults: dict[str, Any] = {"journal_mode": "wal", "exclusive": False}
        store = Store(tmp_path / "s.db", **defaults | options)
        await store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close()
