"""What an import reads: other programs' stores, and files that are none."""

from __future__ import annotations

import json
import pickle
import shelve
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.cli.import_sources import (
    KnownEntry,
    Pending,
    SourceError,
    SourceFormat,
    Unreadable,
    header,
    read,
    recognise,
)
from mediarip_mqtt.jobs.history_records import Record

ADDED = 1767323045678000000  # 2026-01-02T03:04:05.678Z


def metube(folder: Path, name: str, *infos: dict[str, Any]) -> Path:
    """Write one of MeTube's queues, as its state store does."""
    folder.mkdir(exist_ok=True)
    items = [{"key": one.get("url"), "info": one} for one in infos]
    content = {"schema_version": 2, "kind": f"persistent_queue:{name}", "items": items}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def info(**fields: Any) -> dict[str, Any]:
    """What MeTube keeps of a download."""
    return {
        "id": "abc",
        "title": "A film",
        "url": "https://videos.example/film",
        "quality": "1080",
        "download_type": "video",
        "codec": "auto",
        "format": "any",
        "folder": "",
        "custom_name_prefix": "",
        "playlist_item_limit": 0,
        "split_by_chapters": False,
        "chapter_template": "",
        "subtitle_language": "en",
        "subtitle_mode": "prefer_manual",
        "status": "finished",
        "timestamp": ADDED,
        "filename": "A film.mp4",
        "size": 1234,
        **fields,
    }


def test_metube_s_queues_become_records_and_downloads(tmp_path: Path) -> None:
    state = tmp_path / "state"
    failed = info(status="error", msg="ERROR: gone", folder="lost", quality="best_ios")
    audio = info(download_type="audio", format="mp3", folder="music", quality="best")
    metube(state, "completed", info(), failed, audio, {"url": 1}, info(timestamp="never"))
    metube(state, "queue", info(status="downloading", filename=None))
    metube(state, "pending", info(status="pending", url="https://videos.example/later"))
    assert recognise(state) is SourceFormat.METUBE
    film, lost, song, wrong, timeless, running, later = read(state)
    assert isinstance(film, Record)
    assert film.model_dump(mode="json", exclude_defaults=True) == {
        "url": "https://videos.example/film",
        "quality": "1080p",
        "status": "completed",
        "title": "A film",
        "filename": "A film.mp4",
        "filesize": 1234,
        "created_at": "2026-01-02T03:04:05.678Z",
        "completed_at": "2026-01-02T03:04:05.678Z",
    }
    assert isinstance(lost, Record)
    assert (lost.status, lost.error_message, lost.filename) == ("failed", "ERROR: gone", None)
    assert isinstance(song, Record)
    assert (song.media_type, song.filename, song.quality) == ("audio", "music/A film.mp4", "best")
    assert isinstance(wrong, Unreadable)
    assert isinstance(timeless, Unreadable)
    assert "completed_at" in timeless.reason
    assert isinstance(running, Pending)
    assert isinstance(later, Pending)
    assert later.wanted.url == "https://videos.example/later"


def test_one_file_of_metube_is_enough(tmp_path: Path) -> None:
    path = metube(tmp_path, "completed", info())
    assert recognise(path) is SourceFormat.METUBE
    assert len(list(read(path))) == 1


def test_a_shelf_of_pickles_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return (Path.touch, (marker,))

    with shelve.open(str(tmp_path / "completed")) as shelf:  # noqa: S301 - what MeTube wrote
        shelf["https://videos.example/film"] = Trap()
    (tmp_path / "raw").write_bytes(pickle.dumps(Trap()))
    for path in (*tmp_path.glob("completed*"), tmp_path / "raw", tmp_path):
        for form in (SourceFormat.AUTO, SourceFormat.METUBE):
            with pytest.raises(SourceError):
                list(read(path, form))
    with pytest.raises(SourceError, match="Start a current MeTube on it once"):
        list(read(tmp_path))
    assert not marker.exists()


MEDIA_RIP = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, last_seen TEXT NOT NULL);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, url TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued', format_id TEXT, quality TEXT, output_template TEXT,
    filename TEXT, filesize INTEGER, progress_percent REAL DEFAULT 0, speed TEXT, eta TEXT,
    error_message TEXT, created_at TEXT NOT NULL, started_at TEXT, completed_at TEXT
);
"""
UUID = "0b5b2c52-8a5b-4e1c-9d3e-1f2a3b4c5d6e"


@pytest.fixture
def media_rip(tmp_path: Path) -> Path:
    path = tmp_path / "a ? store.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(MEDIA_RIP)
    rows = [
        (UUID, "completed", "bestvideo+bestaudio", "chan/A film.mp4", 1234, None),
        ("2", "failed", None, None, None, "HTTP Error 404"),
        ("3", "failed", "720p", None, None, "Cancelled by user"),
        ("4", "expired", None, "gone.mp4", 5, None),
        ("5", "downloading", None, None, None, None),
        ("6", "completed", None, b"\xff\xfe", None, None),
    ]
    for number, (job_id, status, quality, filename, size, error) in enumerate(rows):
        ended = None if status == "downloading" else "2026-01-02T03:05:00+00:00"
        connection.execute(
            "INSERT INTO jobs (id, session_id, url, status, quality, filename, filesize, "
            "error_message, created_at, completed_at) VALUES (?, 's', ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(job_id, f"https://videos.example/{number}", status, quality, filename, size),
                *(error, f"2026-01-02T03:04:0{number}", ended),
            ),
        )
    connection.commit()
    connection.close()
    return path


def test_media_rip_s_jobs_become_records_and_its_store_is_only_read(
    media_rip: Path, tmp_path: Path
) -> None:
    before = media_rip.read_bytes()
    assert recognise(media_rip) is SourceFormat.MEDIA_RIP
    film, failed, cancelled, expired, running, odd = read(media_rip)
    assert isinstance(film, Record)
    assert (film.id, film.title, film.filename) == (UUID, "A film", "chan/A film.mp4")
    assert (film.filesize, film.quality) == (1234, None)
    assert film.ids("default")[0] == UUID
    assert isinstance(failed, Record)
    assert (failed.status, failed.error_message) == ("failed", "HTTP Error 404")
    assert isinstance(cancelled, Record)
    assert (cancelled.status, cancelled.quality) == ("cancelled", "720p")
    assert isinstance(expired, Record)
    assert (expired.status, expired.filename, expired.title) == ("completed", None, "gone")
    assert isinstance(running, Pending)
    assert running.wanted.url == "https://videos.example/4"
    assert isinstance(odd, Unreadable)
    assert media_rip.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [media_rip.name]


def test_what_media_rip_has_not_checkpointed_is_read_too(media_rip: Path) -> None:
    connection = sqlite3.connect(media_rip)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("DELETE FROM jobs WHERE id <> '5'")
    connection.commit()
    assert len(list(read(media_rip))) == 1
    connection.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"SQLite format 3\0 and no more",
        b"\xff" * 100,
        json.dumps({"format": "another"}).encode(),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    for form in SourceFormat:
        with pytest.raises(SourceError) as refused:
            list(read(path, form))
        assert str(path) in refused.value.message


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(json.dumps({**header("2026", "1"), "version": 2}) + "\n")
    with pytest.raises(SourceError, match="has version 2"):
        list(read(path))


def test_lines_that_are_no_jobs_are_named(tmp_path: Path) -> None:
    good = {
        "url": "https://e.example/1",
        "status": "failed",
        "completed_at": "2026-01-02T03:04:05.678Z",
        "something_new": 1,
    }
    lines = [header("2026", "1"), good, {**good, "url": 3}, [], {**good, "title": "a\0b\ud800"}]
    path = tmp_path / "x"
    path.write_text("\n".join(json.dumps(one) for one in lines) + "\n\n{")
    first, wrong, empty, cut, torn = read(path)
    assert isinstance(first, Record)
    assert wrong == Unreadable("line 3", "url: Input should be a valid string")
    assert empty == Unreadable("line 4", "is not a JSON object")
    assert isinstance(cut, Record)
    assert cut.title == "ab"
    assert isinstance(torn, Unreadable)


ARCHIVE = """youtube dQw4w9WgXcQ
vimeo 76979871  # a comment
# nothing

generic a-b_c.d-1
youtube
three words here
"""


def test_an_archive_of_yt_dlp_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "archive.txt"
    path.write_text(ARCHIVE)
    assert recognise(path) is SourceFormat.YTDLP_ARCHIVE
    found = list(read(path))
    known = [one for one in found if isinstance(one, KnownEntry)]
    assert [(one.place, one.medium.extractor, one.medium.source_id) for one in known] == [
        ("line 1", "youtube", "dQw4w9WgXcQ"),
        ("line 2", "vimeo", "76979871"),
        ("line 5", "generic", "a-b_c.d-1"),
    ]
    assert [one.place for one in found if isinstance(one, Unreadable)] == ["line 6", "line 7"]


def test_a_hostile_archive_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "archive.txt"
    path.write_bytes(b"youtube a1\n" + b"x" * 100_000 + b"\nsite " + b"y" * 300 + b"\n\xff \xff\n")
    found = list(read(path))
    assert [one.place for one in found if isinstance(one, KnownEntry)] == ["line 1"]
    assert len(found) > 1
