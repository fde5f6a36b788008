"""Replies and events leave the store only once the broker has them, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import LinkError, RefusedError, StoreError
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.outbox import TRIES, Outbox
from mediarip_mqtt.store import Changes, Store, Tx

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def nothing(_: str, __: str) -> RefusedError | None:
    return None


def half(payload: str, limit: int) -> str | None:
    """Shorten a payload that is no object to what fits."""
    return payload[: min(limit, len(payload) // 2)] or None


class Wire(Link):
    """A connection whose broker takes what a test lets it take."""

    def __init__(
        self,
        takes: Callable[[str], bool],
        refuses: Callable[[str, str], RefusedError | None] = nothing,
    ) -> None:
        self._takes = takes
        self._refuses = refuses
        self.taken: list[str] = []
        self.payloads: list[str] = []

    async def publish(self, topic: str, payload: Any, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0)
        if error := self._refuses(topic, payload):
            raise error
        if not self._takes(topic):
            raise LinkError("The connection was lost.")
        self.taken.append(topic)
        self.payloads.append(payload)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store, half, lambda topic: not topic.startswith("homeassistant/"))


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
    assert link.taken == ["one", "two"]
    assert await rest(store) == []


async def test_what_the_broker_refuses_is_dropped_and_no_other(
    outbox: Outbox, store: Store
) -> None:
    await store.write(post("before", "poison", "after"))
    error = RefusedError("not authorized")
    link = Wire(lambda _: True, lambda topic, _: error if topic == "poison" else None)
    await outbox.send(link)
    assert await rest(store) == []
    assert link.taken == ["before", "after"]


async def test_what_the_broker_may_take_later_is_tried_some_times(
    outbox: Outbox, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.mqtt.outbox.TRY_INTERVAL", 0.01)
    await store.write(post("busy", "full", "free"))
    refused = {"busy": TRIES - 1, "full": 10 * TRIES}

    def refuse(topic: str, _: str) -> RefusedError | None:
        refused[topic] = refused.get(topic, 0) - 1
        return RefusedError("quota exceeded", transient=True) if refused[topic] >= 0 else None

    link = Wire(lambda _: True, refuse)
    outbox.post_unstored("busy", "in memory")
    await outbox.send(link)
    assert await rest(store) == []
    assert sorted(link.taken) == ["busy", "busy", "free"]  # `full` was dropped


@pytest.mark.parametrize("stored", [True, False])
async def test_what_is_too_large_is_replaced_until_it_fits(
    stored: bool,  # noqa: FBT001 - a parameter of the test
    outbox: Outbox,
    store: Store,
) -> None:
    if stored:
        await store.write(lambda tx: tx.reply("reply", "x" * 1000, NOW))
    else:
        outbox.post_unstored("reply", "x" * 1000)

    def refuse(_: str, payload: str) -> RefusedError | None:
        return RefusedError("too large", room=400) if len(payload) > 300 else None

    link = Wire(lambda _: True, refuse)
    await outbox.send(link)
    assert link.taken == ["reply"]
    assert 0 < len(link.payloads[0]) <= 300
    assert await rest(store) == []


async def test_replies_are_sent_while_the_store_can_t_be_used(outbox: Outbox, store: Store) -> None:
    store.suspend("not mounted")
    link = Wire(lambda _: True)
    async with asyncio.timeout(10):
        running = asyncio.create_task(outbox.run(link))
        for topic in ("one", "two"):
            outbox.post_unstored(topic, "{}")
            while topic not in link.taken:  # noqa: ASYNC110 - `run` sends it
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})


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


async def test_a_message_that_somebody_put_into_the_store_is_not_sent_for_another_topic(
    outbox: Outbox, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.write(post("homeassistant/device/lamp/config", "mediarip/response"))
    link = Wire(lambda _: True)
    await outbox.send(link)
    assert link.taken == ["mediarip/response"]
    assert await rest(store) == []
    assert "homeassistant/device/lamp/config" in caplog.text
