"""The part of a transaction about jobs that may have crashed the process.

Tables: reads and writes `jobs`.
"""

from __future__ import annotations

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store.rows import Rows


class CrashRows(Rows):
    """How often the process died while extracting a job's page."""

    def count_crash(self, job_id: str) -> int:
        """Count a crash of the process for a job; return the job's count."""
        sql = "UPDATE jobs SET crashes = crashes + 1 WHERE id = ? RETURNING crashes"
        return int(self._rows(sql, job_id)[0]["crashes"])

    def suspects(self) -> list[tuple[str, int, JobStatus]]:
        """Return id, number of crashes and status of the unfinished jobs with crashes."""
        sql = "SELECT id, crashes, status FROM jobs WHERE crashes > 0 AND completed_at IS NULL"
        return [(row["id"], row["crashes"], JobStatus(row["status"])) for row in self._rows(sql)]
