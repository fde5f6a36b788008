"""The part of a transaction about retention: which finished jobs may be removed, which are kept.

Tables: reads `jobs` and `files`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store.file_rows import BELOW
from mediarip_mqtt.store.rows import Rows, marks, only

# The ids of single jobs that are kept, and of playlists with at least one kept job below.
_KEPT: Final = (
    "WITH RECURSIVE above (id, parent_id) AS (SELECT id, parent_id FROM jobs WHERE keep = 1 "
    "UNION SELECT jobs.id, jobs.parent_id FROM above JOIN jobs ON jobs.id = above.parent_id) "
    "SELECT id FROM above WHERE parent_id IS NULL"
)


@dataclass(frozen=True)
class RemovableJob:
    """A job, or a whole playlist, that ended; ``size`` is the bytes of its files.

    Files that belong to a title of the library don't count: they stay.
    """

    id: str
    completed_at: datetime
    size: int


class RetentionRows(Rows):
    """The jobs that retention may remove."""

    def ended(self, statuses: Collection[JobStatus], session_id: str | None) -> list[RemovableJob]:
        """Return the ended jobs that retention may remove, the newest first.

        Leaves out kept jobs, and the items of playlists, which are removed with their playlist.
        """
        rows = self._rows(
            "WITH RECURSIVE below (id, top) AS (SELECT id, id FROM jobs WHERE parent_id IS NULL "
            "UNION ALL SELECT jobs.id, top FROM below JOIN jobs ON parent_id = below.id) "
            "SELECT top, sum(filesize) AS size FROM files JOIN below ON job_id = below.id "
            "WHERE temp_path IS NULL AND title_id IS NULL GROUP BY top"
        )
        sizes = {row["top"]: row["size"] for row in rows}
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"SELECT id, completed_at FROM jobs WHERE status IN ({marks(statuses)}) "  # noqa: S608 - fixed clauses, values are bound
            f"AND completed_at IS NOT NULL AND parent_id IS NULL AND id NOT IN ({_KEPT}){clause} "
            "ORDER BY completed_at DESC, id DESC",
            *statuses,
            *values,
        )
        return [
            RemovableJob(
                row["id"], datetime.fromisoformat(row["completed_at"]), sizes.get(row["id"], 0)
            )
            for row in rows
        ]

    def kept(self) -> set[str]:
        """Return the ids of kept jobs; a playlist with one kept item is kept with all items."""
        top_ids = [row["id"] for row in self._rows(_KEPT)]
        sql = f"{BELOW} SELECT id FROM below"  # noqa: S608 - a fixed text
        return {row["id"] for row in self._rows(sql, json.dumps(top_ids))}

    def is_kept(self, job_id: str) -> bool:
        """Whether a single job, or any item of a playlist, is kept."""
        sql = f"{BELOW} SELECT 1 FROM below JOIN jobs USING (id) WHERE keep = 1"  # noqa: S608 - a fixed text
        return self._row(sql, json.dumps([job_id])) is not None

    def count_kept(self, statuses: Collection[JobStatus], session_id: str | None) -> int:
        """Return the number of kept jobs with these statuses; a playlist counts as one."""
        clause, values = only(session_id=session_id)
        row = self._row(
            f"SELECT count(*) AS n FROM jobs WHERE id IN ({_KEPT}) "  # noqa: S608 - fixed clauses, values are bound
            f"AND status IN ({marks(statuses)}){clause}",
            *statuses,
            *values,
        )
        return int(row["n"]) if row else 0
