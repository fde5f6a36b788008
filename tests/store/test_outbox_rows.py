"""What is to be sent stays until the broker has it: replies first, each in its order."""

from __future__ import annotations

import json

import pytest

from mediarip_mqtt.contract.events import DiskLow
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.store import Changes, Store, Tx, outbox_rows
from tests.support.stores import NOW, OpenStore


def event(number: int) -> DiskLow:
    return DiskLow(at=NOW, disk_free=number, min_free=1)


async def test_replies_go_before_events_and_what_was_sent_is_gone(open_store: OpenStore) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)

    def post(tx: Tx) -> None:
        tx.emit(event(1))
        tx.emit(event(2))
        tx.reply("a/reply", "{}", NOW, b"\x00id")
        tx.reply("b/reply", "{}", NOW)

    await store.write(post)
    assert announced[0].outbox
    rows = await store.read(lambda tx: tx.outbox(10))
    assert [row.topic for row in rows] == ["a/reply", "b/reply", *["mediarip/event"] * 2]
    assert [row.correlation for row in rows[:2]] == [b"\x00id", None]
    assert [json.loads(row.payload)["disk_free"] for row in rows[2:]] == [1, 2]
    await store.write(lambda tx: tx.sent([row.id for row in rows[:3]]))
    assert await store.read(lambda tx: tx.outbox(10)) == rows[3:]


async def test_an_event_of_an_isolated_session_goes_to_its_topic(open_store: OpenStore) -> None:
    store = await open_store(topics=Topics("mediarip", isolated=True))
    await store.write(lambda tx: tx.emit(event(1), "bob"))
    (row,) = await store.read(lambda tx: tx.outbox(1))
    assert row.topic == "mediarip/session/bob/event"


async def test_the_oldest_rows_go_where_the_broker_stays_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_rows, "OUTBOX_LIMIT", 3)

    def post(tx: Tx) -> None:
        for number in range(5):
            tx.emit(event(number))

    await store.write(post)
    rows = await store.read(lambda tx: tx.outbox(10))
    assert [json.loads(row.payload)["disk_free"] for row in rows] == [2, 3, 4]
