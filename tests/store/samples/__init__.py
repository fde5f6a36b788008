"""Stores of earlier versions, as SQL dumps; `python -m tests.store.samples` writes missing ones.

A dump never changes, so that a test notices where a migration that was released does.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mediarip_mqtt.store.migrations import migrations

FOLDER = Path(__file__).parent
MOMENT = "2026-01-02T03:04:05.678Z"


def sample(version: int) -> Path:
    return FOLDER / f"version_{version}.dump"


def load(version: int, path: Path) -> None:
    """Make a store of an earlier version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sample(version).read_text("utf-8"))


def dump(version: int) -> str:
    """Return a store of a version with rows in each table, as SQL."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        for number, script in (step for step in migrations() if step[0] <= version):
            connection.executescript(f"{script}\nPRAGMA user_version={number};")
        fill(connection)
        connection.commit()
        lines = [*_without_words(connection.iterdump()), f"PRAGMA user_version={version};\n"]
        return "\n".join(lines)


def _without_words(lines: Iterable[str]) -> Iterator[str]:
    """Let the index of words be filled anew: `iterdump` can't write a virtual table."""
    virtual = ""
    for line in lines:
        if "CREATE VIRTUAL TABLE" in line:
            virtual = line[line.index("CREATE VIRTUAL") : line.rindex("'")].replace("''", "'")
        elif not (_OF_WORDS.match(line) or "writable_schema" in line):
            if line == "COMMIT;" and virtual:
                yield f"{virtual};"
                yield _FILL_WORDS
            yield line


_OF_WORDS = re.compile(r"(CREATE TABLE|INSERT INTO) ['\"]title_words")
_FILL_WORDS = (
    "INSERT INTO title_words (rowid, title, show, description, transcript) SELECT number, title, "
    "ifnull((SELECT name FROM shows WHERE id = show_id), ''), description, '' FROM titles;"
)


def fill(connection: sqlite3.Connection) -> None:
    insert(connection, "sessions", id="default", created_at=MOMENT, last_seen=MOMENT)
    insert(connection, "sessions", id="bob", created_at=MOMENT, last_seen=MOMENT)
    options = {
        "media_type": "audio",
        "format_id": "137+140",
        "quality": "720p",
        "preset": "music",
        "output_format": "mp3",
        "output_template": "%(title)s.%(ext)s",
        "folder": "music",
        "playlist_items": "1:5",
        "subtitles": '{"languages": ["de"], "automatic": true, "embed": false, "format": "vtt"}',
        "sponsorblock": '{"mark": ["intro"], "remove": ["sponsor"]}',
        "embed": '["metadata"]',
        "split_chapters": 1,
        "rate_limit": 2048,
        "live_from_start": 1,
    }
    facts = {
        "title": "Ein Füllwort 🎬",
        "thumbnail": "https://example.com/a.jpg",
        "duration": 1.5,
        "extractor": "Generic",
        "category": "films",
        "tags": '["a", "ü"]',
        "request_id": "r1",
        "keep": 1,
        "warning": "no subtitles",
    }
    job(connection, "done", "completed", **options, **facts, filename="a.mp3", filesize=10)
    job(connection, "list", "downloading", is_playlist=1)
    job(connection, "item", "failed", parent_id="list", error_code="network", error_message="why")
    job(connection, "next", "queued", session_id="bob", priority=0, not_before=MOMENT)
    job(connection, "again", "retrying", next_retry_at=MOMENT, attempt=1, max_attempts=5)
    for name, temp_path in (("a.mp3", None), ("b.mp3", "tmp/done/b.mp3")):
        values = {"filename": name, "filesize": 10, "temp_path": temp_path, "main": 1}
        insert(connection, "files", job_id="done", **values)
    insert(connection, "config", key="preferences/max_concurrent", value="3", updated_at=MOMENT)
    insert(
        connection,
        "unsupported_urls",
        url="https://example.com/u",
        session_id="bob",
        error="why",
        created_at=MOMENT,
    )
    insert(
        connection,
        "error_log",
        url="https://example.com/e",
        domain="example.com",
        error="why",
        error_code="network",
        format_id="137",
        media_type="video",
        session_id="default",
        job_id="item",
        created_at=MOMENT,
    )
    reply = {"reply": '{"ok": true}', "created_at": MOMENT}
    insert(connection, "requests", session_id="default", request_id="r1", **reply)
    insert(connection, "deliveries", mid=7, digest="abc", **reply)
    message = {"correlation": b"\x00\xff", "created_at": MOMENT}
    insert(
        connection,
        "probes",
        url="https://example.com/p",
        session_id="default",
        request_id="r2",
        response_topic="a/reply",
        **message,
    )
    insert(connection, "outbox", topic="mediarip/event", payload="{}", urgent=1, **message)
    insert(connection, "lease", id=1, owner="me", host="nas", boot_id="boot", heartbeat_at=MOMENT)
    insert(connection, "playlist_entries", job_id="item", data="{}")
    insert(connection, "checkpoints", job_id="item", step="extract", data="{}", created_at=MOMENT)
    insert(connection, "logins", job_id="item", sealed="AAAA")
    fill_library(connection)


def fill_library(connection: sqlite3.Connection) -> None:
    made = {"created_at": MOMENT}
    show = {"name": "Tides", "name_key": "tides", "folder": "Tides", "folder_key": "tides"}
    insert(connection, "shows", id="show", content_type="tv", **show, **made)
    insert(connection, "categories", id=1, name="Films", slug="films", **made)
    insert(connection, "tags", id=1, name="Sea", slug="sea", **made)
    insert(
        connection,
        "titles",
        number=1,
        id="title",
        job_id="done",
        session_id="default",
        show_id="show",
        state="completed",
        content_type="tv",
        title="Low tide",
        slug="low-tide",
        season=2026,
        episode=10201,
        category_id=1,
        **made,
    )
    insert(connection, "title_tags", title_id="title", tag_id=1)
    insert(connection, "chapters", title_id="title", title="One", start_time=0.0, **made)
    answer = {"extractor": "Youtube", "channel_id": "UC1", "content_type": "tv"}
    insert(connection, "library_rules", **answer, **made)
    run = {"kind": "adopt", "session_id": "default", "folder": "youtube", "started_at": MOMENT}
    insert(connection, "library_runs", **run)
    known = {"extractor": "youtube", "source_id": "x1", "session_id": "default"}
    insert(connection, "known_media", **known, **made)


def job(connection: sqlite3.Connection, job_id: str, status: str, **values: Any) -> None:
    ended = MOMENT if status in {"completed", "failed"} else None
    insert(
        connection,
        "jobs",
        **{
            "id": job_id,
            "session_id": "default",
            "url": f"https://WWW.example.com:8443/{job_id}?a=b",
            "host": "www.example.com",
            "status": status,
            "progress_percent": 40.0,
            "created_at": MOMENT,
            "completed_at": ended,
            **values,
        },
    )


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    """Insert a row, without the columns that a version does not have."""
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    row = {name: value for name, value in values.items() if name in known}
    if row:
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names of the schema
        connection.execute(sql, tuple(row.values()))
