"""The part of a transaction about the progress of running jobs.

Tables: reads and writes `jobs`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mediarip_mqtt.contract.models import ACTIVE, JobStatus, Phase, Progress, utc_iso
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store.rows import Rows


class ProgressRows(Rows):
    """The progress of jobs."""

    def save_progress(self, progress: Iterable[Progress]) -> None:
        """Write the progress of running jobs.

        Marks no job as changed: the caller publishes progress less often than it saves it.
        """
        fault("before-progress-commit")
        rows = [
            (
                entry.progress_percent,
                entry.speed,
                entry.eta,
                entry.phase,
                entry.downloaded_bytes,
                entry.total_bytes,
                utc_iso(entry.updated_at),
                entry.status,
                entry.id,
            )
            for entry in progress
        ]
        self._connection.executemany(
            "UPDATE jobs SET progress_percent = max(progress_percent, ?), speed = ?, eta = ?, "
            "phase = ?, downloaded_bytes = ?, total_bytes = ?, progress_at = ?, status = ? "
            "WHERE id = ? AND status IN ('extracting', 'downloading', 'processing')",
            rows,
        )

    def progress(self, job_id: str) -> Progress | None:
        """Return a job's progress; None if it never ran."""
        row = self._row("SELECT * FROM jobs WHERE id = ? AND phase IS NOT NULL", job_id)
        if row is None:
            return None
        updated_at = row["progress_at"] or row["completed_at"] or row["created_at"]
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
            updated_at=datetime.fromisoformat(updated_at),
        )

    def never_ran(self, job_id: str) -> bool:
        """Whether a job exists whose first attempt has not begun."""
        row = self._row("SELECT started_at FROM jobs WHERE id = ?", job_id)
        return row is not None and row["started_at"] is None
