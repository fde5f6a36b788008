"""Logins of jobs: kept sealed, and gone with their job."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.store import Store
from mediarip_mqtt.store.seal import KEY_FILE, seal, unseal
from tests.support.stores import insert, job


@given(text=st.text())
def test_what_is_sealed_is_read_with_the_same_key_only(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, other = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    sealed = seal(text, folder)
    assert unseal(sealed, folder) == text
    assert seal(text, folder) != sealed
    assert unseal(sealed, other) is None
    seal("", other)
    assert unseal(sealed, other) is None


async def test_a_login_is_kept_until_its_job_is_deleted(store: Store, tmp_path: Path) -> None:
    added = job()
    await insert(store, added)
    await store.write(lambda tx: tx.keep_login(added.id, "me:pa55"))
    assert await store.read(lambda tx: tx.login(added.id)) == "me:pa55"
    assert await store.read(lambda tx: tx.login("another")) is None
    assert b"pa55" not in (tmp_path / "s.db").read_bytes()
    await store.write(lambda tx: tx.delete(added))
    assert await store.read(lambda tx: tx.login(added.id)) is None


async def test_a_key_that_can_t_be_written_refuses_the_command(
    store: Store, tmp_path: Path
) -> None:
    added = job()
    await insert(store, added)
    (tmp_path / f"{KEY_FILE}.half").mkdir()
    with pytest.raises(StoreError):
        await store.write(lambda tx: tx.keep_login(added.id, "me:pa55"))
