from __future__ import annotations

from mediarip_mqtt.store import Changes, Tx
from tests.support.stores import NOW, OpenStore


async def test_a_setting_is_replaced_and_deleted_and_announced(open_store: OpenStore) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)
    for value in ("1", "2"):
        await store.write(lambda tx, value=value: tx.set_config("key", value, NOW))  # type: ignore[misc] # bound in the loop
    await store.write(lambda tx: tx.set_config("other", "3", NOW))
    assert await store.read(Tx.config) == {"key": "2", "other": "3"}
    await store.write(lambda tx: tx.set_config("key", None, NOW))
    assert await store.read(Tx.config) == {"other": "3"}
    assert [changes.settings for changes in announced] == [{"key"}, {"key"}, {"other"}, {"key"}]
