"""Finished jobs as records of history, the input of an import."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
)

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, utc_iso
from mediarip_mqtt.volume import names

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "mediarip-mqtt/history")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _cut(limit: int, value: object) -> object:
    """Remove characters that JSON or SQLite can't store, and truncate."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "ignore").decode().replace("\0", "").strip()[:limit] or None


def _clean(limit: int, value: object) -> object:
    """Strip unprintable characters and truncate."""
    return texts.clean(value, limit) or None if isinstance(value, str) else value


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8192)]
Line = Annotated[str | None, BeforeValidator(partial(_clean, 200))]
Long = Annotated[str | None, BeforeValidator(partial(_clean, 1000))]
Link = Annotated[str | None, BeforeValidator(partial(_cut, 4096))]
# Unprintable characters stay: `names.below_root` rejects such a path.
Folder = Annotated[str | None, BeforeValidator(partial(_cut, 1000))]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
# Bounded: years near 1 and 9999 can't be converted to UTC.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
    PlainSerializer(utc_iso, when_used="json"),
]


class Wanted(DownloadOptions):
    """The requested options: fields that a record shares with a download."""

    url: Url
    preset: Line = None
    folder: Folder = None
    # Dropped: a retry would use it unchecked.
    output_template: Annotated[None, BeforeValidator(lambda _: None)] = None
    category: Line = None
    tags: tuple[texts.Line, ...] = Field((), max_length=20)
    keep: bool = False


class KnownMedium(Frozen):
    """A medium that another program has downloaded, as an archive of yt-dlp names it."""

    extractor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_.-]{1,80}$")] = Field(
        description="yt-dlp's name of the site; case does not matter."
    )
    source_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")] = Field(
        description="Its id on the site."
    )


class Record(Wanted):
    """A finished job: ``filename`` is only shown, sizes are bytes, durations seconds.

    Texts that are too long are cut. ``parent_id`` names the playlist that an item belongs to.
    """

    id: Line = None
    status: Literal["completed", "failed", "cancelled"]
    title: Long = None
    thumbnail: Link = None
    duration: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    extractor: Line = None
    filename: Link = None
    filesize: Count | None = None
    error_code: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,64}$")] | None = None
    error_message: Long = None
    parent_id: Line = None
    playlist_index: int | None = Field(None, ge=0, le=10**6)
    is_playlist: bool = False
    created_at: Moment | None = None
    started_at: Moment | None = None
    completed_at: Moment

    def ids(self, session_id: str) -> list[str]:
        """Return the ids that the job may get: its own if valid, then one derived from its data.

        The same record gives the same ids at every import.
        """
        identity = f"{session_id}\n{self.url}\n{utc_iso(self.completed_at)}"
        own = (self.id or "").lower()
        derived = str(uuid.uuid5(NAMESPACE, identity))
        return [own, derived] if _UUID.fullmatch(own) else [derived]

    def job(self, job_id: str, session_id: str, url: str, now: datetime) -> Job:
        """Return the job; times in the future and paths outside the root are corrected."""
        is_completed = self.status == "completed"
        ended = min(self.completed_at, now)
        copied = self.model_dump(
            exclude={"id", "is_playlist", "url", "created_at", "started_at", "completed_at"}
        )
        return Job(
            **copied
            | {
                "id": job_id,
                "session_id": session_id,
                "url": url,
                "filename": names.below_root(self.filename),
                "folder": names.below_root(self.folder),
                "progress_percent": 100.0 if is_completed else 0.0,
                "created_at": min(self.created_at or ended, ended),
                "started_at": self.started_at and min(self.started_at, ended),
                "completed_at": ended,
            }
        )


def fields_of(job: dict[str, Any]) -> dict[str, Any]:
    """Convert a job as the service publishes it to the fields of a record."""
    known = {key: job[key] for key in Record.model_fields if job.get(key) is not None}
    return known | {"is_playlist": job.get("items") is not None}
