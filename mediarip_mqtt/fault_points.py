"""Named places in the code where a test can kill, stop or fail the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Point = Literal[
    "command-received",  # nothing is done for it yet
    "before-ack",  # its transaction is committed
    "before-job-state",  # a job's row was read and is published next
    "before-send",  # of a reply or event
    "before-forget-sent",  # the broker has the rows of the outbox that are deleted next
    "before-progress-commit",
    "mid-download",  # yt-dlp reports progress; in the download's thread
    "extract-committed",  # the page's data; in the event loop, as the next two
    "download-committed",  # which files were made
    "furnished",  # metadata and pictures are in the temporary folder
    "place-committed",  # the files' names
    "before-move",  # in a thread
    "before-completion",  # the files are in their places; in the store's thread
    "show-furnished",  # the files are in their places, and so is the show's NFO
    "title-moved",  # a title's files are in their places; in the event loop
    "title-furnished",  # a moved title's metadata are written; in the event loop
    "before-write",  # of metadata at their place; in a thread
    "list-read",  # of a subscription, and nothing of it is committed; in the event loop
    "items-known",  # of a subscription, without jobs; in the store's thread, as the next one
    "items-queued",
    "before-title-removal",  # of a discarded title's file; in the event loop
    "titles-let-go",  # retention has archived or deleted a chunk of titles; in the event loop
    "organize-planned",  # a title's new names; in the store's thread
    "medium-adopted",  # a title was made of a file; in the store's thread
    "room-made",  # a title is archived for another one, its files not moved; in the event loop
    "run-chunk",  # a chunk of `organize all` or `adopt` is committed; in the event loop
    "before-temp-removal",  # of a job's temporary folder; in a thread
    "migration-statement",  # before each SQL statement of a migration; in the store's thread
    "volume-look",  # a check whether the volume is there begins; in a thread
]

# Called at each point, from any thread. Set by tests only.
reached: Callable[[Point], None] | None = None


def fault(point: Point) -> None:
    """Say that the code has come to a point."""
    if reached is not None:
        reached(point)
