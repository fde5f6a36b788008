"""The part of a transaction about media that another program has downloaded: known, without a file.

Tables: reads and writes `known_media`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows, only


class KnownRows(Rows):
    """Media by site and id, as archives of yt-dlp name them."""

    def add_known(self, extractor: str, source_id: str, session_id: str, now: datetime) -> bool:
        """Remember a medium; return whether it is new."""
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO known_media (extractor, source_id, session_id, created_at) "
            "VALUES (lower(?), ?, ?, ?)",
            (extractor, source_id, session_id, utc_iso(now)),
        )
        return cursor.rowcount > 0

    def is_known(self, extractor: str, source_id: str, session_id: str | None = None) -> bool:
        """Whether a medium is remembered, by any session or by one."""
        clause, values = only(session_id=session_id)
        row = self._row(
            "SELECT 1 FROM known_media WHERE extractor = lower(?) AND source_id = ?"  # noqa: S608 - fixed clauses, values are bound
            f"{clause}",
            extractor,
            source_id,
            *values,
        )
        return row is not None
