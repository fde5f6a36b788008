"""Finds, after a connect, the retained topics of jobs that differ from the store."""

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
    job_payloads,
)

PAGE: Final = 200  # jobs in one read of the store
_EMPTY: Final = digest("")

logger = logging.getLogger(__name__)


async def outdated(retained: Mapping[str, str], sources: Sources) -> AsyncIterator[RetainedTopic]:
    """Yield the topics to publish; ``retained`` maps the broker's addresses to digests.

    Raises `StoreError`.
    """
    expected: set[str] = set()
    last_id = ""
    while page := await sources.store.read(partial(job_payloads, after=last_id, limit=PAGE)):
        for job_id, session, state, progress in page:
            last_id = job_id
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
    jobs = {address for address in retained if sources.topics.is_of_jobs(address)}
    orphans = jobs - expected
    for address in orphans:
        kind = ClearedProgressTopic if address.endswith("/progress") else ClearedTopic
        yield kind(address)
    if orphans:
        logger.info("mqtt: clearing %d retained topics of jobs that are gone", len(orphans))
