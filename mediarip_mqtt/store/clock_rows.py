"""The part of a transaction about times that a wrong system clock has stamped.

Tables: reads and writes `jobs`, `requests`, `sessions`, `deliveries`, `error_log`,
`unsupported_urls` and `subscriptions`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows

SLACK: Final = timedelta(minutes=1)  # by which a right clock may be set back
STAMPS: Final = {
    "jobs": ("created_at", "started_at", "progress_at", "completed_at", "cleared_at"),
    "requests": ("created_at",),
    "sessions": ("created_at", "last_seen"),
    "deliveries": ("created_at",),
    "error_log": ("created_at",),
    "unsupported_urls": ("created_at",),
}


class ClockRows(Rows):
    """Times in the store, after the clock was set."""

    def shift_times(self, since: datetime, until: datetime, difference: timedelta) -> None:
        """Move all times from ``since`` to ``until``, which a wrong clock stamped."""
        window = (utc_iso(since), utc_iso(until))
        for table, columns in STAMPS.items():
            for column in columns:
                rows = self._rows(
                    f"SELECT rowid AS number, {column} AS at FROM {table} "  # noqa: S608 - fixed names
                    f"WHERE {column} BETWEEN ? AND ?",
                    *window,
                )
                self._connection.executemany(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608 - the same
                    [(_moved(row["at"], difference), row["number"]) for row in rows],
                )
                if table == "jobs" and rows:
                    self._mark([row["number"] for row in rows])

    def shift_checks(self, since: datetime, until: datetime, difference: timedelta) -> None:
        """Move the plans of subscriptions that were checked while the clock was wrong."""
        rows = self._rows(
            "SELECT id, session_id, last_checked_at, next_check_at, listed_at, feed_again_at "
            "FROM subscriptions WHERE last_checked_at BETWEEN ? AND ?",
            utc_iso(since),
            utc_iso(until),
        )
        for row in rows:
            for column in ("last_checked_at", "next_check_at", "listed_at", "feed_again_at"):
                if row[column] is not None:
                    self._connection.execute(
                        f"UPDATE subscriptions SET {column} = ? WHERE id = ?",  # noqa: S608 - fixed names
                        (_moved(row[column], difference), row["id"]),
                    )
            self.changes.subscriptions[row["id"]] = row["session_id"]

    def correct_ends(self, now: datetime) -> int:
        """Move ends that are before an earlier job's creation to ``now``; return their number.

        The clock was behind when such a job ended: its age is unknown, and counts from here. Does
        nothing if ``now`` is itself before times in the store: then this clock may be behind.
        Imported jobs (no attempt) are old and come late.
        """
        newest = self._row("SELECT max(max(created_at), max(completed_at)) AS at FROM jobs")
        if newest is None or (newest["at"] or "") > utc_iso(now + SLACK):
            return 0
        rows = self._rows(
            "SELECT number, completed_at, latest FROM (SELECT rowid AS number, completed_at, "
            "attempt, max(created_at) OVER (ORDER BY rowid) AS latest FROM jobs) "
            "WHERE attempt > 0 AND completed_at < latest"
        )
        behind = [row for row in rows if _moved(row["completed_at"], SLACK) < row["latest"]]
        self._connection.executemany(
            "UPDATE jobs SET created_at = max(created_at, ?1), started_at = max(started_at, ?1), "
            "completed_at = ?2 WHERE rowid = ?3",
            [(row["latest"], utc_iso(now), row["number"]) for row in behind],
        )
        self._mark([row["number"] for row in behind])
        return len(behind)

    def _mark(self, rowids: list[int]) -> None:
        """Have the jobs published again."""
        for rowid in rowids:
            row = self._row("SELECT id, session_id FROM jobs WHERE rowid = ?", rowid)
            if row is not None:
                self.changes.jobs[row["id"]] = row["session_id"]
                self.changes.queue = True


def _moved(text: str, difference: timedelta) -> str:
    try:
        return utc_iso(datetime.fromisoformat(text) + difference)
    except OverflowError:
        return text
