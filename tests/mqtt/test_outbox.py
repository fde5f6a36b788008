"""Replies and events leave the store only once the broker has them, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import LinkError, StoreError
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.outbox import TRIES, Outbox
from mediarip_mqtt.store import Changes, Store, Tx

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PROBE = "probe"


class Wire(Link):
    """A connection whose broker takes what a test lets it take."""

    def __init__(self, takes: Callable[[str], bool]) -> None:
        self._takes = takes
        self.taken: list[str] = []

    async def publish(self, topic: str, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0)
        if not self._takes(topic):
            raise LinkError("The connection was lost.")
        self.taken.append(topic)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store, lambda link: link.publish(PROBE, ""))


def post(*topics: str) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        for topic in topics:
            tx.reply(topic, "{}", NOW)

    return write


async def rest(store: Store) -> list[str]:
    return [row.topic for row in await store.read(lambda tx: tx.outbox(limit=100))]


async def test_a_broker_that_never_answers_loses_no_event(outbox: Outbox, store: Store) -> None:
    await store.write(post("one", "two"))
    for _ in range(3 * TRIES):
        with pytest.raises(LinkError):
            await outbox.send(Wire(lambda _: False))
    assert await rest(store) == ["one", "two"]
    link = Wire(lambda _: True)
    await outbox.send(link)
    assert [topic for topic in link.taken if topic != PROBE] == ["one", "two"]
    assert await rest(store) == []


async def test_a_message_that_ends_each_connection_is_dropped_and_no_other(
    outbox: Outbox, store: Store
) -> None:
    await store.write(post("before", "poison", "after"))
    link = Wire(lambda topic: topic != "poison")
    for _ in range(TRIES + 1):
        with pytest.raises(LinkError):
            await outbox.send(link)
    await outbox.send(link)
    assert await rest(store) == []
    assert {"before", "after"} <= set(link.taken)


async def test_what_the_broker_has_is_not_sent_again_where_the_store_can_t_be_written(
    outbox: Outbox, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(post("one", "two"))
    link = Wire(lambda _: True)

    def full(*_: Any, **__: Any) -> None:
        raise StoreError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Tx, "sent", full)
        for _ in range(2 * TRIES):
            with pytest.raises(StoreError):
                await outbox.send(link)
    await outbox.send(link)
    assert link.taken == ["one", "two"]
    assert await rest(store) == []


async def test_rows_are_sent_as_they_are_posted_and_once_the_store_can_be_read(
    outbox: Outbox, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.mqtt.store_retry.STORE_RETRY", 0.01)
    link = Wire(lambda _: True)
    store.suspend("not mounted")
    async with asyncio.timeout(10):
        running = asyncio.create_task(outbox.run(link))
        await asyncio.sleep(0.05)
        await store.reopen()
        for topic in ("one", "two"):
            await store.write(post(topic))
            outbox.changed(Changes(outbox=True))
            while topic not in link.taken:  # noqa: ASYNC110 - `run` sends it
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
    assert link.taken == ["one", "two"]
