"""The part of a transaction about what people sort titles by: categories, tags and chapters.

Tables: reads and writes `categories`, `tags`, `title_tags` and `chapters`; writes `titles`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.titles import Chapter
from mediarip_mqtt.store.rows import Rows


class LabelRows(Rows):
    """Categories and tags: each has a name for people, and a slug that identifies it."""

    def add_tags(self, title_id: str, tags: Iterable[tuple[str, str]], now: datetime) -> None:
        """Add tags, each as (slug, name), to a title; unknown ones are created."""
        for slug, name in tags:
            tag_id = self._label("tags", slug, name, now)
            self._connection.execute(
                "INSERT OR IGNORE INTO title_tags (title_id, tag_id) VALUES (?, ?)",
                (title_id, tag_id),
            )
        self.changes.titles.add(title_id)

    def remove_tags(self, title_id: str, slugs: Iterable[str]) -> None:
        """Remove tags from a title; those that no title has any more are forgotten."""
        for slug in slugs:
            self._connection.execute(
                "DELETE FROM title_tags WHERE title_id = ? "
                "AND tag_id = (SELECT id FROM tags WHERE slug = ?)",
                (title_id, slug),
            )
            self._connection.execute(
                "DELETE FROM tags WHERE slug = ? "
                "AND NOT EXISTS (SELECT 1 FROM title_tags WHERE tag_id = tags.id)",
                (slug,),
            )
        self.changes.titles.add(title_id)

    def set_category(self, title_id: str, slug: str, name: str, now: datetime) -> None:
        """Set a title's category; an unknown one is created, an empty slug removes it."""
        category_id = self._label("categories", slug, name, now) if slug else None
        self._connection.execute(
            "UPDATE titles SET category_id = ? WHERE id = ?", (category_id, title_id)
        )
        self.changes.titles.add(title_id)

    def _label(
        self, table: Literal["tags", "categories"], slug: str, name: str, now: datetime
    ) -> int:
        self._connection.execute(
            f"INSERT OR IGNORE INTO {table} (name, slug, created_at) VALUES (?, ?, ?)",  # noqa: S608 - our own table names
            (name, slug, utc_iso(now)),
        )
        row = self._row(f"SELECT id FROM {table} WHERE slug = ?", slug)  # noqa: S608 - our own table names
        return int(row["id"]) if row else 0

    def set_chapters(self, title_id: str, chapters: Sequence[Chapter], now: datetime) -> None:
        """Replace a title's chapters."""
        self._connection.execute("DELETE FROM chapters WHERE title_id = ?", (title_id,))
        self._connection.executemany(
            "INSERT INTO chapters (title_id, title, description, start_time, end_time, position, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    title_id,
                    chapter.title,
                    chapter.description,
                    chapter.start_time,
                    chapter.end_time,
                    chapter.position,
                    utc_iso(now),
                )
                for chapter in chapters
            ],
        )
        self._connection.execute(
            "UPDATE titles SET has_chapters = ? WHERE id = ?", (int(bool(chapters)), title_id)
        )

    def chapters(self, title_id: str) -> list[Chapter]:
        """Return a title's chapters in order."""
        rows = self._rows(
            "SELECT * FROM chapters WHERE title_id = ? ORDER BY position, start_time", title_id
        )
        return [Chapter(**{name: row[name] for name in Chapter.model_fields}) for row in rows]
