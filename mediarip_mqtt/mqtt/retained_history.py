"""Which finished jobs have retained topics: the newest `mqtt.retained_jobs` of all sessions.

A broker on a small machine must not carry years of history. `get` and `list` know all jobs.
"""

from __future__ import annotations

from functools import partial

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import FinishedAt, Store, Tx


class RetainedHistory:
    """Remembers the oldest finished job whose topics are retained."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._oldest: FinishedAt | None = None  # None: all are retained

    def covers(self, job: Job) -> bool:
        """Whether the job's topics are retained."""
        finished = FinishedAt.of(job)
        return finished is None or self._oldest is None or finished >= self._oldest

    async def update(self) -> list[Job]:
        """Look for the oldest again; return the jobs for which `covers` has changed.

        Raises `StoreError`.
        """
        former = self._oldest
        oldest = await self._store.read(partial(Tx.oldest_of_newest, count=self._limit))
        if former == oldest:
            return []
        start, end = sorted((former, oldest), key=lambda place: place or ("", ""))
        changed = await self._store.read(partial(Tx.finished_between, start=start, end=end))
        self._oldest = oldest
        return changed

    async def ids(self) -> list[str]:
        """Return the ids of all jobs with retained topics, sorted; raises `StoreError`."""
        await self.update()
        return await self._store.read(partial(Tx.unfinished_or_since, oldest=self._oldest))
