"""The part of a transaction about the error log, and the URLs that no extractor supports.

Tables: reads and writes `error_log` and `unsupported_urls`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.models import Job, utc_iso
from mediarip_mqtt.store.rows import Rows, only

LOG_LIMIT: Final = 1000  # rows in each of the two tables; the oldest are dropped


class ErrorRows(Rows):
    """Why jobs failed."""

    def log_error(self, job: Job, domain: str | None, now: datetime) -> None:
        """Add a failed job to the error log; an unsupported URL also goes to its own table."""
        self._connection.execute(
            "INSERT INTO error_log (url, domain, error, error_code, format_id, media_type, "
            "session_id, job_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job.url,
                domain,
                job.error_message,
                job.error_code,
                job.format_id,
                job.media_type,
                job.session_id,
                job.id,
                utc_iso(now),
            ),
        )
        self._trim("error_log")
        if job.error_code == ErrorCode.UNSUPPORTED_URL:
            self._connection.execute(
                "INSERT INTO unsupported_urls (url, session_id, error, created_at) "
                "VALUES (?, ?, ?, ?)",
                (job.url, job.session_id, job.error_message, utc_iso(now)),
            )
            self._trim("unsupported_urls")

    def _trim(self, table: str) -> None:
        self._connection.execute(
            f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?",  # noqa: S608 - one of our two tables
            (LOG_LIMIT,),
        )

    def errors(self, limit: int, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest rows of the error log."""
        return self._newest("error_log", limit, session_id)

    def unsupported(self, limit: int, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest unsupported URLs."""
        return self._newest("unsupported_urls", limit, session_id)

    def _newest(self, table: str, limit: int, session_id: str | None) -> list[dict[str, Any]]:
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"SELECT * FROM {table} WHERE true{clause} ORDER BY id DESC LIMIT ?",  # noqa: S608 - one of our two tables
            *values,
            limit,
        )
        return [dict(row) for row in rows]

    def forget_errors(self, before: datetime) -> None:
        """Delete rows of both tables from before a time."""
        for table in ("error_log", "unsupported_urls"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE created_at < ?",  # noqa: S608 - the two names above
                (utc_iso(before),),
            )
