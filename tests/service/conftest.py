"""What the tests of the service share: a real store on a real folder, and a recorded queue."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mediarip_mqtt.contract.settings import StorageSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.storage import Storage, open_storage
from tests.support.recording import RecordingPublisher, RecordingRunner


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    settings = StorageSettings(root=tmp_path / "volume")
    async with open_storage(settings, Topics("mediarip")) as opened:
        yield opened


@pytest.fixture
def runner() -> RecordingRunner:
    return RecordingRunner()


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
def holds(storage: Storage, runner: RecordingRunner, publisher: RecordingPublisher) -> Holds:
    return Holds(storage.store, runner, publisher)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo what a test configures."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
