"""A job as a row of `jobs`, and back.

Tables: none; it names the columns of `jobs`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import ACTIVE, Items, Job, JobStatus, Priority, utc_iso

_PRIORITIES: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
_PRIORITY_NAMES: Final = {number: name for name, number in _PRIORITIES.items()}
_JSON_COLUMNS: Final = frozenset({"tags", "subtitles", "sponsorblock", "embed"})
# Options with a column of their own. Newer ones share `more_options` and need no migration.
_OPTION_COLUMNS: Final = frozenset(
    (
        "media_type",
        "format_id",
        "quality",
        "preset",
        "output_format",
        "output_template",
        "folder",
        "playlist_items",
        "subtitles",
        "sponsorblock",
        "embed",
        "split_chapters",
        "rate_limit",
        "live_from_start",
    )
)
MORE_OPTIONS: Final = frozenset(DownloadOptions.model_fields) - _OPTION_COLUMNS
_FIELDS: Final = tuple(name for name in Job.model_fields if name != "items")


def encode_job(job: Job) -> dict[str, Any]:
    """Return all columns of a job."""
    columns = encode(job.model_dump(exclude={"items", *MORE_OPTIONS}))
    if MORE_OPTIONS:
        columns["more_options"] = job.model_dump_json(include=set(MORE_OPTIONS))
    return columns


def encode(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert fields of a job that have a column to SQLite's types."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            columns[name] = utc_iso(value)
        elif name == "priority":
            columns[name] = _PRIORITIES[value]
        elif name in _JSON_COLUMNS:
            columns[name] = None if value is None else json.dumps(value, ensure_ascii=False)
        elif isinstance(value, bool):
            columns[name] = int(value)
        else:
            columns[name] = value
    return columns


def decode_job(row: sqlite3.Row, item_counts: Mapping[str, int] | None) -> Job:
    """Return the job of a row of `jobs`; ``item_counts`` (by status) is for playlists only."""
    values = {name: row[name] for name in _FIELDS if name not in MORE_OPTIONS}
    values["priority"] = _PRIORITY_NAMES[row["priority"]]
    values |= {name: json.loads(row[name]) for name in _JSON_COLUMNS if row[name] is not None}
    if row["more_options"] is not None:  # null in rows from before such options
        stored = json.loads(row["more_options"])
        values |= {name: stored[name] for name in MORE_OPTIONS if name in stored}
    if row["status"] not in ACTIVE:
        values["speed"] = values["eta"] = None
    if item_counts is not None:
        values["items"] = Items(
            total=sum(item_counts.values()),
            completed=item_counts.get(JobStatus.COMPLETED, 0),
            failed=item_counts.get(JobStatus.FAILED, 0),
            cancelled=item_counts.get(JobStatus.CANCELLED, 0),
        )
    return Job(**values)
