"""The part of a transaction about playlists: jobs that have items instead of a file.

Tables: reads `jobs`; reads and writes `playlist_entries`.
"""

from __future__ import annotations

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store.job_rows import JobRows


class PlaylistRows(JobRows):
    """Playlists, and the items below them."""

    def is_playlist(self, job_id: str) -> bool:
        """Whether a job has items instead of a file."""
        row = self._row("SELECT is_playlist FROM jobs WHERE id = ?", job_id)
        return bool(row and row["is_playlist"])

    def save_entry(self, job_id: str, data: str) -> None:
        """Store what the playlist says of an item, as JSON that the engine defines."""
        self._connection.execute(
            "INSERT OR REPLACE INTO playlist_entries (job_id, data) VALUES (?, ?)", (job_id, data)
        )

    def entry(self, job_id: str) -> str | None:
        """Return what the playlist said of an item; None for other jobs."""
        row = self._row("SELECT data FROM playlist_entries WHERE job_id = ?", job_id)
        return row["data"] if row else None

    def ancestors(self, job: Job) -> list[Job]:
        """Return the playlist of a job, the playlist of that one, and so on."""
        playlists: list[Job] = []
        while job.parent_id and (parent := self.job(job.parent_id)):
            playlists.append(job := parent)
        return playlists

    def mean_progress(self, playlist_id: str) -> float:
        """Return the mean progress of a playlist's items in percent; ended ones count as 100."""
        row = self._row(
            "SELECT avg(CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN 100.0 "
            "ELSE progress_percent END) AS mean FROM jobs WHERE parent_id = ?",
            playlist_id,
        )
        return float(row["mean"] or 0.0) if row else 0.0
