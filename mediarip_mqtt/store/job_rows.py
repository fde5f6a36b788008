"""The part of a transaction that adds, changes, deletes and finds jobs.

Tables: reads and writes `jobs`; triggers of the schema keep `job_counts`.
Reads `subscription_items` and `subscriptions`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobStatus, utc_iso
from mediarip_mqtt.contract.urls import host_of
from mediarip_mqtt.store.job_columns import decode_job, encode, encode_job
from mediarip_mqtt.store.rows import marks, only
from mediarip_mqtt.store.session_rows import SessionRows

# Options that make two downloads equal.
_COMPARED: Final = frozenset(DownloadOptions.model_fields) - {"on_duplicate"}


class JobRows(SessionRows):
    """The jobs; other parts about jobs build on it."""

    def insert(self, job: Job, *, is_playlist: bool = False) -> None:
        """Add a job, and its session if that is new."""
        self._see_session(job.session_id, job.created_at)
        columns = encode_job(job) | {"is_playlist": int(is_playlist), "host": host_of(job.url)}
        self._connection.execute(
            f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks(columns)})",  # noqa: S608 - our own column names
            tuple(columns.values()),
        )
        self.touch(job)

    def update(self, job_id: str, **values: Any) -> Job:
        """Change fields of a job that have a column; return the job as it is now.

        Raises `LookupError` if there is no such job.
        """
        columns = encode(values)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._connection.execute(
            f"UPDATE jobs SET {assignments} WHERE id = ?",  # noqa: S608 - our own column names
            (*columns.values(), job_id),
        )
        job = self.job(job_id)
        if job is None:
            raise LookupError(job_id)
        self.touch(job)
        return job

    def touch(self, job: Job) -> None:
        """Mark a job, and its playlist, as changed."""
        self.changes.jobs[job.id] = job.session_id
        if job.parent_id:
            self.changes.jobs[job.parent_id] = job.session_id
        self.changes.queue = True
        self._touch_subscriptions(job.id)

    def delete(self, job: Job) -> None:
        """Delete a job and all its descendants."""
        self._touch_subscriptions(job.id)
        for descendant in self.descendants(job.id):
            self.changes.jobs[descendant.id] = job.session_id
        # The schema deletes what refers to it: items, files, checkpoints.
        self._connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
        self.touch(job)

    def job(self, job_id: str) -> Job | None:
        """Return a job by its full id."""
        row = self._row("SELECT * FROM jobs WHERE id = ?", job_id)
        return self._decode(row) if row else None

    def statuses(self, job_ids: Collection[str]) -> dict[str, JobStatus]:
        """Return the status of each of these jobs that is in the store."""
        rows = self._rows(
            f"SELECT id, status FROM jobs WHERE id IN ({marks(job_ids)})",  # noqa: S608 - question marks only
            *job_ids,
        )
        return {row["id"]: JobStatus(row["status"]) for row in rows}

    def jobs(  # noqa: PLR0913 - one filter each
        self,
        *,
        statuses: Collection[JobStatus] = (),
        session_id: str | None = None,
        parent_id: str | None = None,
        before: datetime | Job | None = None,
        prefix: str | None = None,
        top_level: bool = False,
        newest_first: bool = True,
        limit: int = 50,
    ) -> list[Job]:
        """Return the jobs that match all filters, sorted by creation time.

        ``before`` is a creation time, or the last job of the page before: with a job, jobs created
        in the same millisecond are not skipped. ``prefix`` is the start of an id.
        """
        clause, values = only(session_id=session_id, parent_id=parent_id)
        if statuses:
            clause += f" AND status IN ({marks(statuses)})"
            values += statuses
        if isinstance(before, Job):
            clause += " AND (created_at, id) < (?, ?)"
            values += [utc_iso(before.created_at), before.id]
        elif before is not None:
            clause += " AND created_at < ?"
            values.append(utc_iso(before))
        if prefix is not None:
            clause += " AND id >= ? AND id < ?"
            values += [prefix, prefix + "\x7f"]
        if top_level:
            clause += " AND parent_id IS NULL"
        order = "DESC" if newest_first else "ASC"
        return self._jobs(
            f"SELECT * FROM jobs WHERE true{clause} "  # noqa: S608 - fixed clauses, values are bound
            f"ORDER BY created_at {order}, id {order} LIMIT ?",
            *values,
            limit,
        )

    def of_ids(self, ids: Collection[str]) -> list[Job]:
        """Return the jobs with these ids that exist, sorted by id."""
        return self._jobs(f"SELECT * FROM jobs WHERE id IN ({marks(ids)}) ORDER BY id", *ids)  # noqa: S608 - only placeholders

    def duplicate_of(self, url: str, like: Job, session_id: str | None = None) -> Job | None:
        """Return the newest job with the same URL and options that did not fail.

        Searches all sessions, or one. Compares only the 200 newest jobs with the URL.
        """
        clause, values = only(session_id=session_id)
        candidates = self._rows(
            "SELECT * FROM jobs WHERE url = ? AND status NOT IN ('failed', 'cancelled')"  # noqa: S608 - fixed clauses, values are bound
            f"{clause} ORDER BY created_at DESC LIMIT 200",
            url,
            *values,
        )
        for row in candidates:
            job = self._decode(row)
            if all(getattr(job, key) == getattr(like, key) for key in _COMPARED):
                return job
        return None

    def descendants(self, job_id: str, statuses: Collection[JobStatus] = ()) -> list[Job]:
        """Return a playlist's items, their items, and so on: parents first, then by age."""
        clause = f"WHERE status IN ({marks(statuses)}) " if statuses else ""
        return self._jobs(
            "WITH RECURSIVE below (id, depth) AS (SELECT id, 1 FROM jobs WHERE parent_id = ? "  # noqa: S608 - fixed clauses, values are bound
            "UNION ALL SELECT jobs.id, depth + 1 FROM below JOIN jobs ON parent_id = below.id) "
            f"SELECT jobs.* FROM below JOIN jobs USING (id) {clause}"
            "ORDER BY depth, created_at, id",
            job_id,
            *statuses,
        )

    def _touch_subscriptions(self, job_id: str) -> None:
        """Mark the subscriptions that a job belongs to: the schema makes items follow it."""
        rows = self._rows(
            "SELECT subscriptions.id, session_id FROM subscription_items JOIN subscriptions "
            "ON subscriptions.id = subscription_id WHERE job_id = ?",
            job_id,
        )
        self.changes.subscriptions |= {row["id"]: row["session_id"] for row in rows}

    def _jobs(self, sql: str, *values: Any) -> list[Job]:
        return [self._decode(row) for row in self._rows(sql, *values)]

    def _decode(self, row: sqlite3.Row) -> Job:
        return decode_job(row, self._count_items(row["id"]) if row["is_playlist"] else None)

    def _count_items(self, playlist_id: str) -> dict[str, int]:
        rows = self._rows(
            "SELECT status, count(*) AS n FROM jobs WHERE parent_id = ? GROUP BY status",
            playlist_id,
        )
        return {row["status"]: row["n"] for row in rows}
