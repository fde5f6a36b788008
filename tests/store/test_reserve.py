"""The store has some space of its own on a full volume."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from mediarip_mqtt.store import Store, Tx, reserve
from mediarip_mqtt.store.reserve import Reserve
from tests.support.stores import NOW


async def test_a_transaction_without_space_takes_the_reserve_and_is_tried_again(
    store: Store,
) -> None:
    store.reserve.renew()
    size = 0

    def limit(tx: Tx) -> None:
        nonlocal size
        size = int(tx._rows("PRAGMA page_count")[0][0])  # noqa: SLF001 - as on a volume of this size
        tx._rows(f"PRAGMA max_page_count={size}")  # noqa: SLF001 - the same

    def fill(tx: Tx) -> None:
        if not (store.path.parent / reserve.NAME).exists():
            tx._rows(f"PRAGMA max_page_count={size + 100}")  # noqa: SLF001 - its space is free
        for number in range(20):
            tx.set_config(f"key{number}", "x" * 4000, NOW)

    await store.read(limit)
    await store.write(fill)
    assert len(await store.read(Tx.config)) == 20


def test_the_reserve_is_made_only_where_there_is_enough_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / reserve.NAME
    usage = SimpleNamespace(free=reserve.ENOUGH - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    Reserve(tmp_path).renew()
    assert not path.exists()
    assert not Reserve(tmp_path).release()
    monkeypatch.undo()
    Reserve(tmp_path).renew()
    assert path.stat().st_size == reserve.SIZE
    assert Reserve(tmp_path).release()
    assert not path.exists()
