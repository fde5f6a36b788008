"""The part of a transaction about checkpoints: what a step of a job left for the next ones.

Tables: reads and writes `checkpoints`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows, marks


class CheckpointRows(Rows):
    """The checkpoints of jobs: one for each step that has ended, as JSON of that step's own."""

    def save_checkpoint(self, job_id: str, step: str, data: str, now: datetime) -> None:
        """Keep what a step has made; it replaces what the step left before."""
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints (job_id, step, data, created_at) "
            "VALUES (?, ?, ?, ?)",
            (job_id, step, data, utc_iso(now)),
        )

    def checkpoint(self, job_id: str, step: str) -> str | None:
        """Return what a step has left; None where it has not ended yet."""
        row = self._row("SELECT data FROM checkpoints WHERE job_id = ? AND step = ?", job_id, step)
        return row["data"] if row else None

    def forget_checkpoints(self, job_id: str, *steps: str) -> None:
        """Drop the checkpoints of these steps; without any, all of the job's."""
        clause = f" AND step IN ({marks(steps)})" if steps else ""
        self._connection.execute(
            f"DELETE FROM checkpoints WHERE job_id = ?{clause}",  # noqa: S608 - question marks only
            (job_id, *steps),
        )
