"""The part of a transaction about the queue: what runs, what runs next, and when.

Tables: reads `jobs` and `job_counts`; writes `jobs`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from mediarip_mqtt.contract.models import Job, JobStatus, utc_iso
from mediarip_mqtt.store.job_rows import JobRows
from mediarip_mqtt.store.rows import marks, only

FARTHEST_RETRY: Final = timedelta(seconds=4500)  # 4 * `RETRY_LIMIT` of jobs, and jitter


class QueueRows(JobRows):
    """The jobs that wait or run."""

    def running(self, session_id: str | None = None) -> list[Job]:
        """Return the jobs that are active, the longest-running first."""
        clause, values = only(session_id=session_id)
        return self._jobs(
            "SELECT * FROM jobs WHERE status IN ('extracting', 'downloading', 'processing')"  # noqa: S608 - fixed clauses, values are bound
            f"{clause} ORDER BY started_at, id",
            *values,
        )

    def queue(self, limit: int, session_id: str | None = None) -> list[Job]:
        """Return waiting jobs, due or not, in the order in which they will run."""
        clause, values = only(session_id=session_id)
        return self._jobs(
            "SELECT * FROM jobs WHERE status IN ('queued', 'retrying', 'paused')"  # noqa: S608 - fixed clauses, values are bound
            f"{clause} ORDER BY priority, created_at, id LIMIT ?",
            *values,
            limit,
        )

    def due(
        self,
        now: datetime,
        excluded: Collection[str],
        limit: int,
        sessions: Collection[str] | None = None,
        busy_sites: Mapping[str, bool] | None = None,
    ) -> list[Job]:
        """Return the jobs that run next, by priority, then age.

        Skips the job ids in ``excluded`` and the hosts whose site is busy. ``busy_sites`` maps
        domains to whether they are busy; the most specific domain that matches a host decides.
        """
        clause, values = f" AND id NOT IN ({marks(excluded)})", [*excluded]
        if busy_sites:
            condition, site_values = _not_busy(busy_sites)
            clause, values = clause + condition, values + site_values
        if sessions is not None:
            clause += f" AND session_id IN ({marks(sessions)})"
            values += sessions
        retry_due = " AND (next_retry_at <= ? OR next_retry_at > ?)"
        # A retry farther away than any can be is due: the clock was set back since.
        retry_times = [utc_iso(now), utc_iso(now + FARTHEST_RETRY)]
        rows: list[sqlite3.Row] = []
        # One query for each status: each is answered in the order of the index.
        for status, when, times in (
            (JobStatus.QUEUED, "", []),
            (JobStatus.RETRYING, retry_due, retry_times),
        ):
            rows += self._rows(
                "SELECT * FROM jobs WHERE status = ? AND (not_before IS NULL OR not_before <= ?)"  # noqa: S608 - fixed clauses, values are bound
                f"{when}{clause} ORDER BY priority, created_at, id LIMIT ?",
                status,
                utc_iso(now),
                *times,
                *values,
                limit,
            )
        return [self._decode(row) for row in sorted(rows, key=_rank)[:limit]]

    def next_time(self, now: datetime) -> datetime | None:
        """Return when the next job with a retry time or `not_before` becomes due."""
        row = self._row(
            "SELECT min(due) AS due FROM ("
            "SELECT min(next_retry_at) AS due FROM jobs "
            "WHERE status = 'retrying' AND next_retry_at > ? "
            "UNION ALL SELECT min(not_before) FROM jobs "
            "WHERE status = 'queued' AND not_before > ?)",
            utc_iso(now),
            utc_iso(now),
        )
        return datetime.fromisoformat(row["due"]) if row and row["due"] else None

    def shift_retries(self, difference: timedelta) -> None:
        """Move the times of all retries, after the clock was set."""
        for job in self.jobs(statuses={JobStatus.RETRYING}, limit=1_000_000):
            if job.next_retry_at is not None:
                self.update(job.id, next_retry_at=job.next_retry_at + difference)

    def waiting_sessions(self) -> list[str]:
        """Return the sessions that have queued or retrying jobs."""
        rows = self._rows(
            "SELECT DISTINCT session_id FROM job_counts "
            "WHERE status IN ('queued', 'retrying') AND n > 0"
        )
        return [row["session_id"] for row in rows]

    def counts(self, session_id: str | None = None) -> dict[str, int]:
        """Return the number of jobs in each status, zeros included."""
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"SELECT status, sum(n) AS n FROM job_counts WHERE true{clause} GROUP BY status",  # noqa: S608 - fixed clauses, values are bound
            *values,
        )
        counted = {row["status"]: row["n"] for row in rows}
        return {status.value: counted.get(status, 0) for status in JobStatus}


def _not_busy(busy_sites: Mapping[str, bool]) -> tuple[str, list[Any]]:
    """Return the condition that a job's host belongs to no busy site, and its values."""
    cases = " WHEN host = lower(?) OR host LIKE '%.' || ? THEN ?" * len(busy_sites)
    most_specific_first = sorted(busy_sites.items(), key=lambda site: -len(site[0]))
    values = [value for name, busy in most_specific_first for value in (name, name, busy)]
    return f" AND NOT CASE{cases} ELSE 0 END", values


def _rank(row: sqlite3.Row) -> tuple[int, str, str]:
    return row["priority"], row["created_at"], row["id"]
