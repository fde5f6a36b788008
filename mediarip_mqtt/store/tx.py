"""What can be read and written in one transaction; all SQL but the schema stands here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import (
    ACTIVE,
    Items,
    Job,
    JobStatus,
    Phase,
    Priority,
    Progress,
    utc_iso,
)
from mediarip_mqtt.contract.urls import host_of
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store.file_rows import BELOW, Files

_PRIORITIES: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
_PRIORITY_NAMES: Final = {number: name for name, number in _PRIORITIES.items()}
_JSON_COLUMNS: Final = frozenset({"tags", "subtitles", "sponsorblock", "embed"})
# Options with a column of their own. Later ones need none: they stand together in `more_options`.
_OPTION_COLUMNS: Final = frozenset(
    (
        "media_type",
        "format_id",
        "quality",
        "preset",
        "output_format",
        "output_template",
        "folder",
        "playlist_items",
        "subtitles",
        "sponsorblock",
        "embed",
        "split_chapters",
        "rate_limit",
        "live_from_start",
    )
)
_MORE_OPTIONS: Final = frozenset(DownloadOptions.model_fields) - _OPTION_COLUMNS
_JOB_COLUMNS: Final = tuple(
    name for name in Job.model_fields if name != "items" and name not in _MORE_OPTIONS
)
FARTHEST_RETRY: Final = timedelta(seconds=4500)  # `jobs.RETRY_LIMIT` fourfold, and its jitter


# Single jobs, and playlists of which anything is kept.
_KEPT: Final = (
    "WITH RECURSIVE above (id, parent_id) AS (SELECT id, parent_id FROM jobs WHERE keep = 1 "
    "UNION SELECT jobs.id, jobs.parent_id FROM above JOIN jobs ON jobs.id = above.parent_id) "
    "SELECT id FROM above WHERE parent_id IS NULL"
)


@dataclass(frozen=True)
class Ended:
    """A job, or a whole playlist, that ended; ``size`` is the bytes of its files."""

    id: str
    completed_at: datetime
    size: int


class Tx(Files):
    """A transaction on the store: jobs, their progress and files."""

    # Jobs

    def insert(self, job: Job, *, is_playlist: bool = False) -> None:
        """Add a job, and its session where that is new."""
        now = utc_iso(job.created_at)
        self._connection.execute(
            "INSERT INTO sessions (id, created_at, last_seen) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
            (job.session_id, now, now),
        )
        values = _encode(job.model_dump(exclude={"items", *_MORE_OPTIONS}))
        if _MORE_OPTIONS:
            values["more_options"] = job.model_dump_json(include=set(_MORE_OPTIONS))
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self._connection.execute(
            f"INSERT INTO jobs ({names}, is_playlist, host) VALUES ({marks}, ?, ?)",  # noqa: S608 - names of our own columns
            (*values.values(), int(is_playlist), host_of(job.url)),
        )
        self.touch(job)

    def update(self, job_id: str, **columns: Any) -> Job:
        """Change columns of a job; return it as it is now."""
        values = _encode(columns)
        assignments = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(
            f"UPDATE jobs SET {assignments} WHERE id = ?",  # noqa: S608 - names of our own columns
            (*values.values(), job_id),
        )
        job = self.job(job_id)
        if job is None:
            raise LookupError(job_id)
        self.touch(job)
        return job

    def touch(self, job: Job) -> None:
        """Mark a job, and the playlist it belongs to, as changed."""
        self.changes.jobs[job.id] = job.session_id
        if job.parent_id:
            self.changes.jobs[job.parent_id] = job.session_id
        self.changes.queue = True

    def delete(self, job: Job) -> None:
        """Remove a job with all below it."""
        for one in reversed([job, *self.descendants(job.id)]):
            self.changes.jobs[one.id] = job.session_id
            # One by one, so that the triggers count.
            self._connection.execute("DELETE FROM jobs WHERE id = ?", (one.id,))
        self.touch(job)

    def job(self, job_id: str) -> Job | None:
        """Return one job."""
        row = self._row("SELECT * FROM jobs WHERE id = ?", job_id)
        return self._decode(row) if row else None

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
        """Return jobs that fit all given filters, by age; ``before`` is a creation time, or a job.

        By the job before it no page leaves any out, also of those made in the same moment.
        """
        clauses: list[str] = []
        values: list[Any] = []
        if statuses:
            clauses.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        for column, value in (("session_id", session_id), ("parent_id", parent_id)):
            if value is not None:
                clauses.append(f"{column} = ?")
                values.append(value)
        if isinstance(before, Job):
            clauses.append("(created_at, id) < (?, ?)")
            values += [utc_iso(before.created_at), before.id]
        elif before is not None:
            clauses.append("created_at < ?")
            values.append(utc_iso(before))
        if prefix is not None:
            clauses.append("id >= ? AND id < ?")
            values += [prefix, prefix + "\x7f"]
        if top_level:
            clauses.append("parent_id IS NULL")
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        order = "DESC" if newest_first else "ASC"
        rows = self._rows(
            f"SELECT * FROM jobs {where} ORDER BY created_at {order}, id {order} LIMIT ?",  # noqa: S608 - clauses are ours
            *values,
            limit,
        )
        return [self._decode(row) for row in rows]

    def descendants(self, job_id: str, statuses: Collection[JobStatus] = ()) -> list[Job]:
        """Return a playlist's items, theirs, and so on: parents before children, then by age."""
        which = f"WHERE status IN ({', '.join('?' * len(statuses))}) " if statuses else ""
        rows = self._rows(
            "WITH RECURSIVE below (id, depth) AS (SELECT id, 1 FROM jobs WHERE parent_id = ? "  # noqa: S608 - clauses are ours
            "UNION ALL SELECT jobs.id, depth + 1 FROM below JOIN jobs ON parent_id = below.id) "
            f"SELECT jobs.* FROM below JOIN jobs USING (id) {which}"
            "ORDER BY depth, created_at, id",
            job_id,
            *statuses,
        )
        return [self._decode(row) for row in rows]

    def ancestors(self, job: Job) -> list[Job]:
        """Return the playlist that a job is an item of, the one that this is an item of, ..."""
        found: list[Job] = []
        while job.parent_id and (parent := self.job(job.parent_id)):
            found.append(job := parent)
        return found

    def finished(
        self, status: JobStatus | None, limit: int, session_id: str | None = None
    ) -> list[Job]:
        """Return the newest finished jobs: of one status, or of any but those that were cleared."""
        which = "cleared_at IS NULL" if status is None else "status = ?"
        whose = "" if session_id is None else " AND session_id = ?"
        rows = self._rows(
            f"SELECT * FROM jobs WHERE completed_at IS NOT NULL AND {which}{whose} "  # noqa: S608 - clauses are ours
            "ORDER BY completed_at DESC LIMIT ?",
            *(value for value in (status, session_id) if value is not None),
            limit,
        )
        return [self._decode(row) for row in rows]

    def ended(self, statuses: Collection[JobStatus], session_id: str | None) -> list[Ended]:
        """Return the jobs that ended and that retention may take, the newest first.

        Without what is kept, and without playlists' items: they go with the playlist.
        """
        sizes = self._rows(
            "WITH RECURSIVE below (id, top) AS (SELECT id, id FROM jobs WHERE parent_id IS NULL "
            "UNION ALL SELECT jobs.id, top FROM below JOIN jobs ON parent_id = below.id) "
            "SELECT top, sum(filesize) AS size FROM files JOIN below ON job_id = below.id "
            "WHERE temp_path IS NULL GROUP BY top"
        )
        size = {row["top"]: row["size"] for row in sizes}
        whose = "" if session_id is None else " AND session_id = ?"
        rows = self._rows(
            f"SELECT id, completed_at FROM jobs WHERE status IN ({', '.join('?' * len(statuses))}) "  # noqa: S608 - clauses are ours
            f"AND completed_at IS NOT NULL AND parent_id IS NULL AND id NOT IN ({_KEPT}){whose} "
            "ORDER BY completed_at DESC, id DESC",
            *statuses,
            *([] if session_id is None else [session_id]),
        )
        return [
            Ended(row["id"], datetime.fromisoformat(row["completed_at"]), size.get(row["id"], 0))
            for row in rows
        ]

    def kept(self) -> set[str]:
        """Return the ids of what is kept: single jobs, and of a playlist all if anything is."""
        tops = [row[0] for row in self._rows(_KEPT)]
        sql = f"{BELOW} SELECT id FROM below"  # noqa: S608 - a text of our own
        return {row[0] for row in self._rows(sql, json.dumps(tops))}

    def is_kept(self, job_id: str) -> bool:
        """Whether a single job, or anything of a playlist, is kept."""
        sql = f"{BELOW} SELECT 1 FROM below JOIN jobs USING (id) WHERE keep = 1"  # noqa: S608 - a text of our own
        return self._row(sql, json.dumps([job_id])) is not None

    def count_kept(self, statuses: Collection[JobStatus], session_id: str | None) -> int:
        """Return how many jobs of some statuses are kept, playlists as one."""
        whose = "" if session_id is None else " AND session_id = ?"
        row = self._row(
            f"SELECT count(*) AS n FROM jobs WHERE id IN ({_KEPT}) "  # noqa: S608 - clauses are ours
            f"AND status IN ({', '.join('?' * len(statuses))}){whose}",
            *statuses,
            *([] if session_id is None else [session_id]),
        )
        return int(row["n"]) if row else 0

    def completed_since(self, moment: datetime) -> int:
        """Return how many jobs were completed since a moment."""
        row = self._row(
            "SELECT count(*) AS n FROM jobs WHERE status = 'completed' AND completed_at >= ?",
            utc_iso(moment),
        )
        return int(row["n"]) if row else 0

    def clear(self, now: datetime, job_id: str | None, session_id: str | None) -> int:
        """Hide finished jobs: one, a session's, or all; return how many."""
        clauses = ["completed_at IS NOT NULL", "cleared_at IS NULL"]
        chosen = {"id": job_id, "session_id": session_id}
        clauses += [f"{column} = ?" for column, value in chosen.items() if value is not None]
        rows = self._rows(
            f"UPDATE jobs SET cleared_at = ? WHERE {' AND '.join(clauses)} RETURNING session_id",  # noqa: S608 - clauses are ours
            utc_iso(now),
            *(value for value in chosen.values() if value is not None),
        )
        self.changes.queue = True
        self.changes.cleared |= {row["session_id"] for row in rows}
        return len(rows)

    def page(self, after: str, limit: int) -> list[Job]:
        """Return jobs in the order of their ids, from behind ``after``."""
        rows = self._rows("SELECT * FROM jobs WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        return [self._decode(row) for row in rows]

    def running(self, session_id: str | None = None) -> list[Job]:
        """Return the jobs that are under way, the longest-running first."""
        whose = "" if session_id is None else "AND session_id = ? "
        rows = self._rows(
            "SELECT * FROM jobs WHERE status IN ('extracting', 'downloading', 'processing') "  # noqa: S608 - clauses are ours
            f"{whose}ORDER BY started_at, id",
            *([session_id] if session_id is not None else []),
        )
        return [self._decode(row) for row in rows]

    def queue(self, limit: int, session_id: str | None = None) -> list[Job]:
        """Return waiting jobs in the order in which they will run, due or not."""
        whose = "" if session_id is None else "AND session_id = ? "
        rows = self._rows(
            "SELECT * FROM jobs WHERE status IN ('queued', 'retrying', 'paused') "  # noqa: S608 - clauses are ours
            f"{whose}ORDER BY priority, created_at, id LIMIT ?",
            *([session_id] if session_id is not None else []),
            limit,
        )
        return [self._decode(row) for row in rows]

    def due(
        self,
        now: datetime,
        excluded: Collection[str],
        limit: int,
        sessions: Collection[str] | None = None,
        busy_sites: Mapping[str, bool] | None = None,
    ) -> list[Job]:
        """Return the jobs that run next, by priority, then age.

        Left out are those of the ids ``excluded``, and those of hosts whose site is busy: the most
        exact of ``busy_sites`` that the host is, or is below.
        """
        # A retry is never further away: the clock was set back since.
        moment, far = utc_iso(now), utc_iso(now + FARTHEST_RETRY)
        whose = "" if sessions is None else f"AND session_id IN ({', '.join('?' * len(sessions))}) "
        site, sites = "", []
        if busy_sites:
            cases = " WHEN host = lower(?) OR host LIKE '%.' || ? THEN ?" * len(busy_sites)
            site = f" AND NOT CASE{cases} ELSE 0 END"
            exact = sorted(busy_sites.items(), key=lambda one: -len(one[0]))
            sites = [value for name, busy in exact for value in (name, name, busy)]
        found: list[sqlite3.Row] = []
        for status, extra in (
            ("queued", ""),
            ("retrying", " AND (next_retry_at <= ? OR next_retry_at > ?)"),
        ):
            values = [status, moment, *([moment, far] if extra else [])]
            found += self._rows(
                "SELECT * FROM jobs WHERE status = ? AND (not_before IS NULL OR not_before <= ?)"  # noqa: S608 - clauses are ours
                f"{extra} AND id NOT IN ({', '.join('?' * len(excluded))}){site} {whose}"
                "ORDER BY priority, created_at, id LIMIT ?",
                *values,
                *excluded,
                *sites,
                *(sessions or ()),
                limit,
            )
        return [self._decode(row) for row in sorted(found, key=_rank)[:limit]]

    def waiting_sessions(self) -> list[str]:
        """Return the sessions that have jobs in the queue."""
        rows = self._rows(
            "SELECT DISTINCT session_id FROM job_counts "
            "WHERE status IN ('queued', 'retrying') AND n > 0"
        )
        return [row["session_id"] for row in rows]

    def shift_retries(self, difference: timedelta) -> None:
        """Move the times of all retries: the clock was set."""
        for job in self.jobs(statuses={JobStatus.RETRYING}, limit=1_000_000):
            if job.next_retry_at is not None:
                self.update(job.id, next_retry_at=job.next_retry_at + difference)

    def next_time(self, now: datetime) -> datetime | None:
        """Return when the next job that waits for a time becomes due."""
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

    def count_crash(self, job_id: str) -> int:
        """Note that the process died while it read a job's page; return how often it did."""
        sql = "UPDATE jobs SET crashes = crashes + 1 WHERE id = ? RETURNING crashes"
        return int(self._rows(sql, job_id)[0]["crashes"])

    def suspects(self) -> list[tuple[str, int, JobStatus]]:
        """Return the unfinished jobs at whose pages the process died, and how often it did."""
        sql = "SELECT id, crashes, status FROM jobs WHERE crashes > 0 AND completed_at IS NULL"
        return [(row["id"], row["crashes"], JobStatus(row["status"])) for row in self._rows(sql)]

    def is_playlist(self, job_id: str) -> bool:
        """Whether a job has items instead of a file."""
        row = self._row("SELECT is_playlist FROM jobs WHERE id = ?", job_id)
        return bool(row and row["is_playlist"])

    def items(self, job_id: str) -> dict[str, int]:
        """Return how many of a playlist's items have which status."""
        rows = self._rows(
            "SELECT status, count(*) AS n FROM jobs WHERE parent_id = ? GROUP BY status", job_id
        )
        return {row["status"]: row["n"] for row in rows}

    def mean_progress(self, job_id: str) -> float:
        """Return the mean progress of a playlist's items; those that ended count as done."""
        row = self._row(
            "SELECT avg(CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN 100.0 "
            "ELSE progress_percent END) AS mean FROM jobs WHERE parent_id = ?",
            job_id,
        )
        return float(row["mean"] or 0.0) if row else 0.0

    def counts(self, session_id: str | None = None) -> dict[str, int]:
        """Return how many jobs have which status, every status named."""
        whose = "" if session_id is None else "WHERE session_id = ? "
        rows = self._rows(
            f"SELECT status, sum(n) AS n FROM job_counts {whose}GROUP BY status",  # noqa: S608 - clauses are ours
            *([session_id] if session_id is not None else []),
        )
        found = {row["status"]: row["n"] for row in rows}
        return {status.value: found.get(status, 0) for status in JobStatus}

    def duplicate_of(self, url: str, like: Job, session_id: str | None = None) -> Job | None:
        """Return the newest job, of a session or of all, that did or will do the same."""
        for row in self._rows(
            "SELECT * FROM jobs WHERE url = ? AND status NOT IN ('failed', 'cancelled') "
            "AND coalesce(?, session_id) = session_id ORDER BY created_at DESC LIMIT 200",
            url,
            session_id,
        ):
            job = self._decode(row)
            if all(getattr(job, key) == getattr(like, key) for key in DownloadOptions.model_fields):
                return job
        return None

    # Progress

    def save_progress(self, progress: Iterable[Progress]) -> None:
        """Write the progress of running jobs, all in this transaction.

        Leaves no marks: the one that saves knows better how seldom it shall be published.
        """
        fault("before-progress-commit")
        rows = [
            (
                one.progress_percent,
                one.speed,
                one.eta,
                one.phase,
                one.downloaded_bytes,
                one.total_bytes,
                utc_iso(one.updated_at),
                one.status,
                one.id,
            )
            for one in progress
        ]
        self._connection.executemany(
            "UPDATE jobs SET progress_percent = max(progress_percent, ?), speed = ?, eta = ?, "
            "phase = ?, downloaded_bytes = ?, total_bytes = ?, progress_at = ?, status = ? "
            "WHERE id = ? AND status IN ('extracting', 'downloading', 'processing')",
            rows,
        )

    def progress(self, job_id: str) -> Progress | None:
        """Return a job's progress; None where it never ran."""
        row = self._row("SELECT * FROM jobs WHERE id = ? AND phase IS NOT NULL", job_id)
        if row is None:
            return None
        moment = row["progress_at"] or row["completed_at"] or row["created_at"]
        active = row["status"] in ACTIVE
        return Progress(
            id=job_id,
            status=JobStatus(row["status"]),
            phase=Phase(row["phase"]),
            progress_percent=row["progress_percent"],
            downloaded_bytes=row["downloaded_bytes"],
            total_bytes=row["total_bytes"],
            speed=row["speed"] if active else None,
            eta=row["eta"] if active else None,
            updated_at=datetime.fromisoformat(moment),
        )

    def never_ran(self, job_id: str) -> bool:
        """Whether a job is there that has not run yet."""
        row = self._row("SELECT started_at FROM jobs WHERE id = ?", job_id)
        return row is not None and row["started_at"] is None

    # Inside

    def _decode(self, row: sqlite3.Row) -> Job:
        values = {name: row[name] for name in _JOB_COLUMNS}
        values["priority"] = _PRIORITY_NAMES[row["priority"]]
        values |= {name: json.loads(row[name]) for name in _JSON_COLUMNS if row[name] is not None}
        if row["more_options"] is not None:
            more = json.loads(row["more_options"])
            values |= {name: more[name] for name in _MORE_OPTIONS if name in more}
        if row["status"] not in ACTIVE:
            values["speed"] = values["eta"] = None
        if row["is_playlist"]:
            counts = self.items(row["id"])
            values["items"] = Items(
                total=sum(counts.values()),
                completed=counts.get("completed", 0),
                failed=counts.get("failed", 0),
                cancelled=counts.get("cancelled", 0),
            )
        return Job(**values)


def _rank(row: sqlite3.Row) -> tuple[int, str, str]:
    return row["priority"], row["created_at"], row["id"]


def _encode(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return column values as SQLite takes them."""
    values: dict[str, Any] = {}
    for name, value in columns.items():
        if isinstance(value, datetime):
            values[name] = utc_iso(value)
        elif name == "priority":
            values[name] = _PRIORITIES[value]
        elif name in _JSON_COLUMNS:
            values[name] = None if value is None else json.dumps(value, ensure_ascii=False)
        elif isinstance(value, bool):
            values[name] = int(value)
        else:
            values[name] = value
    return values
