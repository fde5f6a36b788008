"""Playlists: jobs for the items, the items that a retry repeats, and how a playlist ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Entry, Items, Job, JobStatus, MediaInfo
from mediarip_mqtt.contract.urls import origin_of
from mediarip_mqtt.store import Tx

# Levels of nested playlists: a channel has tabs, and tabs have playlists.
DEPTH: Final = 3
RETRIED: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
SHARE: Final = "of which playlists in one playlist get a quarter"
_INHERITED: Final = frozenset(
    {*DownloadOptions.model_fields, "session_id", "priority", "category", "tags", "keep"}
)


def item_of(parent: Job, entry: Entry, job_id: str, created_at: datetime) -> Job:
    """Return the job of a playlist's entry; it inherits the playlist's options."""
    inherited = parent.model_dump(include=set(_INHERITED))
    inherited["playlist_items"] = entry.items
    return Job(
        id=job_id,
        url=entry.url,
        title=entry.title,
        duration=entry.duration,
        thumbnail=entry.thumbnail,
        playlist_index=entry.index,
        parent_id=parent.id,
        max_attempts=parent.max_attempts,
        created_at=created_at,
        **inherited,
    )


def login_of(tx: Tx, parent: Job, entry: Entry, logins: Mapping[int, str]) -> str | None:
    """Return an entry's login: its own, or its playlist's if it is on the same host."""
    if entry.index in logins:
        return logins[entry.index]
    return tx.login(parent.id) if origin_of(entry.url) == origin_of(parent.url) else None


def share(tx: Tx, top: Job, queue_limit: int, playlist_limit: int) -> int:
    """Return how many more items of playlists in a playlist may wait.

    A feed that names itself would fill the queue, and leave no room for others.
    """
    return max(playlist_limit, queue_limit // 4) - tx.waiting_below(top.id)


def too_deep() -> DownloadError:
    """Error for a playlist that is nested too deeply."""
    return DownloadError(
        ErrorCode.UNSUPPORTED_URL,
        f"Playlists in playlists are followed for {DEPTH} levels only. Download this one's URL by "
        "itself.",
    )


def no_room(setting: str) -> DownloadError:
    """Error for a playlist when the queue is full."""
    return DownloadError(
        ErrorCode.QUEUE_FULL,
        f"The queue is full ({setting}); no item of the playlist was added. Retry it later.",
        transient=True,
    )


def warning(info: MediaInfo, taken: int, found: int, setting: str) -> str | None:
    """Return the warning if items were left out: by the page's limit, or by a full queue."""
    full = (
        f"Only {taken} of {found} items were added, as the queue is full ({setting}). Download the "
        "others later, by `playlist_items`."
    )
    return " ".join(filter(None, (info.warning, full if taken < found else None))) or None


def to_retry(tx: Tx, job: Job) -> list[Job]:
    """Return the failed and cancelled jobs below a playlist, but no playlist that contains one."""
    family = tx.descendants(job.id)
    parents: set[str | None] = set()
    for item in reversed(family):  # children before parents
        if item.status in RETRIED or item.id in parents:
            parents.add(item.parent_id)
    return [item for item in family if item.status in RETRIED and item.id not in parents]


def end_of(items: Items) -> tuple[JobStatus, type[events.JobEvent], dict[str, str]]:
    """Return the status, event and error of a playlist all of whose items have ended."""
    if items.total and items.failed == items.total:
        text = "None of the items could be downloaded; each has its own error."
        why = {"error_code": ErrorCode.UNAVAILABLE, "error_message": text}
        return JobStatus.FAILED, events.JobFailed, why
    if items.total and items.cancelled == items.total:
        why = {"error_code": ErrorCode.CANCELLED, "error_message": "All items were cancelled."}
        return JobStatus.CANCELLED, events.JobCancelled, why
    return JobStatus.COMPLETED, events.PlaylistCompleted, {}
