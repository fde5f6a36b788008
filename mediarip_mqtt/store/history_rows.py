"""The part of a transaction about finished jobs in lists: the newest ones, and clearing them.

Tables: reads and writes `jobs`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import Job, JobStatus, utc_iso
from mediarip_mqtt.store.job_rows import JobRows
from mediarip_mqtt.store.rows import only


class HistoryRows(JobRows):
    """The finished jobs."""

    def finished(
        self, status: JobStatus | None, limit: int, session_id: str | None = None
    ) -> list[Job]:
        """Return the newest finished jobs: those with the status, or all that were not cleared."""
        clause, values = only(status=status, session_id=session_id)
        if status is None:
            clause += " AND cleared_at IS NULL"
        return self._jobs(
            f"SELECT * FROM jobs WHERE completed_at IS NOT NULL{clause} "  # noqa: S608 - fixed clauses, values are bound
            "ORDER BY completed_at DESC LIMIT ?",
            *values,
            limit,
        )

    def completed_since(self, moment: datetime) -> int:
        """Return the number of jobs that were completed since a moment."""
        row = self._row(
            "SELECT count(*) AS n FROM jobs WHERE status = 'completed' AND completed_at >= ?",
            utc_iso(moment),
        )
        return int(row["n"]) if row else 0

    def clear(self, now: datetime, job_id: str | None, session_id: str | None) -> int:
        """Hide finished jobs from lists: one job, a session's, or all; return their number."""
        clause, values = only(id=job_id, session_id=session_id)
        rows = self._rows(
            "UPDATE jobs SET cleared_at = ? "  # noqa: S608 - fixed clauses, values are bound
            f"WHERE completed_at IS NOT NULL AND cleared_at IS NULL{clause} RETURNING session_id",
            utc_iso(now),
            *values,
        )
        self.changes.queue = True
        self.changes.cleared |= {row["session_id"] for row in rows}
        return len(rows)
