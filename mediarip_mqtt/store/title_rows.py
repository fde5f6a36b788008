"""The part of a transaction about titles: adding, changing and finding them.

Tables: reads and writes `titles`; reads `shows`, `categories`, `tags`, `title_tags`,
`title_counts`, `title_words`; triggers of the schema keep the counts and words.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter

from mediarip_mqtt.contract.content import ContentType
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.titles import TITLE_MOVES, Candidate, Title, TitleState
from mediarip_mqtt.store.rows import Rows, marks, only

# Fields of `Title` that are in other tables.
_JOINED: Final = frozenset({"show", "category", "tags"})
_COLUMNS: Final = tuple(name for name in Title.model_fields if name not in _JOINED)
# What the names of files are made of.
_NAMING: Final = (
    *("id", "show_id", "content_type", "title", "season", "episode", "album", "track", "year"),
    *("source_id", "published_at", "created_at"),
)
_BOOLEANS: Final = frozenset({"is_extra", "has_chapters", "keep"})
_CANDIDATES: Final = TypeAdapter(tuple[Candidate, ...])
_SELECT: Final = (
    "SELECT titles.*, shows.name AS show, categories.name AS category, "
    "(SELECT json_group_array(name) FROM (SELECT tags.name FROM title_tags JOIN tags "
    "ON tags.id = tag_id WHERE title_id = titles.id ORDER BY tags.name)) AS tags "
    "FROM titles LEFT JOIN shows ON shows.id = show_id "
    "LEFT JOIN categories ON categories.id = category_id"
)


@dataclass(frozen=True)
class TitleCount:
    """How many titles have a state and type, and the bytes of their media."""

    state: TitleState
    content_type: ContentType | None
    count: int
    size: int


@dataclass(frozen=True)
class TitleFilter:
    """Which titles to return; all that is given must fit."""

    query: str | None = None
    states: Collection[TitleState] = ()
    content_type: ContentType | None = None
    show_key: str | None = None
    tag: str | None = None  # its slug
    watched: bool | None = None
    session_id: str | None = None


@dataclass(frozen=True)
class PlacedTitle:
    """A completed title with only the fields that its name is made of, and where its medium is."""

    number: int
    title: Title
    filename: str


class TitleRows(Rows):
    """The titles of the library."""

    def insert_title(self, title: Title) -> None:
        """Add a title."""
        columns = _encode(title.model_dump(include=set(_COLUMNS)))
        self._connection.execute(
            f"INSERT INTO titles ({', '.join(columns)}) VALUES ({marks(columns)})",  # noqa: S608 - our own column names
            tuple(columns.values()),
        )
        self.touch_title(title.id)

    def update_title(self, title_id: str, **values: Any) -> Title:
        """Change fields of a title that have a column; return it as it is now.

        Raises `LookupError` if there is no such title, and ValueError for a state that may not
        follow its own.
        """
        state = values.get("state")
        if state is not None:
            row = self._row("SELECT state FROM titles WHERE id = ?", title_id)
            if row and state != row["state"] and state not in TITLE_MOVES[TitleState(row["state"])]:
                raise ValueError(f"title {title_id}: {row['state']} can't become {state}")
        columns = _encode(values)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._connection.execute(
            f"UPDATE titles SET {assignments} WHERE id = ?",  # noqa: S608 - our own column names
            (*columns.values(), title_id),
        )
        title = self.title(title_id)
        if title is None:
            raise LookupError(title_id)
        self.touch_title(title_id)
        return title

    def delete_title(self, title_id: str) -> None:
        """Delete a title that never had a file, so that its job may make it anew."""
        self._connection.execute("DELETE FROM titles WHERE id = ?", (title_id,))
        self.touch_title(title_id)

    def touch_title(self, title_id: str) -> None:
        """Mark a title as changed."""
        self.changes.titles.add(title_id)

    def title(self, title_id: str) -> Title | None:
        """Return a title by its full id."""
        return self._title("titles.id = ?", title_id)

    def title_of_job(self, job_id: str) -> Title | None:
        """Return the newest title of a job."""
        return self._title("job_id = ? ORDER BY number DESC", job_id)

    def title_of_source(self, extractor: str, source_id: str) -> Title | None:
        """Return the newest title of a site's medium, also an archived or missing one."""
        return self._title(
            "titles.extractor = ? AND source_id = ? AND state NOT IN ('failed', 'discarded') "
            "ORDER BY number DESC",
            extractor,
            source_id,
        )

    def title_of_known(
        self, extractor: str, source_id: str, session_id: str | None = None
    ) -> Title | None:
        """Return the newest title of a site's medium, also an archived, missing or deleted one.

        Unlike `title_of_source` without case: other programs write `youtube` for `Youtube`.
        """
        clause, values = only(session_id=session_id)
        return self._title(
            "lower(titles.extractor) = lower(?) AND source_id = ? "
            f"AND state NOT IN ('failed', 'discarded'){clause} ORDER BY number DESC",
            extractor,
            source_id,
            *values,
        )

    def titles_of_size(self, size: int, session_id: str | None = None) -> list[Title]:
        """Return some titles with a medium of this size, in the library or waiting for review."""
        clause, values = only(session_id=session_id)
        return self._titles(
            f"filesize = ? AND state IN ('completed', 'review'){clause} ORDER BY number LIMIT 20",
            size,
            *values,
        )

    def titles_by_prefix(self, prefix: str, session_id: str | None, limit: int) -> list[Title]:
        """Return titles whose ids, or whose jobs' ids, begin with a text."""
        clause, values = only(session_id=session_id)
        bounds = (prefix, prefix + "\x7f")
        return self._titles(
            f"((titles.id >= ? AND titles.id < ?) OR (job_id >= ? AND job_id < ?)){clause} "
            "ORDER BY number DESC LIMIT ?",
            *bounds,
            *bounds,
            *values,
            limit,
        )

    def titles_in(
        self, states: Collection[TitleState], limit: int, session_id: str | None = None
    ) -> list[Title]:
        """Return the titles with these states, the oldest first."""
        clause, values = only(session_id=session_id)
        return self._titles(
            f"state IN ({marks(states)}){clause} ORDER BY number LIMIT ?", *states, *values, limit
        )

    def placed_titles(
        self, after: int, limit: int, session_id: str | None = None
    ) -> list[PlacedTitle]:
        """Return the completed titles with a medium behind a number, the oldest first.

        Read for each of many titles: only what their names are made of.
        """
        clause, values = only(session_id=session_id)
        rows = self._rows(
            f"SELECT number, {', '.join(f'titles.{name}' for name in _NAMING)}, filename "  # noqa: S608 - our own column names
            "FROM titles CROSS JOIN files ON title_id = titles.id AND main = 1 "
            f"WHERE state = 'completed' AND number > ?{clause} ORDER BY number LIMIT ?",
            after,
            *values,
            limit,
        )
        return [_placed(row) for row in rows]

    def count_completed_titles(self, session_id: str | None = None) -> int:
        """Return how many titles are completed."""
        counts = self.count_titles(session_id)
        return sum(each.count for each in counts if each.state is TitleState.COMPLETED)

    def overdue_reviews(self, now: datetime) -> list[Title]:
        """Return the titles in review whose time is over."""
        return self._titles("state = 'review' AND review_until <= ?", utc_iso(now))

    def titles(self, wanted: TitleFilter, limit: int, before: str | None = None) -> list[Title]:
        """Return the titles that fit, the newest first; ``before`` is the last id of a page."""
        clause, values = only(
            **{"titles.content_type": wanted.content_type, "session_id": wanted.session_id}
        )
        if wanted.states:
            clause += f" AND state IN ({marks(wanted.states)})"
            values += wanted.states
        if wanted.show_key is not None:
            clause += " AND show_id IN (SELECT id FROM shows WHERE name_key = ?)"
            values.append(wanted.show_key)
        if wanted.tag is not None:
            clause += (
                " AND titles.id IN (SELECT title_id FROM title_tags JOIN tags ON tags.id = tag_id "
                "WHERE tags.slug = ?)"
            )
            values.append(wanted.tag)
        if wanted.watched is not None:
            clause += f" AND watched_at IS {'NOT ' if wanted.watched else ''}NULL"
        words = _words(wanted.query) if wanted.query is not None else None
        if words is not None:
            return self._found(words, clause, values, before, limit)
        if before is not None:
            clause += " AND number < (SELECT number FROM titles WHERE id = ?)"
            values.append(before)
        return self._titles(f"true{clause} ORDER BY number DESC LIMIT ?", *values, limit)

    def _found(
        self, words: str, clause: str, values: list[Any], before: str | None, limit: int
    ) -> list[Title]:
        """Return the titles with these words; the index yields the newest first."""
        if not words:
            return []
        earlier = ""
        bounds: list[Any] = [words]
        if before is not None:
            earlier = " AND title_words.rowid < (SELECT number FROM titles WHERE id = ?)"
            bounds.append(before)
        select = _SELECT.replace(
            "FROM titles LEFT JOIN shows",
            "FROM title_words CROSS JOIN titles ON number = title_words.rowid LEFT JOIN shows",
        )
        rows = self._rows(
            f"{select} WHERE title_words MATCH ?{earlier}{clause} "
            "ORDER BY title_words.rowid DESC LIMIT ?",
            *bounds,
            *values,
            limit,
        )
        return [_decode(row) for row in rows]

    def count_titles(self, session_id: str | None = None) -> list[TitleCount]:
        """Return how many titles there are."""
        clause, values = only(session_id=session_id)
        rows = self._rows(
            "SELECT state, content_type, sum(n) AS n, sum(bytes) AS bytes FROM title_counts "  # noqa: S608 - fixed clauses, values are bound
            f"WHERE true{clause} GROUP BY state, content_type",
            *values,
        )
        return [
            TitleCount(
                TitleState(row["state"]),
                ContentType(row["content_type"]) if row["content_type"] else None,
                row["n"],
                row["bytes"],
            )
            for row in rows
        ]

    def taken_episodes(self, show_id: str, season: int, but: str = "") -> set[tuple[int, int]]:
        """Return (episode, title_index) of a season's titles that have a number, but of one."""
        rows = self._rows(
            "SELECT episode, title_index FROM titles WHERE show_id = ? AND season = ? AND id <> ? "
            "AND episode IS NOT NULL "
            "AND state IN ('matched', 'organizing', 'completed', 'missing')",
            show_id,
            season,
            but,
        )
        return {(row["episode"], row["title_index"]) for row in rows}

    def title_with_number(
        self, show_id: str, season: int, episode: int, but: str = ""
    ) -> Title | None:
        """Return the first title with a number, but one."""
        return self._title(
            "show_id = ? AND season = ? AND episode = ? AND titles.id <> ? "
            "AND state IN ('matched', 'organizing', 'completed', 'missing') ORDER BY title_index",
            show_id,
            season,
            episode,
            but,
        )

    def _title(self, clause: str, *values: Any) -> Title | None:
        row = self._row(f"{_SELECT} WHERE {clause}", *values)
        return _decode(row) if row else None

    def _titles(self, clause: str, *values: Any) -> list[Title]:
        return [_decode(row) for row in self._rows(f"{_SELECT} WHERE {clause}", *values)]


def _words(query: str) -> str:
    """Return a search in FTS5's syntax: all words, each as the start of one."""
    words = "".join(char if char.isalnum() else " " for char in query[:200]).split()
    return " ".join(f'"{word}"*' for word in words[:20])


def _encode(values: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            columns[name] = utc_iso(value)
        elif name == "candidates":
            columns[name] = _CANDIDATES.dump_json(_CANDIDATES.validate_python(value)).decode()
        elif name == "fields":
            columns[name] = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, bool):
            columns[name] = int(value)
        else:
            columns[name] = str(value) if isinstance(value, StrEnum) else value
    return columns


def _decode(row: sqlite3.Row) -> Title:
    values = {name: row[name] for name in _COLUMNS}
    values |= {name: bool(values[name]) for name in _BOOLEANS}
    values |= {name: row[name] for name in _JOINED}
    values["candidates"] = _CANDIDATES.validate_json(row["candidates"])
    values["fields"] = json.loads(row["fields"])
    values["tags"] = json.loads(row["tags"])
    return Title(**values)


def _placed(row: sqlite3.Row) -> PlacedTitle:
    values = {name: row[name] for name in _NAMING}
    for name in ("published_at", "created_at"):
        values[name] = datetime.fromisoformat(row[name]) if row[name] else None
    kind = row["content_type"]
    values["content_type"] = ContentType(kind) if kind else None
    return PlacedTitle(row["number"], Title.model_construct(**values), row["filename"])
