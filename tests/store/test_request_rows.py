"""A command that arrives again gets the reply that it got."""

from __future__ import annotations

from datetime import timedelta

from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW


async def test_replies_are_found_by_request_id_and_by_delivery(store: Store) -> None:
    def remember(tx: Tx) -> None:
        tx.remember_request("default", "r1", "first", NOW)
        tx.remember_request("bob", "r1", "bob's", NOW + timedelta(days=1))
        tx.remember_delivery(7, "digest", "old", NOW)
        tx.remember_delivery(7, "another", "delivered", NOW + timedelta(days=1))

    await store.write(remember)
    assert await store.read(lambda tx: tx.reply_to_request("default", "r1")) == "first"
    assert await store.read(lambda tx: tx.reply_to_request("bob", "r1")) == "bob's"
    assert await store.read(lambda tx: tx.reply_to_request("default", "r2")) is None
    assert await store.read(lambda tx: tx.reply_to_delivery(7, "another")) == "delivered"
    assert await store.read(lambda tx: tx.reply_to_delivery(7, "digest")) is None
    await store.write(lambda tx: tx.forget_requests(NOW + timedelta(hours=1)))
    assert await store.read(lambda tx: tx.reply_to_request("default", "r1")) is None
    assert await store.read(lambda tx: tx.reply_to_request("bob", "r1")) == "bob's"
    await store.write(lambda tx: tx.forget_deliveries())
    assert await store.read(lambda tx: tx.reply_to_delivery(7, "another")) is None
