"""What a person says of a title: accept a guess, correct it, or discard the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from mediarip_mqtt.contract.content import Classification
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.titles import (
    Candidate,
    ClassificationSource,
    Conflict,
    Show,
    Title,
    TitleFile,
    TitleState,
)
from mediarip_mqtt.library.archive import archive
from mediarip_mqtt.library.catalogue import (
    Catalogue,
    facts_of,
    source_of,
    with_guess,
    with_place,
)
from mediarip_mqtt.library.classify import CERTAIN, filled, implied_type
from mediarip_mqtt.library.layout import tail
from mediarip_mqtt.library.numbers import place_of
from mediarip_mqtt.store import RememberedAnswer, Tx

CORRECTABLE: Final = frozenset({TitleState.REVIEW, TitleState.COMPLETED})
MANY: Final = 1000
_COPIES: Final = 1000


@dataclass(frozen=True)
class ReviewAnswer:
    """An answer: one of the title's candidates (from 1), changed by ``said``; or ``discard``.

    ``conflict`` says what to do if the number is taken; None: as the settings say, where a person
    who could be asked is told instead.
    """

    choice: int = 1
    said: Classification = field(default_factory=Classification)
    conflict: Conflict | None = None
    discard: bool = False
    remember: bool = False


def answer(tx: Tx, catalogue: Catalogue, title: Title, given: ReviewAnswer) -> Title:
    """Do what a person says; the files are moved after the commit.

    Raises `CommandError`.
    """
    if title.state not in CORRECTABLE:
        raise CommandError(
            ErrorCode.INVALID_TRANSITION,
            f"The title is {title.state}; only titles in `review` or `completed` can be answered.",
            field="id",
        )
    if given.discard:
        return _discard(tx, catalogue, title)
    files = tx.title_files(title.id)
    main = next((file for file in files if file.main), None)
    if main is None:
        raise CommandError(
            ErrorCode.INVALID_TRANSITION, "The title has no file any more.", field="id"
        )
    guess = _guess(title, given, main.filename)
    decided = with_guess(title, guess)
    place = place_of(tx, guess, source_of(decided), catalogue.clock(), title.id)
    decided = with_place(decided, place)
    extension = PurePosixPath(main.filename).suffix.lstrip(".")
    rival = catalogue.rival(tx, decided, place, extension, MANY)
    if rival is not None:
        policy = given.conflict or catalogue.settings.conflict
        if given.conflict == "skip":
            return _discard(tx, catalogue, title)
        if policy == "overwrite":
            archive(tx, catalogue, rival)
            place = place_of(tx, guess, source_of(decided), catalogue.clock(), title.id)
            decided = with_place(decided, place)
        elif policy != "rename":
            raise _conflict(rival)
    if given.remember:
        _remember(tx, catalogue, decided)
    return _organize(tx, catalogue, title, decided, place.show, files)


def accept_overdue(tx: Tx, catalogue: Catalogue) -> list[Title]:
    """Take the likeliest guess of titles whose time is over; those without a file are missing."""
    accepted = []
    for title in tx.overdue_reviews(catalogue.clock()):
        try:
            with tx.savepoint():
                accepted.append(answer(tx, catalogue, title, ReviewAnswer(conflict="rename")))
        except CommandError:
            catalogue.lost(tx, title.id)
    return accepted


def _guess(title: Title, given: ReviewAnswer, filename: str) -> Candidate:
    """Return the chosen candidate, changed by what was said."""
    said = given.said.model_dump(exclude_none=True)
    if not 1 <= given.choice <= max(1, len(title.candidates)):
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            f"`choice` is 1 to {len(title.candidates)}: the number of a candidate.",
            field="choice",
        )
    chosen = title.candidates[given.choice - 1] if title.candidates else Candidate()
    if not said:
        return chosen
    if title.state is TitleState.COMPLETED:  # a correction of what it is now
        chosen = _as_it_is(title)
    facts = facts_of(title, filename)
    kept = chosen.model_dump(exclude_none=True, include=set(Classification.model_fields))
    kind = implied_type(given.said, facts, chosen.content_type) or chosen.content_type
    if kind != chosen.content_type:
        kept = {}
    if "show" in said and "season" not in said and "episode" not in said:
        # Numbers of another show mean nothing in this one, unless the title names them.
        kept = {key: value for key, value in kept.items() if key not in {"season", "episode"}}
    answer_given = Classification(**{**kept, **said, "content_type": kind})
    return filled(answer_given, facts, ClassificationSource.COMMAND, CERTAIN)


def _as_it_is(title: Title) -> Candidate:
    names = set(Classification.model_fields) - {"numbering"}
    return Candidate(**title.model_dump(include=names))


def _organize(  # noqa: PLR0913, PLR0917 - the title before and after, its show and files
    tx: Tx,
    catalogue: Catalogue,
    title: Title,
    decided: Title,
    show: Show | None,
    files: Sequence[TitleFile],
) -> Title:
    """Commit the new names; the organizer moves the files."""
    columns = decided.model_dump(
        include={
            *("content_type", "title", "slug", "artist", "album", "track", "year", "show_id"),
            *("season", "episode", "title_index", "matched_episode"),
            *("classification_source", "classification_confidence"),
        }
    )
    tx.update_title(
        title.id,
        state=TitleState.MATCHED,
        review_until=None,
        review_reason=None,
        **columns,
    )
    moving = tx.update_title(title.id, state=TitleState.ORGANIZING)
    if title.job_id and tx.job(title.job_id):
        catalogue.tell_job(tx, title.job_id, moving, show)
    moves = _names(tx, catalogue, moving, show, files)
    tx.plan_moves({file_id: name for file_id, name in moves.items() if name})
    return tx.title(title.id) or moving


def _names(
    tx: Tx, catalogue: Catalogue, title: Title, show: Show | None, files: Sequence[TitleFile]
) -> dict[int, str]:
    """Return the new names of a title's files by their ids; empty where a file stays."""
    old = PurePosixPath(files[0].filename)
    stem = catalogue.stem(title, show)
    for number in range(1, _COPIES):
        numbered = stem if number == 1 else f"{stem} ({number})"
        wanted = {file.id: f"{numbered}{tail(file.filename, old)}" for file in files}
        if not any(tx.owner_of_name(name, title.id) for name in wanted.values()):
            break
    return {file.id: "" if wanted[file.id] == file.filename else wanted[file.id] for file in files}


def _discard(tx: Tx, catalogue: Catalogue, title: Title) -> Title:
    """Give a title up; the organizer removes its files."""
    if title.state is not TitleState.REVIEW:
        raise CommandError(
            ErrorCode.INVALID_TRANSITION,
            "Only a title in `review` can be discarded. `delete` with `files` removes a finished "
            "job's files.",
            field="discard",
        )
    discarded = tx.update_title(title.id, state=TitleState.DISCARDED, review_until=None)
    job = tx.job(title.job_id) if title.job_id else None
    if job is not None and job.status is JobStatus.REVIEW:
        tx.update(job.id, filename=None, review_reason=None)
        catalogue.jobs.cancel(tx, tx.job(job.id) or job)
    return discarded


def _remember(tx: Tx, catalogue: Catalogue, title: Title) -> None:
    if not title.extractor or not title.channel_id or title.content_type is None:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            "The page named no channel, so the answer can't be remembered for it. Send it without "
            "`remember`, or write a rule in `library.rules`.",
            field="remember",
        )
    show = tx.show(title.show_id) if title.show_id else None
    tx.remember_answer(
        RememberedAnswer(
            title.extractor,
            title.channel_id,
            title.content_type,
            show.name if show else None,
            show.numbering if show else None,
        ),
        catalogue.clock(),
    )


def _conflict(rival: Title) -> CommandError:
    return CommandError(
        ErrorCode.CONFLICT,
        f"{(rival.organized_to or rival.title)[:200]!r} has the same number or name. Give another "
        "`season` and `episode`, or `conflict`: `rename` keeps both, `skip` discards the new one, "
        "`overwrite` archives the other one.",
        field="conflict",
    )
