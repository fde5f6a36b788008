"""Files of other programs with subscriptions, as those programs write them; all names are made up.

Tables have the columns of the programs' migrations, apart from those that nothing here reads.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

CHANNEL = "UC" + "a" * 22
OTHER = "UC" + "b" * 22
OPML = f"""<?xml version="1.0" encoding="UTF-8"?>
<opml version="1.1"><head><title>Feeds</title></head><body>
 <outline text="Podcasts">
  <outline type="rss" text="A &amp; B" xmlUrl="https://pods.example/feed.xml" htmlUrl="https://pods.example/"/>
 </outline>
 <outline text="Tides" title="The Tides" type="rss"
  xmlUrl="https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"/>
 <outline text="List" xmlUrl="https://www.youtube.com/feeds/videos.xml?playlist_id=PLabc"/>
 <outline text="Not a feed"/>
 <outline text="Wrong" xmlUrl=" "/>
</body></opml>
"""
TAKEOUT = f"""Kanal-ID,Kanal-URL,Kanaltitel
{CHANNEL},http://www.youtube.com/channel/{CHANNEL},The Tides
{OTHER},http://www.youtube.com/channel/{OTHER},"Sea, Salt ""and"" Sand"

nonsense,http://www.youtube.com/channel/x,Nothing
"""
NEWPIPE = {
    "app_version": "0.27.2",
    "app_version_int": 1000,
    "subscriptions": [
        {"service_id": 0, "url": f"https://www.youtube.com/channel/{CHANNEL}", "name": "The Tides"},
        {"service_id": 4, "url": "https://sea.bandcamp.example/", "name": "Sea"},
        {"service_id": 0, "name": "No URL"},
        7,
    ],
}
YTDL_SUB = """
__preset__:
  overrides:
    tv_show_directory: "/tv_shows"
    only_recent_date_range: "2months"
    only_recent_max_files: 30

Plex TV Show by Date:
  = Documentaries:
    "The Tides": "https://www.youtube.com/@tides"
  = News | Only Recent:
    "Sea News": "https://www.youtube.com/@seanews"
  = Music:
    "Two Places":
      - "https://www.youtube.com/@one"
      - "https://www.youtube.com/@two"

Plex TV Show Collection:
  "~By Season":
    s01_name: "Videos"
    s01_url: "https://www.youtube.com/c/seasons"
    s02_name: "Others"
    s02_url: "https://www.youtube.com/playlist?list=PLabc"

SoundCloud Discography:
  = Calm:
    "Salt": "https://soundcloud.example/salt"

rolling:
  preset: "tv_show"
  overrides:
    url: "https://www.youtube.com/@rolling"

"Without": 5
"""
ARCHIVE = "youtube abcdefghijk\nvimeo 123456\nyoutube ABCDEFGHIJK\n"


def video(number: int) -> str:
    """Return an id of YouTube's form."""
    return f"{number:011d}"


def metube(path: Path, *subscriptions: dict[str, Any]) -> Path:
    """Write MeTube's store of subscriptions."""
    items = [_metube(each) for each in subscriptions]
    content = {"schema_version": 2, "kind": "subscriptions", "items": items}
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def _metube(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "0d5f",
        "name": "The Tides",
        "url": "https://www.youtube.com/@tides",
        "enabled": True,
        "check_interval_minutes": 60,
        "download_type": "video",
        "codec": "auto",
        "format": "any",
        "quality": "best",
        "folder": "",
        "custom_name_prefix": "",
        "auto_start": True,
        "playlist_item_limit": 0,
        "split_by_chapters": False,
        "chapter_template": "",
        "subtitle_language": "en",
        "subtitle_mode": "prefer_manual",
        "ytdl_options_presets": [],
        "ytdl_options_overrides": {},
        "title_regex": "",
        "skip_subscriber_only": False,
        "last_checked": 1767323045.6,
        "seen_ids": [],
        "error": None,
        **fields,
    }


_PINCHFLAT = """
CREATE TABLE media_profiles (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
  output_path_template TEXT NOT NULL, shorts_behaviour TEXT DEFAULT 'include' NOT NULL,
  livestream_behaviour TEXT DEFAULT 'include' NOT NULL,
  preferred_resolution TEXT DEFAULT '1080p' NOT NULL, marked_for_deletion_at TEXT);
CREATE TABLE sources (id INTEGER PRIMARY KEY AUTOINCREMENT, custom_name TEXT NOT NULL,
  collection_id TEXT NOT NULL, collection_name TEXT NOT NULL, collection_type TEXT NOT NULL,
  original_url TEXT NOT NULL, media_profile_id INTEGER REFERENCES media_profiles (id),
  index_frequency_minutes INTEGER DEFAULT 1440 NOT NULL, fast_index INTEGER DEFAULT 0 NOT NULL,
  download_media INTEGER DEFAULT 1 NOT NULL, enabled INTEGER DEFAULT 1 NOT NULL,
  last_indexed_at TEXT, download_cutoff_date TEXT, retention_period_days INTEGER,
  title_filter_regex TEXT, min_duration_seconds INTEGER, max_duration_seconds INTEGER,
  marked_for_deletion_at TEXT, inserted_at TEXT, updated_at TEXT);
CREATE TABLE media_items (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT, media_id TEXT NOT NULL,
  title TEXT NOT NULL, source_id INTEGER REFERENCES sources (id), original_url TEXT NOT NULL,
  livestream INTEGER DEFAULT 0 NOT NULL, short_form_content INTEGER DEFAULT 0 NOT NULL,
  duration_seconds INTEGER, uploaded_at TEXT NOT NULL, media_downloaded_at TEXT,
  media_filepath TEXT, prevent_download INTEGER DEFAULT 0, prevent_culling INTEGER DEFAULT 0,
  culled_at TEXT, description TEXT);
"""
_TUBESYNC = """
CREATE TABLE sync_source (uuid char(32) NOT NULL PRIMARY KEY, created datetime NOT NULL,
  last_crawl datetime, source_type varchar(1) NOT NULL, key varchar(100) NOT NULL UNIQUE,
  name varchar(100) NOT NULL UNIQUE, directory varchar(100) NOT NULL UNIQUE,
  index_schedule integer NOT NULL, delete_old_media bool NOT NULL,
  days_to_keep smallint unsigned NOT NULL, source_resolution varchar(8) NOT NULL,
  download_cap integer NOT NULL, download_media bool NOT NULL, index_videos bool NOT NULL,
  index_streams bool NOT NULL, filter_text varchar(200) NOT NULL, filter_text_invert bool NOT NULL,
  filter_seconds integer unsigned, filter_seconds_min bool NOT NULL,
  delete_removed_media bool NOT NULL, has_failed bool NOT NULL);
CREATE TABLE sync_media (uuid char(32) NOT NULL PRIMARY KEY, created datetime NOT NULL,
  published datetime, key varchar(100) NOT NULL, title varchar(200) NOT NULL, metadata text,
  can_download bool NOT NULL, media_file varchar(255), skip bool NOT NULL,
  manual_skip bool NOT NULL, downloaded bool NOT NULL, download_date datetime,
  source_id char(32) NOT NULL REFERENCES sync_source (uuid));
"""


class Database:
    """An SQLite file; ``wal``: it stays open, with its log beside it."""

    def __init__(self, path: Path, schema: str, *, wal: bool = False) -> None:
        self.path = path
        self._connection = sqlite3.connect(path)
        if wal:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA wal_autocheckpoint=0")
        self._connection.executescript(schema)

    def add(self, table: str, **values: Any) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - the test's own names
        self._connection.execute(sql, tuple(values.values()))
        self._connection.commit()

    def close(self) -> Path:
        self._connection.close()
        return self.path


def pinchflat(path: Path, *, wal: bool = False) -> Database:
    """Make Pinchflat's database with a profile."""
    made = Database(path, _PINCHFLAT, wal=wal)
    made.add("media_profiles", id=1, name="TV", output_path_template="x.%(ext)s")
    return made


def pinchflat_source(made: Database, number: int = 1, **values: Any) -> None:
    """Add a source."""
    usual = {
        "id": number,
        "custom_name": f"Source {number}",
        "collection_id": CHANNEL,
        "collection_name": "Tides",
        "collection_type": "channel",
        "original_url": f"https://www.youtube.com/@tides{number}",
        "media_profile_id": 1,
    }
    made.add("sources", **(usual | values))


def pinchflat_item(made: Database, number: int, **values: Any) -> None:
    """Add an item of the first source."""
    usual = {
        "media_id": video(number),
        "title": f"Item {number}",
        "source_id": 1,
        "original_url": f"https://www.youtube.com/watch?v={video(number)}",
        "uploaded_at": f"2025-01-{number:02d}T00:00:00Z",
    }
    made.add("media_items", **(usual | values))


def tubesync(path: Path, *, wal: bool = False) -> Database:
    """Make TubeSync's database."""
    return Database(path, _TUBESYNC, wal=wal)


def tubesync_source(made: Database, number: int = 1, **values: Any) -> None:
    """Add a source."""
    usual = {
        "uuid": f"{number:032x}",
        "created": f"2024-01-{number:02d} 10:00:00",
        "source_type": "i",
        "key": CHANNEL,
        "name": f"Source {number}",
        "directory": f"source-{number}",
        "index_schedule": 86400,
        "delete_old_media": 0,
        "days_to_keep": 14,
        "source_resolution": "1080p",
        "download_cap": 0,
        "download_media": 1,
        "index_videos": 1,
        "index_streams": 0,
        "filter_text": "",
        "filter_text_invert": 0,
        "filter_seconds": None,
        "filter_seconds_min": 1,
        "delete_removed_media": 0,
        "has_failed": 0,
    }
    made.add("sync_source", **(usual | values))


def tubesync_item(made: Database, number: int, **values: Any) -> None:
    """Add an item of the first source."""
    usual = {
        "uuid": f"{1000 + number:032x}",
        "created": "2025-02-01 10:00:00",
        "published": f"2025-01-{number:02d} 10:00:00",
        "key": video(number),
        "title": f"Item {number}",
        "metadata": "{}",
        "can_download": 1,
        "skip": 0,
        "manual_skip": 0,
        "downloaded": 0,
        "source_id": f"{1:032x}",
    }
    made.add("sync_media", **(usual | values))
