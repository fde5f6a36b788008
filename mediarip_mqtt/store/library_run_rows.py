"""The part of a transaction about work on many titles, in chunks, and about what it looks at.

Tables: reads and writes `library_runs`; reads `files` and `jobs`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mediarip_mqtt.contract.library_runs import LibraryRun
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows, marks, only


@dataclass(frozen=True)
class FileOwner:
    """Who has a name below the root: a title, a job, or both."""

    title_id: str | None
    job_id: str | None
    placed: bool  # not a job's file that is still on its way


class LibraryRunRows(Rows):
    """Runs: started once, continued from their position, deleted at their end."""

    def start_run(self, run: LibraryRun) -> LibraryRun:
        """Add a run; return the one that is under way if it is the same work."""
        columns = run.model_dump(exclude={"id", "started_at"}) | {
            "started_at": utc_iso(run.started_at)
        }
        self._connection.execute(
            f"INSERT OR IGNORE INTO library_runs ({', '.join(columns)}) "  # noqa: S608 - our own column names
            f"VALUES ({marks(columns)})",
            tuple(columns.values()),
        )
        self.changes.runs = True
        same = (run.kind, run.session_id, run.folder)
        return next(
            known
            for known in self.library_runs()
            if (known.kind, known.session_id, known.folder) == same
        )

    def library_runs(self) -> list[LibraryRun]:
        """Return the runs that have not ended, the oldest first."""
        return [_decode(row) for row in self._rows("SELECT * FROM library_runs ORDER BY id")]

    def update_run(self, run: LibraryRun) -> None:
        """Commit how far a run has come."""
        self._connection.execute(
            "UPDATE library_runs SET position = ?, checked = ?, changed = ?, skipped = ? "
            "WHERE id = ?",
            (run.position, run.checked, run.changed, run.skipped, run.id),
        )
        self.changes.runs = True

    def end_run(self, run_id: int) -> None:
        """Delete a run that has ended."""
        self._connection.execute("DELETE FROM library_runs WHERE id = ?", (run_id,))
        self.changes.runs = True

    def jobs_without_title(
        self, after: str, limit: int, session_id: str | None = None
    ) -> list[str]:
        """Return the ids, behind one, of completed jobs whose medium is no title's."""
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"{_WITHOUT_TITLE}{clause} AND id > ? ORDER BY id LIMIT ?", *values, after, limit
        )
        return [row["id"] for row in rows]

    def count_jobs_without_title(self, session_id: str | None = None) -> int:
        """Return how many completed jobs have a medium that is no title's."""
        clause, values = only(session_id=session_id)
        row = self._row(f"SELECT count(*) AS n FROM ({_WITHOUT_TITLE}{clause})", *values)  # noqa: S608 - fixed clauses, values are bound
        return row["n"] if row else 0

    def file_owners(self, filenames: Collection[str]) -> dict[str, FileOwner]:
        """Return who has these names now, or will have them."""
        rows = self._rows(
            "WITH wanted AS (SELECT value AS name FROM json_each(?)) "
            "SELECT name, files.* FROM wanted JOIN files ON filename = name UNION ALL "
            "SELECT name, files.* FROM wanted JOIN files ON move_to = name "
            "WHERE move_to IS NOT NULL AND title_id IS NOT NULL",
            json.dumps(list(filenames)),
        )
        return {
            row["name"]: FileOwner(row["title_id"], row["job_id"], row["temp_path"] is None)
            for row in rows
        }


_WITHOUT_TITLE = (
    "SELECT id FROM jobs WHERE status = 'completed' AND title_id IS NULL "
    "AND EXISTS (SELECT 1 FROM files WHERE job_id = jobs.id AND main = 1 "
    "AND temp_path IS NULL AND files.title_id IS NULL)"
)


def _decode(row: sqlite3.Row) -> LibraryRun:
    values: dict[str, Any] = {name: row[name] for name in LibraryRun.model_fields}
    return LibraryRun(**values)
