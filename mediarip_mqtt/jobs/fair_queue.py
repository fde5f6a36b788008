"""Who is next: isolated sessions take turns, so that one's flood does not hold up the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import Tx

REMEMBERED: Final = 1000  # sessions


class Turns:
    """Remembers which session had its turn when.

    ``slots`` tells how many downloads run at once. Where there are several, no session has all of
    them, not even while it is alone: a download without an end would keep out who comes later.
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
        """Return the jobs that run next: of the session with the fewest under way, and in turn."""
        if not self._fair:
            return tx.due(now, excluded, limit, busy_sites=busy_sites)
        # A playlist is under way as long as its items, and takes no slot.
        busy = Counter(job.session_id for job in tx.running() if job.items is None)
        most = max(1, self._slots() - 1) if self._slots else None
        found: list[Job] = []
        for session in sorted(
            tx.waiting_sessions(), key=lambda one: (busy[one], self.last_of(one))
        ):
            if len(found) < limit and (most is None or busy[session] < most):
                found += tx.due(now, excluded, limit - len(found), [session], busy_sites)
        return found

    def last_of(self, session_id: str) -> int:
        """Return the number of a session's last turn; 0 where it had none, or long ago."""
        return self._served.get(session_id, 0)

    def served(self, session_id: str) -> None:
        """Note that a session had its turn."""
        self._number += 1
        self._served.pop(session_id, None)
        self._served[session_id] = self._number
        if len(self._served) > REMEMBERED:
            self._served.pop(next(iter(self._served)))
