"""Libraries on a store that lies where the service has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.store import Store
from tests.support.library import Shelf
from tests.support.stores import store_on_volume

NewShelf = Callable[..., Shelf]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with store_on_volume(tmp_path) as one:
        yield one


@pytest.fixture
def new_shelf(store: Store, tmp_path: Path) -> NewShelf:
    def make(**settings: Any) -> Shelf:
        return Shelf(store, tmp_path, **settings)

    return make


@pytest.fixture
def shelf(new_shelf: NewShelf) -> Shelf:
    return new_shelf()
