"""The part of a transaction about user names and passwords from URLs of jobs.

Tables: reads and writes `logins`; `seal` says how they are stored.
"""

from __future__ import annotations

from pathlib import Path

from mediarip_mqtt.store.rows import Rows
from mediarip_mqtt.store.seal import seal, unseal


class LoginRows(Rows):
    """The logins of jobs that have not completed; deleted together with their job."""

    def keep_login(self, job_id: str, login: str) -> None:
        """Store ``user:password`` for a job's URL."""
        self._connection.execute(
            "INSERT OR REPLACE INTO logins (job_id, sealed) VALUES (?, ?)",
            (job_id, self._seal(login)),
        )

    def login(self, job_id: str) -> str | None:
        """Return ``user:password`` for a job's URL, if it has any."""
        row = self._row("SELECT sealed FROM logins WHERE job_id = ?", job_id)
        return self._unseal(row["sealed"]) if row else None

    def forget_login(self, job_id: str) -> None:
        """Delete a job's login."""
        self._connection.execute("DELETE FROM logins WHERE job_id = ?", (job_id,))

    def _seal(self, login: str) -> str:
        return seal(login, self._folder())

    def _unseal(self, sealed: str) -> str | None:
        return unseal(sealed, self._folder())

    def _folder(self) -> Path:
        row = self._row("SELECT file FROM pragma_database_list WHERE name = 'main'")
        return Path(row["file"] if row else "").parent
