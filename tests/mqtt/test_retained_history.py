"""Only the newest finished jobs have retained topics: a broker must not carry years."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.reconciliation import outdated
from mediarip_mqtt.mqtt.retained_scan import digest
from mediarip_mqtt.mqtt.retained_topics import JobStateTopic
from mediarip_mqtt.store import Store
from tests.support.retained import NOW, RETAINED_JOBS, Wire, sources
from tests.support.stores import insert, job

TOPICS = Topics("mediarip")


class Unlimited:
    def wait(self, _: str) -> float:
        return 0.0

    def sent(self, _: str) -> None:
        pass


def finished(number: int) -> Job:
    return job(
        number, status=JobStatus.COMPLETED, completed_at=NOW + timedelta(seconds=number), title="a"
    )


async def test_what_is_older_than_the_newest_is_cleared_after_a_connect(store: Store) -> None:
    old, new = [finished(0), finished(1)], [finished(number) for number in range(2, 12)]
    waiting = job(12)
    await insert(store, *old, *new, waiting)
    assert len(new) == RETAINED_JOBS
    all_sources = sources(store, Unlimited())
    retained = {TOPICS.job_state(each.id): digest("?") for each in (*old, *new, waiting)}
    rendered = {}
    async for topic in outdated(retained, all_sources):
        address, payload = await topic.render(all_sources) or ("", "")
        rendered[address] = bool(payload)
    states = {TOPICS.job_state(each.id): each in (*new, waiting) for each in (*old, *new, waiting)}
    assert {key: value for key, value in rendered.items() if key in states} == states


async def test_a_job_that_finishes_takes_the_place_of_the_oldest(store: Store) -> None:
    await insert(store, *(finished(number) for number in range(RETAINED_JOBS)))
    all_sources = sources(store, Unlimited())
    publisher, link = Publisher(all_sources), Wire()
    store.on_commit(publisher.changed)
    assert [topic async for topic in outdated({}, all_sources)]
    running = asyncio.create_task(publisher.run(link))
    await insert(store, finished(RETAINED_JOBS))
    oldest = TOPICS.job_state(finished(0).id).removeprefix("mediarip/")
    async with asyncio.timeout(20):
        while not link.payloads(oldest):  # noqa: ASYNC110 - the publisher's tasks do it
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    assert link.payloads(oldest) == [""]
    newest = TOPICS.job_state(finished(RETAINED_JOBS).id).removeprefix("mediarip/")
    assert all(link.payloads(newest))
    assert not link.payloads(TOPICS.job_state(finished(1).id).removeprefix("mediarip/"))


async def test_a_deleted_job_makes_room_for_an_older_one(store: Store) -> None:
    jobs = [finished(number) for number in range(RETAINED_JOBS + 1)]
    await insert(store, *jobs)
    all_sources = sources(store, Unlimited())
    history = all_sources.history
    await history.update()
    assert [history.covers(each) for each in jobs[:2]] == [False, True]
    await store.write(lambda tx: tx.delete(jobs[5]))
    assert await history.update() == [jobs[0]]
    assert history.covers(jobs[0])


async def test_an_old_job_that_is_retried_before_its_topic_is_cleared_stays(store: Store) -> None:
    jobs = [finished(number) for number in range(RETAINED_JOBS + 1)]
    await insert(store, *jobs)
    all_sources = sources(store, Unlimited())
    address = TOPICS.job_state(jobs[0].id)
    topics = [topic async for topic in outdated({address: digest("?")}, all_sources)]
    (cleared,) = (topic for topic in topics if topic == JobStateTopic(jobs[0].id, "default"))
    await store.write(lambda tx: tx.update(jobs[0].id, status=JobStatus.QUEUED, completed_at=None))
    rendered = await cleared.render(all_sources)
    assert rendered
    assert rendered[0] == address
    assert rendered[1]
