"""Fixtures: real brokers, services, stores and media servers."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from hypothesis import settings

from mediarip_mqtt.store import Store
from tests.support.broker import Client, Mosquitto
from tests.support.cli import Cli
from tests.support.live import LiveServer
from tests.support.live import make as make_live
from tests.support.media import make
from tests.support.server import MediaServer
from tests.support.service import Service

# `make test-slow` uses the thorough profile.
settings.register_profile("quick", max_examples=20, deadline=None, database=None)
settings.register_profile("thorough", max_examples=300, deadline=None, database=None)
settings.load_profile("quick")


MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory
ROOM = 2 * 2**30  # bytes; the fast tests need a fifth of it


def pytest_configure(config: pytest.Config) -> None:
    """Keep the temporary files of the fast tests in memory if there is room.

    They commit thousands of transactions, and on a disk they mostly wait for fsync. The other tests
    use the disk.
    """
    fast = "not slow" in config.option.markexpr
    if fast and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("TMPDIR", str(MEMORY))
        tempfile.tempdir = None  # choose anew


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of workers for `-n auto`; tests mostly wait, slow ones less so."""
    cores = os.cpu_count() or 1
    fast = "not slow" in config.option.markexpr
    return 2 * cores if fast else cores + cores // 2


@pytest.fixture(scope="session")
def media_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return make((base if worker_id == "master" else base.parent) / "media")


@pytest.fixture
def media(media_folder: Path) -> Iterator[MediaServer]:
    server = MediaServer(media_folder).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def live_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return make_live((base if worker_id == "master" else base.parent) / "live")


@pytest.fixture
def live(live_folder: Path) -> Iterator[LiveServer]:
    server = LiveServer(live_folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def media_tls(media_folder: Path, authority: trustme.CA) -> Iterator[MediaServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    server = MediaServer(media_folder, context).start()
    yield server
    server.stop()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "s.db", journal_mode="wal", exclusive=False)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker").start()
    yield broker
    broker.stop()


@pytest.fixture
def client(mosquitto: Mosquitto) -> Iterator[Client]:
    client = Client(mosquitto.port)
    yield client
    client.close()


@pytest.fixture
def service(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Service]:
    service = Service(tmp_path, mosquitto.port).start()
    yield service
    service.stop()


@pytest.fixture
def cli(tmp_path: Path, service: Service, mosquitto: Mosquitto) -> Cli:
    return Cli(tmp_path, mosquitto.port)
