"""The part of a transaction about settings, and other values, that are stored under a key.

Tables: reads and writes `config`.
"""

from __future__ import annotations

from datetime import datetime

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.store.rows import Rows


class SettingRows(Rows):
    """The stored settings, as JSON texts."""

    def config(self) -> dict[str, str]:
        """Return all stored settings, by key."""
        return {row["key"]: row["value"] for row in self._rows("SELECT key, value FROM config")}

    def set_config(self, key: str, value: str | None, now: datetime) -> None:
        """Store a setting; None deletes it."""
        if value is None:
            self._connection.execute("DELETE FROM config WHERE key = ?", (key,))
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO config (key, value, updated_at) VALUES (?, ?, ?)",
                (key, value, utc_iso(now)),
            )
        self.changes.settings.add(key)
