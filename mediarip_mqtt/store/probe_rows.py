"""The part of a transaction about probes that are accepted and not answered yet.

Tables: reads and writes `probes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.login_rows import LoginRows


@dataclass(frozen=True)
class Probe:
    """A `probe` command that waits for its answer."""

    id: int
    url: str
    session_id: str
    request_id: str | None
    response_topic: str | None
    correlation: bytes | None
    login: str | None = field(default=None, repr=False)  # `user:password` for the URL


class ProbeRows(LoginRows):
    """The probes to answer."""

    def add_probe(self, probe: Probe, now: datetime) -> None:
        """Accept a probe; its ``id`` is ignored, the store assigns one."""
        self._connection.execute(
            "INSERT INTO probes (url, session_id, request_id, response_topic, correlation, "
            "created_at, login) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                probe.url,
                probe.session_id,
                probe.request_id,
                probe.response_topic,
                probe.correlation,
                utc_iso(now),
                self._seal(probe.login) if probe.login else None,
            ),
        )
        self.changes.probes = True

    def probes(self) -> list[Probe]:
        """Return the probes to answer, the oldest first."""
        rows = self._rows(
            "SELECT id, url, session_id, request_id, response_topic, correlation, login FROM "
            "probes ORDER BY id"
        )
        return [
            Probe(**{**dict(row), "login": self._unseal(row["login"]) if row["login"] else None})
            for row in rows
        ]

    def end_probe(self, probe_id: int) -> None:
        """Delete an answered probe."""
        self._connection.execute("DELETE FROM probes WHERE id = ?", (probe_id,))
