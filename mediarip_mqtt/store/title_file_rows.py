"""The part of a transaction about the files of titles, in their places or about to be moved.

Tables: reads and writes `files`; reads `titles` and `jobs`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.titles import TitleFile
from mediarip_mqtt.store.file_rows import BELOW
from mediarip_mqtt.store.rows import Rows


class TitleFileRows(Rows):
    """The files of titles: a move is committed as `move_to` before a file is moved."""

    def give_files_to_title(self, job_id: str, title_id: str) -> None:
        """Make the placed files of a job its title's."""
        self._connection.execute(
            "UPDATE files SET title_id = ? WHERE job_id = ? AND temp_path IS NULL",
            (title_id, job_id),
        )

    def title_files(self, title_id: str) -> list[TitleFile]:
        """Return a title's files, the medium first."""
        rows = self._rows("SELECT * FROM files WHERE title_id = ? ORDER BY main DESC, id", title_id)
        return [_decode(row) for row in rows]

    def add_title_file(self, title_id: str, file: TitleFile) -> None:
        """Add a file that the library has made for a title, such as an NFO."""
        self._connection.execute(
            "INSERT INTO files (title_id, filename, filesize, role, main, identity) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (title_id, file.filename, file.filesize, file.role, int(file.main), file.identity),
        )

    def update_title_file(self, file: TitleFile) -> None:
        """Note the size and identity of a file that the library has written anew."""
        self._connection.execute(
            "UPDATE files SET filesize = ?, identity = ? WHERE id = ?",
            (file.filesize, file.identity, file.id),
        )

    def plan_moves(self, names: Mapping[int, str]) -> None:
        """Commit the names that files get next, by the files' ids."""
        self._connection.executemany(
            "UPDATE files SET move_to = ? WHERE id = ?",
            [(name, file_id) for file_id, name in names.items()],
        )

    def cancel_moves(self, title_id: str) -> None:
        """Let a title's files stay where they are."""
        self._connection.execute("UPDATE files SET move_to = NULL WHERE title_id = ?", (title_id,))

    def files_moved(self, moved: Sequence[TitleFile]) -> None:
        """Give files the names to which they were moved, and take these names from others."""
        for file in moved:
            self._connection.execute(
                "DELETE FROM files WHERE filename = ? AND id <> ? AND temp_path IS NULL",
                (file.move_to, file.id),
            )
            self._connection.execute(
                "UPDATE files SET filename = ?, identity = ?, move_to = NULL WHERE id = ?",
                (file.move_to, file.identity, file.id),
            )

    def forget_title_files(self, title_id: str, file_ids: Collection[int] | None = None) -> None:
        """Delete the rows of files that were removed: all of a title, or these."""
        if file_ids is None:
            self._connection.execute("DELETE FROM files WHERE title_id = ?", (title_id,))
        else:
            self._connection.executemany(
                "DELETE FROM files WHERE title_id = ? AND id = ?",
                [(title_id, file_id) for file_id in file_ids],
            )

    def moving_names(self, but: str = "") -> set[str]:
        """Return the names that files of titles will get, but of one title."""
        rows = self._rows(
            "SELECT move_to FROM files WHERE move_to IS NOT NULL AND title_id IS NOT NULL "
            "AND title_id <> ?",
            but,
        )
        return {row["move_to"] for row in rows}

    def owner_of_name(self, filename: str, but: str = "") -> str | None:
        """Return the id of the title whose file has, or will have, a name; ``but`` is left out.

        A file on its way to the archive leaves its name.
        """
        row = self._row(
            "SELECT title_id FROM files JOIN titles ON titles.id = title_id "
            "WHERE ((filename = ? AND (move_to IS NULL OR state <> 'archived')) OR move_to = ?) "
            "AND title_id <> ?",
            filename,
            filename,
            but,
        )
        return row["title_id"] if row else None

    def titles_that_lose(self, job_id: str) -> list[str]:
        """Return the ids of other titles whose medium has a name that a job's file now has.

        Files with another name to go to are not lost: they were moved there.
        """
        rows = self._rows(
            "SELECT DISTINCT title_id FROM files WHERE title_id IS NOT NULL AND main = 1 "
            "AND job_id IS NOT ? AND move_to IS NULL "
            "AND filename IN (SELECT filename FROM files WHERE job_id = ?)",
            job_id,
            job_id,
        )
        return [row["title_id"] for row in rows]

    def titles_to_move(self) -> list[str]:
        """Return the ids of titles with files to move, first those that go to the archive."""
        rows = self._rows(
            "SELECT DISTINCT title_id, state <> 'archived' AS stays FROM files "
            "JOIN titles ON titles.id = title_id WHERE move_to IS NOT NULL ORDER BY stays"
        )
        return [row["title_id"] for row in rows]

    def titles_to_furnish(self) -> list[str]:
        """Return the ids of titles whose files are all moved, and which aren't completed yet."""
        rows = self._rows(
            "SELECT id FROM titles WHERE state = 'organizing' "
            "AND EXISTS (SELECT 1 FROM files WHERE title_id = titles.id) "
            "AND NOT EXISTS (SELECT 1 FROM files WHERE title_id = titles.id "
            "AND move_to IS NOT NULL)"
        )
        return [row["id"] for row in rows]

    def titles_left_by_jobs(self) -> list[str]:
        """Return the ids of unfinished titles whose job has ended or is gone.

        A title in review waits on if its job was deleted with its playlist.
        """
        rows = self._rows(
            "SELECT titles.id FROM titles LEFT JOIN jobs ON jobs.id = job_id "
            "WHERE (state IN ('pending', 'matching', 'matched', 'organizing') "
            "AND (jobs.id IS NULL OR jobs.status IN ('failed', 'cancelled')) "
            "AND NOT EXISTS (SELECT 1 FROM files WHERE title_id = titles.id)) "
            "OR (state = 'review' AND jobs.status = 'cancelled')"
        )
        return [row["id"] for row in rows]

    def unwanted_with_files(self) -> list[str]:
        """Return the ids of discarded and deleted titles that still have files."""
        rows = self._rows(
            "SELECT id FROM titles WHERE state IN ('discarded', 'deleted') "
            "AND EXISTS (SELECT 1 FROM files WHERE title_id = titles.id)"
        )
        return [row["id"] for row in rows]

    def titles_below(self, job_ids: Collection[str]) -> list[str]:
        """Return the ids of the titles of jobs and of their descendants."""
        rows = self._rows(
            f"{BELOW} SELECT titles.id FROM below JOIN titles ON job_id = below.id",  # noqa: S608 - a fixed text
            json.dumps(list(job_ids)),
        )
        return [row["id"] for row in rows]


def _decode(row: sqlite3.Row) -> TitleFile:
    return TitleFile(
        id=row["id"],
        filename=row["filename"],
        filesize=row["filesize"],
        role=FileRole(row["role"]),
        main=bool(row["main"]),
        identity=row["identity"],
        move_to=row["move_to"] or "",
    )
