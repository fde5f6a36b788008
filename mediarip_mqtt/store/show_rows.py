"""The part of a transaction about shows, and about remembered answers of reviews.

Tables: reads and writes `shows` and `library_rules`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.titles import Show
from mediarip_mqtt.store.rows import Rows, marks


@dataclass(frozen=True)
class RememberedAnswer:
    """What the downloads from a channel are, by an earlier review."""

    extractor: str
    channel_id: str
    content_type: ContentType
    show: str | None = None
    numbering: Numbering | None = None


class ShowRows(Rows):
    """The shows, podcasts and album artists; keys are names folded for comparison."""

    def insert_show(self, show: Show, *, name_key: str, folder_key: str) -> None:
        """Add a show."""
        columns = {
            **show.model_dump(mode="json"),
            "name_key": name_key,
            "folder_key": folder_key,
        }
        self._connection.execute(
            f"INSERT INTO shows ({', '.join(columns)}) VALUES ({marks(columns)})",  # noqa: S608 - our own column names
            tuple(columns.values()),
        )

    def show(self, show_id: str) -> Show | None:
        """Return a show by its id."""
        return self._show("id = ?", show_id)

    def shows_named(self, content_type: ContentType, name_key: str) -> list[Show]:
        """Return the shows of a type with a name, the oldest first."""
        rows = self._rows(
            "SELECT * FROM shows WHERE content_type = ? AND name_key = ? ORDER BY created_at, id",
            content_type,
            name_key,
        )
        return [_decode(row) for row in rows]

    def show_of_channel(
        self, content_type: ContentType, extractor: str, channel_id: str
    ) -> Show | None:
        """Return the show of a site's channel."""
        return self._show(
            "content_type = ? AND extractor = ? AND channel_id = ?",
            content_type,
            extractor,
            channel_id,
        )

    def folder_is_taken(self, content_type: ContentType, folder_key: str) -> bool:
        """Whether a show has this folder."""
        sql = "SELECT 1 FROM shows WHERE content_type = ? AND folder_key = ?"
        return self._row(sql, content_type, folder_key) is not None

    def show_span(self, show_id: str) -> tuple[datetime | None, list[int]]:
        """Return when the first title of a show was published, and its seasons."""
        rows = self._rows(
            "SELECT season, min(published_at) AS first FROM titles WHERE show_id = ? "
            "AND state IN ('organizing', 'completed', 'missing', 'archived') GROUP BY season",
            show_id,
        )
        first = min((row["first"] for row in rows if row["first"]), default=None)
        seasons = [row["season"] for row in rows if row["season"] is not None]
        return datetime.fromisoformat(first) if first else None, seasons

    def set_show_channel(self, show_id: str, extractor: str, channel_id: str) -> None:
        """Note a show's channel, if it has none yet."""
        self._connection.execute(
            "UPDATE shows SET extractor = ?, channel_id = ? WHERE id = ? AND channel_id IS NULL",
            (extractor, channel_id, show_id),
        )

    def remember_answer(self, answer: RememberedAnswer, now: datetime) -> None:
        """Keep the answer of a review for the channel; it replaces an earlier one."""
        self._connection.execute(
            "INSERT OR REPLACE INTO library_rules "
            "(extractor, channel_id, content_type, show, numbering, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                answer.extractor,
                answer.channel_id,
                answer.content_type,
                answer.show,
                answer.numbering,
                utc_iso(now),
            ),
        )

    def remembered_answer(self, extractor: str, channel_id: str) -> RememberedAnswer | None:
        """Return the remembered answer for a channel."""
        row = self._row(
            "SELECT * FROM library_rules WHERE extractor = ? AND channel_id = ?",
            extractor,
            channel_id,
        )
        if row is None:
            return None
        return RememberedAnswer(
            row["extractor"],
            row["channel_id"],
            ContentType(row["content_type"]),
            row["show"],
            Numbering(row["numbering"]) if row["numbering"] else None,
        )

    def _show(self, clause: str, *values: Any) -> Show | None:
        row = self._row(f"SELECT * FROM shows WHERE {clause}", *values)  # noqa: S608 - fixed clauses, values are bound
        return _decode(row) if row else None


def _decode(row: sqlite3.Row) -> Show:
    return Show(**{name: row[name] for name in Show.model_fields})
