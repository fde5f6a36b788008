"""The payload of `library`, which sums up all titles."""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.contract.titles import PRESENT, Title, TitleState
from mediarip_mqtt.contract.topic_payloads import (
    CandidateBrief,
    LibraryState,
    TitleBrief,
    WaitingReview,
)
from mediarip_mqtt.store import TitleFilter, Tx

LIBRARY_LIMIT: Final = 15_000  # bytes; Home Assistant records 16,384 with its own attributes
WAITING: Final = 10
NEWEST: Final = 20
RUNS: Final = 5
TEXT: Final = 120  # characters


def render_library(tx: Tx, session_id: str | None = None) -> LibraryState:
    """Return the payload, of one session or of all: at most `LIBRARY_LIMIT` bytes."""
    states: dict[str, int] = {}
    types: dict[str, int] = {}
    size = archived = 0
    for count in tx.count_titles(session_id):
        states[count.state] = states.get(count.state, 0) + count.count
        if count.state is TitleState.ARCHIVED:
            archived += count.size
        if count.state in PRESENT:
            size += count.size
            if count.content_type:
                types[count.content_type] = types.get(count.content_type, 0) + count.count
    waiting = tx.titles_in({TitleState.REVIEW}, WAITING, session_id)
    done = TitleFilter(states=(TitleState.COMPLETED,), session_id=session_id)
    summary = LibraryState(
        count=sum(types.values()),
        counts={TitleState(state): number for state, number in states.items()},
        types=types,
        bytes=size,
        archived_bytes=archived,
        waiting=states.get(TitleState.REVIEW, 0),
        reviews=[_review(title) for title in waiting],
        newest=[_brief(title) for title in tx.titles(done, NEWEST)],
        runs=[run.progress for run in tx.library_runs() if session_id in {None, run.session_id}][
            :RUNS
        ],
    )
    return _fitted(summary)


def library_json(summary: LibraryState) -> str:
    """Return the payload without the unknown keys of its entries."""
    return summary.model_dump_json(exclude_none=True)


def _fitted(summary: LibraryState) -> LibraryState:
    """Leave out the oldest titles, then the last reviews, until the payload fits."""
    while len(library_json(summary).encode()) > LIBRARY_LIMIT:
        if summary.newest:
            summary = summary.model_copy(update={"newest": summary.newest[:-1]})
        else:
            summary = summary.model_copy(update={"reviews": summary.reviews[:-1]})
    return summary


def _brief(title: Title) -> TitleBrief:
    return TitleBrief(
        id=title.id,
        title=title.title[:TEXT],
        show=title.show[:TEXT] if title.show else None,
        content_type=title.content_type,
        season=title.season,
        episode=title.episode,
        artist=title.artist[:TEXT] if title.artist else None,
        album=title.album[:TEXT] if title.album else None,
        year=title.year,
        filesize=title.filesize,
        published_at=title.published_at,
        watched_at=title.watched_at,
        organized_to=title.organized_to,
        created_at=title.created_at,
    )


def _review(title: Title) -> WaitingReview:
    detected = title.detected_title
    candidates = [
        CandidateBrief(
            **{
                key: value[:TEXT] if isinstance(value, str) else value
                for key, value in candidate.model_dump(exclude_none=True).items()
            }
        )
        for candidate in title.candidates[:3]
    ]
    return WaitingReview(
        id=title.id,
        job_id=title.job_id,
        title=title.title[:TEXT],
        detected_title=detected[:TEXT] if detected and detected != title.title else None,
        reason=title.review_reason,
        review_until=title.review_until,
        channel=title.channel[:TEXT] if title.channel else None,
        duration=title.duration,
        filesize=title.filesize,
        candidates=candidates,
    )
