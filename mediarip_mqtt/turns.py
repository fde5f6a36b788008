"""Who is next: isolated sessions take turns, so that one's flood does not hold up the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from mediarip_mqtt.models import Job
from mediarip_mqtt.store import Tx

REMEMBERED: Final = 1000  # sessions


class Turns:
    """Remembers which session had its turn when."""

    def __init__(self, *, fair: bool) -> None:
        self._fair = fair
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
        busy = Counter(job.session_id for job in tx.running())
        found: list[Job] = []
        for session in sorted(
            tx.waiting_sessions(), key=lambda one: (busy[one], self._served.get(one, 0))
        ):
            if len(found) < limit:
                found += tx.due(now, excluded, limit - len(found), [session], busy_sites)
        return found

    def served(self, session_id: str) -> None:
        """Note that a session's download began."""
        self._number += 1
        self._served.pop(session_id, None)
        self._served[session_id] = self._number
        if len(self._served) > REMEMBERED:
            self._served.pop(next(iter(self._served)))
