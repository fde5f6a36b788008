"""What is told at the broker follows the store, over whatever becomes of connection and store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import LinkError, StoreError
from mediarip_mqtt.contract.models import JobStatus, Phase, Progress
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topic_payloads import Info
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.publisher import TRIES, Key, Publisher
from mediarip_mqtt.mqtt.summaries import ServiceState
from mediarip_mqtt.store import Store, Tx

NOW = datetime(2026, 1, 2, tzinfo=UTC)
JOB = Key("job", "a", ROOT_SESSION)


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


def no_info() -> Info:
    raise AssertionError("no test publishes it")


@pytest.fixture
def publisher(store: Store) -> Publisher:
    return Publisher(
        Topics("mediarip"),
        store,
        Preferences(Settings()),
        state=ServiceState,
        info=no_info,
        told=lambda _: None,
        picture=lambda: None,
        ytdlp=dict,
        clock=lambda: NOW,
    )


def post(*topics: str) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        for topic in topics:
            tx.reply(topic, "{}", NOW)

    return write


async def rest(store: Store) -> list[str]:
    return [row.topic for row in await store.read(lambda tx: tx.outbox(limit=100))]


def progress(phase: Phase, received: int = 0) -> Progress:
    return Progress(
        id="a",
        status=JobStatus.PROCESSING if phase is Phase.CONVERTING else JobStatus.DOWNLOADING,
        phase=phase,
        progress_percent=1,
        downloaded_bytes=received,
        total_bytes=None,
        speed=None,
        eta=None,
        updated_at=NOW,
    )


async def test_a_job_that_is_converted_says_so_at_once_and_its_bytes_follow(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.mqtt.publisher.STATE_INTERVAL", 0.2)

    def marked(one: Progress) -> bool:
        publisher.progressed(one, ROOT_SESSION)
        publisher._dirty.pop(JOB, None)  # noqa: SLF001 - what waits to be published
        publisher.saved({"a": ROOT_SESSION})
        return JOB in publisher._dirty  # noqa: SLF001 - the same

    assert marked(progress(Phase.VIDEO))
    assert not marked(progress(Phase.VIDEO, 5))
    assert marked(progress(Phase.CONVERTING))
    assert not marked(progress(Phase.CONVERTING, 7))
    async with asyncio.timeout(5):
        while JOB not in publisher._dirty:  # noqa: ASYNC110, SLF001 - nothing more is reported
            await asyncio.sleep(0.01)


async def test_a_broker_that_never_answers_loses_no_event(
    publisher: Publisher, store: Store
) -> None:
    await store.write(post("one", "two"))
    for _ in range(3 * TRIES):
        with pytest.raises(LinkError):
            await publisher._send_outbox(Wire(lambda _: False))  # noqa: SLF001 - at each connection
    assert await rest(store) == ["one", "two"]
    link = Wire(lambda _: True)
    await publisher._send_outbox(link)  # noqa: SLF001 - the same
    assert [one for one in link.taken if one in {"one", "two"}] == ["one", "two"]
    assert await rest(store) == []


async def test_a_message_that_ends_each_connection_is_left_out_and_no_other(
    publisher: Publisher, store: Store
) -> None:
    await store.write(post("before", "poison", "after"))
    link = Wire(lambda topic: topic != "poison")
    for _ in range(TRIES + 1):
        with pytest.raises(LinkError):
            await publisher._send_outbox(link)  # noqa: SLF001 - at each connection
    await publisher._send_outbox(link)  # noqa: SLF001 - the same
    assert await rest(store) == []
    assert {"before", "after"} <= set(link.taken)


async def test_what_the_broker_has_is_not_sent_again_where_the_store_can_t_be_written(
    publisher: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(post("one", "two"))
    link = Wire(lambda _: True)

    def full(*_: Any, **__: Any) -> None:
        raise StoreError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Tx, "sent", full)
        for _ in range(2 * TRIES):
            with pytest.raises(StoreError):
                await publisher._send_outbox(link)  # noqa: SLF001 - tried every two seconds
    await publisher._send_outbox(link)  # noqa: SLF001 - the same
    assert link.taken == ["one", "two"]
    assert await rest(store) == []
