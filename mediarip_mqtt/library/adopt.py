"""Makes titles of media that are on the volume already: of other tools, or of finished jobs.

Their files stay where they are. Nobody is asked: a title can be corrected, and then moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from mediarip_mqtt.contract.content import Classification, ContentType
from mediarip_mqtt.contract.models import Job, JobStatus, new_id
from mediarip_mqtt.contract.titles import (
    Candidate,
    ClassificationSource,
    Title,
    TitleFile,
    TitleState,
)
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.library.catalogue import Catalogue, source_of, with_place
from mediarip_mqtt.library.classify import TOLD, filled
from mediarip_mqtt.library.media_folder import ReadMedium
from mediarip_mqtt.library.numbers import place_of
from mediarip_mqtt.library.page_facts import PageFacts, page_facts
from mediarip_mqtt.store import Tx


class Adoption(StrEnum):
    """What became of a medium that was found."""

    ADOPTED = "adopted"  # it is a title now
    KNOWN = "known"  # it is a title's or job's file already
    DUPLICATE = "duplicate"  # the library has this medium of the site
    UNKNOWN = "unknown"  # nothing says what it is
    UNFIT = "unfit"  # its name can't be used


@dataclass(frozen=True)
class Guessed:
    """What a medium would become, and what it would be."""

    adoption: Adoption
    guess: Candidate | None = None


def examine(tx: Tx, catalogue: Catalogue, medium: ReadMedium) -> Guessed:
    """Return what `adopt_medium` would do; changes nothing."""
    if medium.facts is None:
        return Guessed(Adoption.UNKNOWN)
    owner = tx.file_owners([medium.path]).get(medium.path)
    if owner is not None and (owner.title_id or not owner.placed):
        return Guessed(Adoption.KNOWN)
    same = _same_source(tx, medium.facts)
    if same is not None and same.state is not TitleState.MISSING:
        return Guessed(Adoption.DUPLICATE)
    job = tx.job(owner.job_id) if owner and owner.job_id else None
    return Guessed(Adoption.ADOPTED, _guesses(tx, catalogue, medium, job)[0])


def adopt_medium(tx: Tx, catalogue: Catalogue, medium: ReadMedium, session_id: str) -> Guessed:
    """Make a title of a medium, or give it back to the title that misses it."""
    found = examine(tx, catalogue, medium)
    if found.adoption is not Adoption.ADOPTED or medium.facts is None:
        return found
    owner = tx.file_owners([medium.path]).get(medium.path)
    job = tx.job(owner.job_id) if owner and owner.job_id else None
    same = _same_source(tx, medium.facts)
    if same is not None:
        tx.forget_title_files(same.id)
        _add_files(tx, same.id, medium.files, job)
        catalogue.organized(tx, same.id, medium.path, medium.files[0].filesize)
    else:
        guesses = _guesses(tx, catalogue, medium, job)
        draft = catalogue.draft(new_id(), session_id, medium.facts, guesses, job)
        _shelve(tx, catalogue, draft, medium.facts, guesses[0], medium.files, job)
    fault("medium-adopted")
    return found


def adopt_job(tx: Tx, catalogue: Catalogue, job_id: str) -> Title | None:
    """Make a title of a finished job's files; None if it has a title, or no file."""
    job = tx.job(job_id)
    if job is None or job.status is not JobStatus.COMPLETED or tx.title_of_job(job_id):
        return None
    files = tx.files(job_id, planned=False)
    main = next((file for file in files if file.main), None)
    if main is None:
        return None
    facts = page_facts(job, {}, PurePosixPath(main.filename).suffix.lstrip("."))
    guesses = catalogue.guesses(tx, facts, job)
    if guesses[0].confidence < catalogue.settings.review_below:
        return None  # who is asked about new files would be asked about this one
    draft = catalogue.draft(new_id(), job.session_id, facts, guesses, job)
    medium = TitleFile(id=0, filename=main.filename, filesize=main.filesize, main=True)
    return _shelve(tx, catalogue, draft, facts, guesses[0], (medium,), job)


def _same_source(tx: Tx, facts: PageFacts) -> Title | None:
    """Return the title of the same medium of the site, unless it was deleted."""
    if not facts.extractor or not facts.source_id:
        return None
    title = tx.title_of_known(facts.extractor, facts.source_id)
    return None if title is None or title.state is TitleState.DELETED else title


def _guesses(
    tx: Tx, catalogue: Catalogue, medium: ReadMedium, job: Job | None
) -> tuple[Candidate, ...]:
    """Return what a medium may be; an NFO that says it is a movie counts as the page's data."""
    assert medium.facts is not None  # noqa: S101 - for mypy: checked by callers
    guesses = catalogue.guesses(tx, medium.facts, job)
    if medium.is_movie and guesses[0].confidence < TOLD:
        movie = filled(
            Classification(content_type=ContentType.MOVIE),
            medium.facts,
            ClassificationSource.EXTRACTOR,
            TOLD,
        )
        return (movie, *guesses[:-1])
    return guesses


def _shelve(  # noqa: PLR0913, PLR0917 - all that a title is made of
    tx: Tx,
    catalogue: Catalogue,
    draft: Title,
    facts: PageFacts,
    guess: Candidate,
    files: tuple[TitleFile, ...],
    job: Job | None,
) -> Title:
    """Add a completed title whose files stay where they are."""
    place = place_of(tx, guess, source_of(draft), catalogue.clock(), draft.id)
    title = with_place(draft, place).model_copy(
        update={
            "state": TitleState.COMPLETED,
            "organized_to": files[0].filename,
            "filesize": files[0].filesize,
        }
    )
    tx.insert_title(title)
    catalogue.label(tx, title.id, facts, job)
    _add_files(tx, title.id, files, job)
    if job is not None:
        catalogue.tell_job(tx, job.id, title, place.show)
    return title


def _add_files(tx: Tx, title_id: str, files: tuple[TitleFile, ...], job: Job | None) -> None:
    """Make files a title's: those of its job, and others that are nobody's."""
    if job is not None:
        tx.give_files_to_title(job.id, title_id)
    owners = tx.file_owners([file.filename for file in files])
    for file in files:
        if file.filename not in owners:
            tx.add_title_file(title_id, file)
