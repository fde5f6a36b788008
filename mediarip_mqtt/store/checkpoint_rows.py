"""The part of a transaction about checkpoints: the results of a job's steps, for later steps.

Tables: reads and writes `checkpoints`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows, marks


class CheckpointRows(Rows):
    """The checkpoints of jobs: one for each step that has ended, as JSON that the step defines."""

    def save_checkpoint(self, job_id: str, step: str, data: str, now: datetime) -> None:
        """Store the result of a step; it replaces an earlier one."""
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints (job_id, step, data, created_at) "
            "VALUES (?, ?, ?, ?)",
            (job_id, step, data, utc_iso(now)),
        )

    def checkpoint(self, job_id: str, step: str) -> str | None:
        """Return the result of a step; None if it has not ended."""
        row = self._row("SELECT data FROM checkpoints WHERE job_id = ? AND step = ?", job_id, step)
        return row["data"] if row else None

    def has_results(self, job_id: str) -> bool:
        """Whether a job has checkpoints or planned files, of an attempt that has not ended."""
        row = self._row(
            "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE job_id = ?1)"
            " OR EXISTS (SELECT 1 FROM files WHERE job_id = ?1 AND temp_path IS NOT NULL) AS found",
            job_id,
        )
        return bool(row and row["found"])

    def forget_checkpoints(self, job_id: str, *steps: str) -> None:
        """Delete the checkpoints of these steps, or of all steps if none is named."""
        clause = f" AND step IN ({marks(steps)})" if steps else ""
        self._connection.execute(
            f"DELETE FROM checkpoints WHERE job_id = ?{clause}",  # noqa: S608 - question marks only
            (job_id, *steps),
        )
