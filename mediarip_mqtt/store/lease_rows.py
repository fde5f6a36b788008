"""The part of a transaction about the lease: which service owns the store.

Tables: reads and writes `lease`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows


class LeaseRows(Rows):
    """The owner of the store, at most one."""

    def lease(self) -> Mapping[str, str] | None:
        """Return `owner`, `host`, `boot_id` and `heartbeat_at` of the service that owns it."""
        row = self._row("SELECT owner, host, boot_id, heartbeat_at FROM lease WHERE id = 1")
        return dict(row) if row else None

    def take_lease(self, owner: str, host: str, boot_id: str, now: datetime) -> None:
        """Become the owner, whoever owned it before, or renew the heartbeat."""
        self._connection.execute(
            "INSERT OR REPLACE INTO lease (id, owner, host, boot_id, heartbeat_at) "
            "VALUES (1, ?, ?, ?, ?)",
            (owner, host, boot_id, utc_iso(now)),
        )

    def drop_lease(self, owner: str) -> None:
        """Delete the lease if ``owner`` has it."""
        self._connection.execute("DELETE FROM lease WHERE owner = ?", (owner,))
