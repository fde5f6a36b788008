"""The organizer's reads: none of a library that is off, unless something changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from mediarip_mqtt.library import organizer
from mediarip_mqtt.store import Changes, Store
from tests.library.conftest import NewShelf


@pytest.mark.parametrize(("enabled", "repeated"), [(False, False), (True, True)])
async def test_only_an_enabled_library_is_read_again_and_again(
    new_shelf: NewShelf,
    monkeypatch: pytest.MonkeyPatch,
    enabled: bool,  # noqa: FBT001 - a parameter of the test
    repeated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    monkeypatch.setattr(organizer, "INTERVAL", 0.01)
    shelf = new_shelf(enabled=enabled)
    reads = asyncio.Semaphore(0)
    read = Store.read

    async def counted(store: Store, function: Any) -> Any:
        reads.release()
        return await read(store, function)

    monkeypatch.setattr(Store, "read", counted)
    running = asyncio.create_task(shelf.organizer.run(), name="organizer")
    await reads.acquire()  # what an earlier run has left
    if repeated:
        await reads.acquire()
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reads.acquire()
        shelf.organizer.changed(Changes(titles={"one"}))
        await reads.acquire()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
