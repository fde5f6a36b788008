"""The part of a transaction about sessions.

Tables: writes `sessions`; reads `jobs`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows


class SessionRows(Rows):
    """The sessions that have jobs, or had some recently."""

    def _see_session(self, session_id: str, now: datetime) -> None:
        self._connection.execute(
            "INSERT INTO sessions (id, created_at, last_seen) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
            (session_id, utc_iso(now), utc_iso(now)),
        )

    def forget_sessions(self, before: datetime) -> None:
        """Delete sessions that have no jobs and were last seen before a time."""
        self._connection.execute(
            "DELETE FROM sessions WHERE last_seen < ? "
            "AND NOT EXISTS (SELECT 1 FROM jobs WHERE session_id = sessions.id)",
            (utc_iso(before),),
        )
