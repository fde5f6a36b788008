"""A store has one owner, on one machine or on several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreInUseError, StoreProblem
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.store.lease import Lease
from tests.support.stores import NOW


@pytest.mark.parametrize("skew", [timedelta(), timedelta(days=-400), timedelta(days=400)])
async def test_a_lease_of_another_machine_holds_as_long_as_that_one_lives_whatever_its_clock(
    skew: timedelta, tmp_path: Path, store: Store
) -> None:
    lease = Lease(store, tmp_path, network=True, patience=0.4)

    def beat(number: int) -> Callable[[Tx], None]:
        moment = NOW + skew + timedelta(seconds=number)
        return lambda tx: tx.take_lease("other", "nas2", "another-boot", moment)

    await store.write(beat(0))
    taking = asyncio.create_task(lease.take(NOW))
    await asyncio.sleep(0.15)
    await store.write(beat(1))
    with pytest.raises(StoreInUseError, match="nas2"):
        await taking
    await lease.take(NOW)  # no heartbeat follows any more
    assert await lease.renew(NOW)
    await store.write(beat(2))
    assert not await lease.renew(NOW)


async def test_a_lease_that_was_dropped_is_free(tmp_path: Path, store: Store) -> None:
    lease = Lease(store, tmp_path, network=True)
    await lease.take(NOW)
    assert await store.read(Tx.lease)
    await store.write(lambda tx: tx.drop_lease("somebody else"))
    assert await lease.renew(NOW)
    await lease.drop()
    assert await store.read(Tx.lease) is None


async def test_the_file_lock_has_one_holder(tmp_path: Path, store: Store) -> None:
    first, second = (Lease(store, tmp_path, network=False) for _ in range(2))
    first.lock()
    with pytest.raises(StoreInUseError, match="Another mediarip-mqtt runs") as caught:
        second.lock()
    assert caught.value.kind is StoreProblem.BUSY
    first.unlock()
    second.lock()
    second.unlock()


async def test_a_lock_that_the_volume_refuses_is_a_store_error(
    tmp_path: Path, store: Store
) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match="can't be taken") as caught:
        Lease(store, tmp_path, network=False).lock()
    assert caught.value.kind is StoreProblem.LOST
