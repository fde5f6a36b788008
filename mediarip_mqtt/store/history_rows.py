"""The part of a transaction about finished jobs in lists: the newest ones, and clearing them.

Tables: reads and writes `jobs`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from mediarip_mqtt.contract.models import Job, JobStatus, utc_iso
from mediarip_mqtt.store.job_rows import JobRows
from mediarip_mqtt.store.rows import only


class FinishedAt(NamedTuple):
    """The place of a finished job in the order of their ends."""

    completed_at: str
    job_id: str

    @classmethod
    def of(cls, job: Job) -> FinishedAt | None:
        """Return the place of a job; None if it has not finished."""
        return cls(utc_iso(job.completed_at), job.id) if job.completed_at else None


class HistoryRows(JobRows):
    """The finished jobs."""

    def finished(
        self,
        status: JobStatus | None,
        limit: int,
        session_id: str | None = None,
        *,
        cleared: bool = True,
    ) -> list[Job]:
        """Return the newest finished jobs: those with the status, or all that were not cleared.

        ``cleared``: with a status, return cleared ones, too.
        """
        clause, values = only(status=status, session_id=session_id)
        if status is None or not cleared:
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

    def oldest_of_newest(self, count: int) -> FinishedAt | None:
        """Return the place of the last of the newest ``count`` jobs; None if there are fewer."""
        row = self._row(
            "SELECT completed_at, id FROM jobs WHERE completed_at IS NOT NULL "
            "ORDER BY completed_at DESC, id DESC LIMIT 1 OFFSET ?",
            count - 1,
        )
        return FinishedAt(*row) if row else None

    def finished_between(self, start: FinishedAt | None, end: FinishedAt | None) -> list[Job]:
        """Return the jobs from ``start`` on, and before ``end``; None: without a bound."""
        first, last = start or ("", ""), end or ("\x7f", "")
        return self._jobs(
            "SELECT * FROM jobs WHERE completed_at BETWEEN ? AND ? "
            "AND (completed_at, id) >= (?, ?) AND (completed_at, id) < (?, ?)",
            first[0],
            last[0],
            *first,
            *last,
        )

    def unfinished_or_since(self, oldest: FinishedAt | None) -> list[str]:
        """Return the ids of the jobs that have not finished, or not before ``oldest``; sorted."""
        first = oldest or ("", "")
        rows = self._rows(
            "SELECT id FROM jobs WHERE completed_at IS NULL "
            "UNION ALL SELECT id FROM jobs WHERE completed_at >= ? "
            "AND (completed_at, id) >= (?, ?) ORDER BY id",
            first[0],
            *first,
        )
        return [row["id"] for row in rows]
