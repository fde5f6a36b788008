"""The part of a transaction about the files of jobs, planned and placed.

Tables: reads and writes `files`; reads `jobs`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store.rows import Rows

# The ids in a JSON list, and those of all descendants.
BELOW: Final = (
    "WITH RECURSIVE below (id) AS (SELECT value FROM json_each(?) "
    "UNION SELECT jobs.id FROM below JOIN jobs ON parent_id = below.id)"
)


class FileRows(Rows):
    """The files of jobs: planned while they have a temporary path, then placed."""

    def plan_files(self, job_id: str, files: Sequence[JobFile]) -> None:
        """Replace a job's files by those that its download made, with their future names."""
        self._connection.execute(
            "DELETE FROM files WHERE job_id = ? AND title_id IS NULL", (job_id,)
        )
        self._connection.executemany(
            "INSERT INTO files (job_id, filename, filesize, temp_path, main, role) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [
                (job_id, file.filename, file.filesize, file.temp_path, int(file.main), file.role)
                for file in files
            ],
        )

    def files(self, job_id: str, *, planned: bool | None = None) -> list[JobFile]:
        """Return a job's files: all, only planned ones, or only placed ones."""
        clause = {None: "", True: "AND temp_path IS NOT NULL", False: "AND temp_path IS NULL"}
        rows = self._rows(
            f"SELECT * FROM files WHERE job_id = ? {clause[planned]} ORDER BY id",  # noqa: S608 - fixed clauses
            job_id,
        )
        return [_decode(row) for row in rows]

    def owned_files(self, job_ids: Collection[str], *, titles: bool = True) -> list[JobFile]:
        """Return the files of jobs and of their descendants, planned and placed.

        Without ``titles`` those are left out that are also a title's. A file that is moved now is
        returned with both names.
        """
        clause = "" if titles else " WHERE title_id IS NULL"
        rows = self._rows(
            f"{BELOW} SELECT files.* FROM below JOIN files ON job_id = below.id{clause}",  # noqa: S608 - fixed clauses
            json.dumps(list(job_ids)),
        )
        moving = [row for row in rows if row["move_to"]]
        return [
            *(_decode(row) for row in rows),
            *(_decode(row).model_copy(update={"filename": row["move_to"]}) for row in moving),
        ]

    def files_placed(self, job_id: str, placed: Sequence[JobFile] = ()) -> None:
        """Mark a job's files as placed, and take their names from other jobs.

        The names were free, so the files of those jobs are gone, or where they were to be moved.
        ``placed`` has their identities.
        """
        fault("before-completion")
        self._connection.execute(
            "DELETE FROM files WHERE job_id IS NOT ? AND move_to IS NULL "
            "AND filename IN (SELECT filename FROM files WHERE job_id = ?)",
            (job_id, job_id),
        )
        self._connection.execute("UPDATE files SET temp_path = NULL WHERE job_id = ?", (job_id,))
        self._connection.executemany(
            "UPDATE files SET identity = ? WHERE job_id = ? AND filename = ?",
            [(file.identity, job_id, file.filename) for file in placed],
        )

    def forget_files(self, job_id: str) -> None:
        """Delete a job's planned files."""
        self._connection.execute(
            "DELETE FROM files WHERE job_id = ? AND temp_path IS NOT NULL", (job_id,)
        )

    def planned_jobs(self) -> set[str]:
        """Return the ids of jobs that have planned files."""
        rows = self._rows("SELECT DISTINCT job_id FROM files WHERE temp_path IS NOT NULL")
        return {row["job_id"] for row in rows}

    def planned_names(self, job_id: str) -> set[str]:
        """Return the names that the planned files of other jobs will get."""
        rows = self._rows(
            "SELECT filename FROM files WHERE temp_path IS NOT NULL AND job_id != ?", job_id
        )
        return {row["filename"] for row in rows}


def _decode(row: sqlite3.Row) -> JobFile:
    return JobFile(
        temp_path=row["temp_path"] or "",
        filename=row["filename"],
        filesize=row["filesize"],
        main=bool(row["main"]),
        identity=row["identity"],
        role=FileRole(row["role"]),
    )
