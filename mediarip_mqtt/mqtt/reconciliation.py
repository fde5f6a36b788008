"""Finds, after a connect, retained topics of jobs and subscriptions that differ from the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Final

from mediarip_mqtt.mqtt.retained_scan import digest
from mediarip_mqtt.mqtt.retained_topics import (
    ClearedProgressTopic,
    ClearedTopic,
    JobListTopic,
    JobProgressTopic,
    JobStateTopic,
    RetainedTopic,
    Sources,
    SubscriptionListTopic,
    SubscriptionStateTopic,
    job_payloads,
)
from mediarip_mqtt.store import Tx

PAGE: Final = 200  # jobs in one read of the store
_EMPTY: Final = digest("")

logger = logging.getLogger(__name__)


async def outdated(retained: Mapping[str, str], sources: Sources) -> AsyncIterator[RetainedTopic]:
    """Yield the topics to publish; ``retained`` maps the broker's addresses to digests.

    Raises `StoreError`.
    """
    expected: set[str] = set()
    job_ids = await sources.history.ids()
    for start in range(0, len(job_ids), PAGE):
        page = partial(job_payloads, ids=job_ids[start : start + PAGE])
        for job_id, session, state, progress in await sources.store.read(page):
            topics = sources.topics.of(session)
            state_address, progress_address = topics.job_state(job_id), topics.job_progress(job_id)
            expected |= {state_address, progress_address}
            if topics is not sources.topics and topics.jobs not in expected:
                expected.add(topics.jobs)
                yield JobListTopic(session)
            if retained.get(state_address) != digest(state):
                yield JobStateTopic(job_id, session)
            known = retained.get(progress_address, _EMPTY)
            if job_id not in sources.live and known != digest(progress):
                yield JobProgressTopic(job_id, session)
        await asyncio.sleep(0)
    async for topic in _outdated_subscriptions(retained, sources):
        yield topic
    superfluous = [
        address
        for address in retained
        if address not in expected and sources.topics.is_of_jobs(address)
    ]
    if superfluous:
        logger.info("mqtt: clearing %d retained topics of gone or older jobs", len(superfluous))
    for start in range(0, len(superfluous), PAGE):
        for topic in await _cleared(superfluous[start : start + PAGE], sources):
            yield topic


async def _outdated_subscriptions(
    retained: Mapping[str, str], sources: Sources
) -> AsyncIterator[RetainedTopic]:
    expected: set[str] = set()
    for subscription in await sources.store.read(Tx.subscriptions):
        topics = sources.topics.of(subscription.session_id)
        address = topics.subscription_state(subscription.id)
        expected.add(address)
        if topics is not sources.topics and topics.subscriptions not in expected:
            expected.add(topics.subscriptions)
            yield SubscriptionListTopic(subscription.session_id)
        if retained.get(address) != digest(subscription.model_dump_json()):
            yield SubscriptionStateTopic(subscription.id, subscription.session_id)
    for address in retained:
        if sources.topics.is_of_subscriptions(address) and address not in expected:
            yield ClearedTopic(address)


async def _cleared(addresses: list[str], sources: Sources) -> list[RetainedTopic]:
    """Return the topics that clear addresses.

    That of a job that exists is rendered from the store once more: the job may be retried before
    its topic is cleared.
    """
    ids = {address.split("/")[-2] for address in addresses}
    older: dict[str, RetainedTopic] = {}
    for job in await sources.store.read(partial(Tx.of_ids, ids=ids)):
        topics = sources.topics.of(job.session_id)
        older[topics.job_state(job.id)] = JobStateTopic(job.id, job.session_id)
        older[topics.job_progress(job.id)] = JobProgressTopic(job.id, job.session_id)
    return [
        older.get(address)
        or (ClearedProgressTopic if address.endswith("/progress") else ClearedTopic)(address)
        for address in addresses
    ]
