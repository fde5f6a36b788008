"""The part of a transaction about looking after titles: retention, missing files, what is played.

Tables: reads `titles`, `files`, `shows`, `jobs`, `subscriptions` and `subscription_items`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.titles import TitleState
from mediarip_mqtt.store.rows import Rows, only

# What a media server may know and play. The list is that of the index, which is not used else.
_PLAYABLE: Final = (
    "state IN ('matched', 'organizing', 'completed', 'missing') AND state <> 'matched'"
)


@dataclass(frozen=True)
class RetainedTitle:
    """A completed title, as far as retention needs it; ``number`` grows with time."""

    number: int
    id: str
    title: str
    show_id: str | None
    subscription_id: str | None
    extractor: str | None
    channel: str | None
    channel_id: str | None
    playlist: str | None
    created_at: datetime
    published_at: datetime | None
    watched_at: datetime | None
    keep: bool


@dataclass(frozen=True)
class LocatedTitle:
    """A title whose medium should be, or was, at ``filename``."""

    number: int
    id: str
    state: TitleState
    missing_since: datetime | None
    source_id: str | None
    filename: str


class TitleUpkeepRows(Rows):
    """Titles in pages, the oldest first: ``after`` is the number of the last one of a page."""

    def retained_titles(self, after: int, limit: int) -> list[RetainedTitle]:
        """Return completed titles; those of kept jobs are kept."""
        rows = self._rows(
            "SELECT number, titles.id, coalesce(detected_title, titles.title) AS title, show_id, "
            "titles.subscription_id, titles.extractor, channel, channel_id, playlist, "
            "titles.created_at, published_at, watched_at, "
            "(titles.keep OR ifnull(jobs.keep, 0)) AS keep "
            "FROM titles LEFT JOIN jobs ON jobs.id = job_id "
            "WHERE state = 'completed' AND number > ? ORDER BY number LIMIT ?",
            after,
            limit,
        )
        return [_retained(row) for row in rows]

    def titles_gone_from_source(self, limit: int) -> list[tuple[str, str, str]]:
        """Return (title, subscription, item) of what is to be archived as its source lost it."""
        gone = (
            "SELECT titles.id, subscriptions.id, item_key FROM titles JOIN subscriptions "
            "ON subscriptions.id = titles.subscription_id AND on_removed = 'archive' "
            "JOIN subscription_items AS item ON item.subscription_id = subscriptions.id AND {} "
            "WHERE titles.state = 'completed' AND NOT titles.keep AND item.state = 'done' "
            "AND absent_since IS NOT NULL AND gone_at IS NOT NULL"
        )
        by_job = gone.format("item.job_id = titles.job_id")
        by_key = gone.format("item_key = lower(titles.extractor) || ' ' || source_id")
        rows = self._rows(f"{by_job} UNION {by_key} LIMIT ?", limit)
        return [tuple(row) for row in rows]

    def is_title_kept(self, title_id: str) -> bool:
        """Whether a title or its job is kept."""
        row = self._row(
            "SELECT titles.keep OR ifnull(jobs.keep, 0) AS keep FROM titles "
            "LEFT JOIN jobs ON jobs.id = job_id WHERE titles.id = ?",
            title_id,
        )
        return bool(row and row["keep"])

    def archived_before(self, moment: datetime, limit: int) -> list[str]:
        """Return the ids of titles that were archived by then, and whose files are all there."""
        rows = self._rows(
            "SELECT id FROM titles WHERE state = 'archived' AND deleted_at <= ? AND NOT EXISTS "
            "(SELECT 1 FROM files WHERE title_id = titles.id AND move_to IS NOT NULL) "
            "ORDER BY deleted_at LIMIT ?",
            utc_iso(moment),
            limit,
        )
        return [row["id"] for row in rows]

    def located_titles(self, after: int, limit: int) -> list[LocatedTitle]:
        """Return completed and missing titles that have a medium."""
        rows = self._rows(
            "SELECT number, titles.id, state, missing_since, source_id, filename FROM titles "
            "JOIN files ON title_id = titles.id AND main = 1 AND move_to IS NULL "
            "WHERE state IN ('completed', 'missing') AND number > ? ORDER BY number LIMIT ?",
            after,
            limit,
        )
        return [
            LocatedTitle(
                row["number"],
                row["id"],
                TitleState(row["state"]),
                _time(row["missing_since"]),
                row["source_id"],
                row["filename"],
            )
            for row in rows
        ]

    def owned_by_other(self, filename: str, title_id: str) -> bool:
        """Whether a file belongs to a job or to another title."""
        row = self._row(
            "SELECT 1 FROM files WHERE (filename = ? OR move_to = ?) AND title_id IS NOT ?",
            filename,
            filename,
            title_id,
        )
        return row is not None

    def title_found(self, title_id: str, names: dict[int, tuple[str, str]]) -> None:
        """Note where a title's files are now: name and identity, by the files' ids."""
        self._connection.executemany(
            "UPDATE files SET filename = ?, identity = ? WHERE id = ? AND title_id = ?",
            [(name, identity, file_id, title_id) for file_id, (name, identity) in names.items()],
        )

    def played_episodes(
        self, show_keys: Collection[str], season: int, episode: int, session_id: str | None
    ) -> list[str]:
        """Return the ids of the titles with a number in shows of these names or folders."""
        clause, values = only(session_id=session_id)
        ids: list[str] = []
        for key in show_keys:
            rows = self._rows(
                # CROSS JOIN: shows first, then the index of numbers.
                "SELECT titles.id FROM shows CROSS JOIN titles ON show_id = shows.id "  # noqa: S608 - fixed clauses, values are bound
                "WHERE shows.content_type = 'tv' AND (name_key = ? OR folder_key = ?) "
                f"AND season = ? AND episode = ? AND {_PLAYABLE}{clause} ORDER BY title_index",
                key,
                key,
                season,
                episode,
                *values,
            )
            ids += [row["id"] for row in rows if row["id"] not in ids]
        return ids

    def played_titles(self, slug: str, limit: int, session_id: str | None) -> list[str]:
        """Return the ids of the titles with a slug, the newest first."""
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"SELECT id FROM titles WHERE slug = ? AND {_PLAYABLE}{clause} "  # noqa: S608 - fixed clauses, values are bound
            "ORDER BY number DESC LIMIT ?",
            slug,
            *values,
            limit,
        )
        return [row["id"] for row in rows]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _retained(row: sqlite3.Row) -> RetainedTitle:
    return RetainedTitle(
        number=row["number"],
        id=row["id"],
        title=row["title"],
        show_id=row["show_id"],
        subscription_id=row["subscription_id"],
        extractor=row["extractor"],
        channel=row["channel"],
        channel_id=row["channel_id"],
        playlist=row["playlist"],
        created_at=datetime.fromisoformat(row["created_at"]),
        published_at=_time(row["published_at"]),
        watched_at=_time(row["watched_at"]),
        keep=bool(row["keep"]),
    )
