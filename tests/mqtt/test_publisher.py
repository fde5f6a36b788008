"""What is retained follows the store, over whatever becomes of the connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import LinkError
from mediarip_mqtt.contract.models import Job, JobStatus, Phase, Progress
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.retained_topics import JobProgressTopic, JobStateTopic
from mediarip_mqtt.store import Store
from tests.support.retained import NOW, Wire, sources

JOB = JobStateTopic("a", ROOT_SESSION)
PROGRESS = JobProgressTopic("a", ROOT_SESSION)
STATE_ADDRESS, PROGRESS_ADDRESS = "job/a/state", "job/a/progress"


class Limit:
    """Holds progress back until a test lets it go."""

    def __init__(self) -> None:
        self.until = 0.0
        self.count = 0

    def wait(self, job_id: str) -> float:
        assert job_id == "a"
        return self.until - time.monotonic()

    def sent(self, _: str) -> None:
        self.count += 1


@pytest.fixture
def limit() -> Limit:
    return Limit()


@pytest.fixture
async def publisher(store: Store, limit: Limit) -> Publisher:
    job = Job(id="a", session_id=ROOT_SESSION, url="https://a.example/a", created_at=NOW)
    await store.write(lambda tx: tx.insert(job))
    return Publisher(sources(store, limit))


@asynccontextmanager
async def connected(publisher: Publisher, link: Wire) -> AsyncIterator[None]:
    running = asyncio.create_task(publisher.run(link))
    yield
    running.cancel()
    await asyncio.wait({running})


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the publisher's tasks do it
            await asyncio.sleep(0.005)


def progress(percent: float) -> Progress:
    return Progress(
        id="a",
        status=JobStatus.DOWNLOADING,
        phase=Phase.VIDEO,
        progress_percent=percent,
        updated_at=NOW,
    )


async def test_a_topic_that_changes_often_before_its_turn_is_published_once(
    publisher: Publisher,
) -> None:
    link = Wire()
    for _ in range(10):
        publisher.mark(JOB)
    async with connected(publisher, link):
        await until(lambda: link.payloads(STATE_ADDRESS) and link.payloads("state"))
    assert len(link.payloads(STATE_ADDRESS)) == 1


async def test_progress_that_is_held_back_follows_with_its_newest_value(
    publisher: Publisher, limit: Limit
) -> None:
    link = Wire()
    limit.until = time.monotonic() + 0.3
    async with connected(publisher, link):
        for percent in (1, 2, 3):
            publisher.set_live(progress(percent))
            publisher.mark(PROGRESS)
            await asyncio.sleep(0.02)
        assert not link.payloads(PROGRESS_ADDRESS)
        await until(lambda: link.payloads(PROGRESS_ADDRESS))
    assert [json.loads(one)["progress_percent"] for one in link.payloads(PROGRESS_ADDRESS)] == [3]
    assert limit.count == 1


async def test_a_shutdown_waits_for_progress_that_is_held_back(
    publisher: Publisher, limit: Limit
) -> None:
    link = Wire()
    publisher.set_live(progress(1))
    publisher.mark(PROGRESS)
    limit.until = time.monotonic() + 0.2
    await publisher.drain(link)
    assert len(link.payloads(PROGRESS_ADDRESS)) == 1


async def test_clearing_the_progress_of_a_deleted_job_is_never_held_back(
    publisher: Publisher, limit: Limit, store: Store
) -> None:
    job = await store.read(lambda tx: tx.job("a"))
    assert job
    await store.write(lambda tx: tx.delete(job))
    limit.until = time.monotonic() + 60
    link = Wire()
    async with connected(publisher, link):
        publisher.mark(PROGRESS)
        await until(lambda: link.payloads(PROGRESS_ADDRESS))
    assert link.payloads(PROGRESS_ADDRESS) == [""]
    assert limit.count == 0


async def test_a_topic_whose_publication_was_lost_is_published_on_the_next_connection(
    publisher: Publisher,
) -> None:
    class Broken(Wire):
        async def publish(self, topic: str, *_: Any, **__: Any) -> None:
            if topic.endswith(STATE_ADDRESS):
                raise LinkError("The connection was lost.")

    publisher.mark(JOB)
    with pytest.RaisesGroup(LinkError):
        await publisher.run(Broken())
    link = Wire()
    async with connected(publisher, link):
        await until(lambda: link.payloads(STATE_ADDRESS))


async def test_two_values_of_one_topic_are_never_on_the_way_at_once(publisher: Publisher) -> None:
    class Slow(Wire):
        most = now = 0

        async def publish(self, topic: str, payload: Any, **_: Any) -> None:
            if topic.endswith(STATE_ADDRESS):
                self.now += 1
                self.most = max(self.most, self.now)
                await asyncio.sleep(0.02)
                self.now -= 1
            await super().publish(topic, payload)

    link = Slow()
    async with connected(publisher, link):
        while len(link.payloads(STATE_ADDRESS)) < 5:
            publisher.mark(JOB)
            await asyncio.sleep(0.005)
    assert link.most == 1


async def test_a_topic_that_can_t_be_rendered_silences_no_other(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise ValueError("a bad row")

    monkeypatch.setattr(JobStateTopic, "render", broken)
    link = Wire()
    publisher.mark(JOB)
    async with connected(publisher, link):
        await until(lambda: link.payloads("state"))
    assert "a bad row" in caplog.text
