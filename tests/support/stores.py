"""Jobs for stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
OpenStore = Callable[..., Awaitable[Store]]  # the fixture `open_store`


def job(number: int = 1, **fields: Any) -> Job:
    """Return a job that is created ``number`` seconds after `NOW`."""
    values = {
        "session_id": "default",
        "created_at": NOW + timedelta(seconds=number),
        "url": f"https://example.com/{number}",
        **fields,
    }
    return Job(id=f"0199-{number:04d}", **values)


async def insert(store: Store, *jobs: Job, is_playlist: bool = False) -> None:
    def insert_all(tx: Any) -> None:
        for each in jobs:
            tx.insert(each, is_playlist=is_playlist)

    await store.write(insert_all)


@asynccontextmanager
async def store_on_volume(root: Path) -> AsyncIterator[Store]:
    """Open a store that lies where the service has it."""
    (root / ".mediarip").mkdir()
    store = Store(root / ".mediarip" / "store.db", journal_mode="wal", exclusive=False)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
