"""The part of a transaction about answered commands: one that arrives again is not repeated.

Tables: reads and writes `requests` and `deliveries`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows


class RequestRows(Rows):
    """The replies to request ids, and to messages that the broker may redeliver."""

    def reply_to_request(self, session_id: str, request_id: str) -> str | None:
        """Return the reply that was given to a session's request id."""
        row = self._row(
            "SELECT reply FROM requests WHERE session_id = ? AND request_id = ?",
            session_id,
            request_id,
        )
        return row["reply"] if row else None

    def reply_to_delivery(self, mid: int, digest: str) -> str | None:
        """Return the reply that was given to a message: the same packet id and content."""
        row = self._row("SELECT reply FROM deliveries WHERE mid = ? AND digest = ?", mid, digest)
        return row["reply"] if row else None

    def remember_request(self, session_id: str, request_id: str, reply: str, now: datetime) -> None:
        """Keep the reply to a request id."""
        self._connection.execute(
            "INSERT OR REPLACE INTO requests (session_id, request_id, reply, created_at) "
            "VALUES (?, ?, ?, ?)",
            (session_id, request_id, reply, utc_iso(now)),
        )

    def remember_delivery(self, mid: int, digest: str, reply: str, now: datetime) -> None:
        """Keep the reply to a message until its packet id is used again."""
        self._connection.execute(
            "INSERT OR REPLACE INTO deliveries (mid, digest, reply, created_at) "
            "VALUES (?, ?, ?, ?)",
            (mid, digest, reply, utc_iso(now)),
        )

    def forget_deliveries(self) -> None:
        """Delete the replies to messages: in a new MQTT session packet ids start again."""
        self._connection.execute("DELETE FROM deliveries")

    def forget_requests(self, before: datetime) -> None:
        """Delete the replies to requests and messages from before a time."""
        for table in ("requests", "deliveries"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE created_at < ?",  # noqa: S608 - the two names above
                (utc_iso(before),),
            )
