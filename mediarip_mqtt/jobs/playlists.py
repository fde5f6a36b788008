"""What a playlist is made of, what of it is tried again, and how it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Entry, Items, Job, JobStatus
from mediarip_mqtt.store import Tx

# An item of an item of an item is none itself: a channel has tabs, and these have playlists.
DEPTH: Final = 3
RETRIED: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
_INHERITED: Final = frozenset(
    {*DownloadOptions.model_fields, "session_id", "priority", "category", "tags", "keep"}
)


def item_of(parent: Job, entry: Entry, job_id: str, created_at: datetime) -> Job:
    """Return the job of a playlist's entry, which is to be done as the playlist is."""
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


def too_deep() -> DownloadError:
    """Return why a playlist is not made one."""
    return DownloadError(
        ErrorCode.UNSUPPORTED_URL,
        f"It is a playlist in a playlist in a playlist in a playlist; {DEPTH} levels are followed. "
        "Download its URL by itself.",
    )


def no_room(setting: str) -> DownloadError:
    """Return why a playlist has to wait of which no item may."""
    return DownloadError(
        ErrorCode.QUEUE_FULL,
        f"No item of the playlist may wait: the queue is full ({setting}). Retry it later.",
        transient=True,
    )


def warning(taken: int, found: int, setting: str) -> str | None:
    """Return what is said of a playlist that is longer than the queue."""
    if taken == found:
        return None
    return (
        f"Only {taken} of {found} items were added: no more jobs may wait ({setting}). Download "
        "the others later, by `playlist_items`."
    )


def to_retry(tx: Tx, job: Job) -> list[Job]:
    """Return what failed or was cancelled below a playlist, but for playlists of such items."""
    family = tx.descendants(job.id)
    above: set[str | None] = set()
    for item in reversed(family):  # children before parents
        if item.status in RETRIED or item.id in above:
            above.add(item.parent_id)
    return [item for item in family if item.status in RETRIED and item.id not in above]


def end_of(items: Items) -> tuple[JobStatus, type[events.JobEvent], dict[str, str]]:
    """Return how a playlist ends, of which all items have: its status, event, and error."""
    if items.total and items.failed == items.total:
        text = "None of the items could be downloaded; each one says why."
        why = {"error_code": ErrorCode.UNAVAILABLE, "error_message": text}
        return JobStatus.FAILED, events.JobFailed, why
    if items.total and items.cancelled == items.total:
        why = {"error_code": ErrorCode.CANCELLED, "error_message": "All items were cancelled."}
        return JobStatus.CANCELLED, events.JobCancelled, why
    return JobStatus.COMPLETED, events.PlaylistCompleted, {}
