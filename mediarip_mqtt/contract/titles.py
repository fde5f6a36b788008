"""Titles and shows of the library, their states, and the moves between these.

A finished file becomes a title, which outlives its job.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field

from mediarip_mqtt.contract.content import (
    Classification,
    ContentType,
    FileRole,
    Numbering,
    ReviewReason,
)
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Timestamp


class TitleState(StrEnum):
    """The state of a title."""

    PENDING = "pending"  # known, not classified yet
    MATCHING = "matching"  # being classified
    REVIEW = "review"  # its file is in `library.unsorted` and a person is asked
    MATCHED = "matched"  # classified; its file is moved next
    ORGANIZING = "organizing"  # its names are committed and its files are moved
    COMPLETED = "completed"  # its files are in their places
    DISCARDED = "discarded"  # a person did not want it; its files are removed
    FAILED = "failed"  # its job failed or was cancelled
    ARCHIVED = "archived"  # its files are in the archive, or on the way there
    MISSING = "missing"  # its file is gone
    DELETED = "deleted"  # its files were removed; it is remembered


_UNFINISHED: Final = frozenset({TitleState.FAILED, TitleState.DISCARDED, TitleState.DELETED})

# The states that may follow each state.
TITLE_MOVES: Final[dict[TitleState, frozenset[TitleState]]] = {
    TitleState.PENDING: _UNFINISHED | {TitleState.MATCHING},
    TitleState.MATCHING: _UNFINISHED | {TitleState.MATCHED, TitleState.REVIEW},
    TitleState.REVIEW: _UNFINISHED | {TitleState.MATCHED, TitleState.MISSING},
    TitleState.MATCHED: _UNFINISHED | {TitleState.ORGANIZING},
    # REVIEW: the answer leads to a conflict. MISSING: its file is gone.
    TitleState.ORGANIZING: _UNFINISHED
    | {TitleState.COMPLETED, TitleState.REVIEW, TitleState.MISSING},
    # MATCHED: a title is corrected. ORGANIZING: the command `organize`.
    TitleState.COMPLETED: frozenset(
        {
            TitleState.MATCHED,
            TitleState.ORGANIZING,
            TitleState.ARCHIVED,
            TitleState.MISSING,
            TitleState.DELETED,
        }
    ),
    # ORGANIZING: it is restored. MISSING: its file was gone before it could be moved.
    TitleState.ARCHIVED: frozenset({TitleState.ORGANIZING, TitleState.MISSING, TitleState.DELETED}),
    TitleState.MISSING: frozenset({TitleState.COMPLETED, TitleState.DELETED}),
    TitleState.DISCARDED: frozenset({TitleState.DELETED}),
    TitleState.FAILED: frozenset({TitleState.MATCHING, TitleState.DELETED}),  # the job is retried
    TitleState.DELETED: frozenset(),
}

# Titles that have, or will have, a file in the library, and so a number of their own.
PRESENT: Final = frozenset(
    {
        TitleState.MATCHED,
        TitleState.ORGANIZING,
        TitleState.COMPLETED,
        TitleState.MISSING,
    }
)


class ClassificationSource(StrEnum):
    """What said what a title is."""

    COMMAND = "command"  # the download, or a review
    REMEMBERED = "remembered"  # an earlier review
    RULE = "rule"  # `library.rules`
    SUBSCRIPTION = "subscription"
    EXTRACTOR = "extractor"  # the page's own data
    HEURISTIC = "heuristic"  # a pattern in the page's title
    CHANNEL = "channel"  # a channel and a date
    NONE = "none"  # nothing fits


MAX_CANDIDATES: Final = 5


class Candidate(Classification):
    """A guess at what a title is, with its source and how sure that is."""

    source: ClassificationSource = ClassificationSource.NONE
    confidence: float = Field(0.0, ge=0, le=1)


class Show(Frozen):
    """A show, podcast, or album artist: the titles below one folder of the library.

    ``folder`` is its name on the volume, fixed at its first title: a channel that is renamed moves
    nothing.
    """

    id: str
    content_type: ContentType
    name: str
    folder: str
    extractor: str | None = None
    channel_id: str | None = None
    numbering: Numbering = Numbering.DATE
    year: int | None = Field(None, description="Year of its first season, if known.")
    created_at: Timestamp


class Title(Frozen):
    """A title as the store holds it and replies show it; null means unknown."""

    id: str = Field(description="Identifies the title in commands; sorts by time.")
    job_id: str | None = Field(None, description="Its job, if that is still there.")
    session_id: str
    subscription_id: str | None = None
    show_id: str | None = None
    show: str | None = Field(None, description="Name of its show, podcast or album artist.")
    title_index: int = Field(
        0, description="0, or the number of an equal title that has the same season and episode."
    )
    content_type: ContentType | None = None
    state: TitleState = TitleState.PENDING
    title: str
    slug: str = ""
    description: str = ""
    detected_title: str | None = Field(None, description="The page's title.")
    detected_season: int | None = Field(None, description="The season that the page named.")
    matched_episode: str | None = Field(None, description="Such as `S2026E010549`.")
    season: int | None = None
    episode: int | None = None
    artist: str | None = None
    album: str | None = None
    track: int | None = None
    year: int | None = None
    classification_source: ClassificationSource | None = None
    classification_confidence: float | None = None
    candidates: tuple[Candidate, ...] = Field((), description="Guesses, the likeliest first.")
    review_reason: ReviewReason | None = Field(None, description="Why a person is asked.")
    review_until: Timestamp | None = Field(
        None, description="When the likeliest candidate is taken without an answer."
    )
    extractor: str | None = None
    source_id: str | None = Field(None, description="Its id on the site.")
    channel: str | None = None
    channel_id: str | None = None
    playlist: str | None = Field(None, description="Title of the playlist it came in.")
    duration: float | None = Field(None, description="Seconds.")
    filesize: int | None = Field(None, description="Bytes.")
    source_width: int | None = None
    source_height: int | None = None
    primary_codec: str | None = None
    edition: str | None = None
    is_extra: bool = False
    organized_to: str | None = Field(
        None, description="Path of its medium below the storage root, once it is there."
    )
    content_hash: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = Field(
        default_factory=dict, description="Values of the fields in `library.fields`."
    )
    has_chapters: bool = False
    thumbnail_source: str | None = None
    published_at: Timestamp | None = Field(None, description="When the site published it.")
    created_at: Timestamp
    watched_at: Timestamp | None = None
    deleted_at: Timestamp | None = Field(None, description="When it was archived or deleted.")
    missing_since: Timestamp | None = Field(
        None, description="Since when its file is not found; `missing` once that is sure."
    )
    cleared_at: Timestamp | None = None
    keep: bool = Field(default=False, description="Exempt from retention.")


class TitleFile(Frozen):
    """A file of a title, or of a job, as the store holds it; names are below the storage root.

    ``move_to`` is the name that it gets next; empty if it stays. ``identity`` is as for `JobFile`.
    """

    id: int
    filename: str
    filesize: int
    role: FileRole = FileRole.MAIN
    main: bool = False
    identity: str = ""
    move_to: str = ""


class Chapter(Frozen):
    """A chapter of a title; times are in seconds."""

    title: str
    start_time: float = Field(ge=0)
    end_time: float | None = None
    description: str | None = None
    position: int = 0


# What happens if another title has the number, or another file the name.
Conflict = Literal["rename", "skip", "ask", "overwrite"]
