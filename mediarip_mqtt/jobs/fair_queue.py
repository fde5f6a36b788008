"""The order of the queue: isolated sessions take turns, so that none delays the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import Tx

REMEMBERED: Final = 1000  # sessions; the longest unserved is dropped beyond that


class Turns:
    """Remembers when each session was served.

    ``slots`` returns the number of slots. If there are several, no session gets all of them, even
    if no other one waits: its endless downloads would block later sessions.
    """

    def __init__(self, *, fair: bool, slots: Callable[[], int] | None = None) -> None:
        self._fair = fair
        self._slots = slots
        self._number = 0
        self._served: dict[str, int] = {}

    def due(
        self,
        tx: Tx,
        now: datetime,
        excluded: Sequence[str],
        limit: int,
        busy_sites: Mapping[str, bool] | None = None,
    ) -> list[Job]:
        """Return the next jobs: from the sessions with the fewest running jobs, in turn."""
        if not self._fair:
            return tx.due(now, excluded, limit, busy_sites=busy_sites)
        # A playlist runs as long as its items do, but needs no slot.
        busy = Counter(job.session_id for job in tx.running() if job.items is None)
        most = max(1, self._slots() - 1) if self._slots else None
        jobs: list[Job] = []
        for session in sorted(
            tx.waiting_sessions(), key=lambda name: (busy[name], self.last_of(name))
        ):
            if len(jobs) < limit and (most is None or busy[session] < most):
                jobs += tx.due(now, excluded, limit - len(jobs), [session], busy_sites)
        return jobs

    def last_of(self, session_id: str) -> int:
        """Return the number of a session's last turn; 0 if it had none recently."""
        return self._served.get(session_id, 0)

    def served(self, session_id: str) -> None:
        """Count a session's turn."""
        self._number += 1
        self._served.pop(session_id, None)
        self._served[session_id] = self._number
        if len(self._served) > REMEMBERED:
            self._served.pop(next(iter(self._served)))
