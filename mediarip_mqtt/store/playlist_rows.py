"""The part of a transaction about playlists: jobs that have items instead of a file.

Tables: reads `jobs`; reads and writes `playlist_entries`.
"""

from __future__ import annotations

from mediarip_mqtt.contract.models import WAITING, Job
from mediarip_mqtt.store.job_rows import JobRows
from mediarip_mqtt.store.rows import marks


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

    def waiting_below(self, job_id: str) -> int:
        """Return how many jobs below a playlist wait, at all depths."""
        row = self._row(
            "WITH RECURSIVE below(id, status, is_playlist) AS ("  # noqa: S608 - question marks only
            "SELECT id, status, is_playlist FROM jobs WHERE parent_id = ? UNION ALL "
            "SELECT jobs.id, jobs.status, jobs.is_playlist FROM jobs "
            "JOIN below ON jobs.parent_id = below.id WHERE below.is_playlist) "
            f"SELECT count(*) AS n FROM below WHERE status IN ({marks(WAITING)})",
            job_id,
            *sorted(WAITING),
        )
        return int(row["n"]) if row else 0

    def mean_progress(self, playlist_id: str) -> float:
        """Return the mean progress of a playlist's items in percent; ended ones count as 100."""
        row = self._row(
            "SELECT avg(CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN 100.0 "
            "ELSE progress_percent END) AS mean FROM jobs WHERE parent_id = ?",
            playlist_id,
        )
        return float(row["mean"] or 0.0) if row else 0.0
