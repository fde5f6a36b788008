"""A store is inspected in a copy, and nothing of it changes."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.store import Store, inspection
from mediarip_mqtt.store.inspection import Inspection, copy_without_locks, inspect, newest_errors
from mediarip_mqtt.store.migrations import migrations
from tests.support.stores import NOW, job

NEWEST = migrations()[-1][0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def copied(path: Path, folder: Path) -> Path:
    copy = copy_without_locks(path, folder)
    assert copy
    return copy


async def test_a_store_that_is_open_is_copied_with_its_log(store: Store, folder: Path) -> None:
    failed = job(error_code="unsupported_url", error_message="why")
    await store.write(lambda tx: tx.log_error(failed, "example.com", NOW))
    assert inspection.size(store.path) > store.path.stat().st_size
    copy = copied(store.path, folder)
    assert inspect(copy) == Inspection(NEWEST)
    errors = newest_errors(copy, 10)
    assert [row["job_id"] for row in errors["errors"]] == [failed.id]
    assert [row["url"] for row in errors["unsupported_urls"]] == [failed.url]


@pytest.mark.parametrize(("age", "holder"), [(0, "nas"), (3600, None)])
async def test_a_fresh_heartbeat_says_who_holds_it(
    age: int, holder: str | None, store: Store, folder: Path
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    await store.write(lambda tx: tx.take_lease("me", "nas", "boot", moment))
    assert inspect(copied(store.path, folder)).holder == holder


async def test_a_store_that_changes_while_it_is_copied_has_no_copy(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile = shutil.copyfile

    def slowly(source: Path, target: Path) -> None:
        copyfile(source, target)
        os.utime(store.path, ns=(1, 1))

    monkeypatch.setattr(shutil, "copyfile", slowly)
    assert copy_without_locks(store.path, folder) is None


@pytest.mark.parametrize("content", [b"no database at all" * 1000, None])
async def test_damage_is_said(content: bytes | None, store: Store, folder: Path) -> None:
    await store.close()
    whole = bytearray(store.path.read_bytes())
    whole[4096 : 4096 * 3] = os.urandom(4096 * 2)
    store.path.write_bytes(content or bytes(whole))
    copy = copied(store.path, folder)
    assert inspect(copy).damage
    if content:
        with pytest.raises(StoreError):
            newest_errors(copy, 10)


def test_a_store_that_can_t_be_read_is_a_store_error(folder: Path) -> None:
    with pytest.raises(StoreError):
        newest_errors(folder / "absent" / "store.db", 10)
    (folder / "store.db").mkdir()
    with pytest.raises(StoreError) as caught:
        copy_without_locks(folder / "store.db", folder)
    assert isinstance(caught.value.__cause__, OSError)
