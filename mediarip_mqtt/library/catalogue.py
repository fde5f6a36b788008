"""Titles: the only code that makes them of jobs and changes their states.

Every method works in the caller's transaction, as the use cases of jobs do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.content import Classification, FileRole, ReviewReason
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.library_settings import LibrarySettings
from mediarip_mqtt.contract.models import TERMINAL, Job, JobFile, JobStatus, new_id
from mediarip_mqtt.contract.titles import (
    TITLE_MOVES,
    Candidate,
    Show,
    Title,
    TitleFile,
    TitleState,
)
from mediarip_mqtt.jobs.filing import Filed, Twin
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.library import layout
from mediarip_mqtt.library.classify import classify, matching_rule
from mediarip_mqtt.library.duplicates import known_medium
from mediarip_mqtt.library.numbers import Place, Source, place_of
from mediarip_mqtt.library.page_facts import AUDIO, PageFacts, page_facts
from mediarip_mqtt.library.slugs import slug
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume import names

_UNFINISHED: Final = frozenset(
    {
        TitleState.PENDING,
        TitleState.MATCHING,
        TitleState.MATCHED,
        TitleState.ORGANIZING,
        TitleState.FAILED,
    }
)


@dataclass(frozen=True)
class _Meeting:
    """What a new title meets: the volume's limits, an equal one, and whether one may go."""

    extension: str
    limit: int
    twin: Twin | None
    replace: bool


@dataclass(frozen=True)
class _Decision:
    """Where a new title goes; without a title there is none (yet)."""

    filed: Filed
    title: Title | None = None
    place: Place = field(default_factory=Place)
    reason: ReviewReason | None = None


class Catalogue:
    """Makes titles of jobs; it is the `Filing` of the step `place`."""

    def __init__(
        self, settings: LibrarySettings, jobs: Jobs, clock: Callable[[], datetime]
    ) -> None:
        self.settings = settings
        self.jobs = jobs
        self.clock = clock

    # Of a job's new files: see `Filing`

    def reuse(self, tx: Tx, job_id: str, fields: Mapping[str, Any]) -> bool:
        """End a job whose medium is known: in the library, its archive, or an imported one."""
        job = tx.job(job_id)
        if job is None or job.status in TERMINAL:
            return False
        known = known_medium(tx, fields, job_id, self.jobs.scope(job.session_id))
        if known is None:
            return False
        title = known.title
        if title is not None:
            self.tell_job(tx, job_id, title, tx.show(title.show_id) if title.show_id else None)
        there = title is not None and title.state not in {TitleState.MISSING, TitleState.ARCHIVED}
        filename = title.organized_to if title and there else None
        facts = page_facts(job, fields, "")
        tx.update(job_id, title=facts.title, extractor=facts.extractor, duration=facts.duration)
        self._end_without_file(tx, tx.job(job_id) or job, filename, known.reason)
        return True

    def file(  # noqa: PLR0913, PLR0917 - see `Filing`
        self,
        tx: Tx,
        job_id: str,
        fields: Mapping[str, Any],
        extension: str,
        limit: int,
        twin: Twin | None = None,
        *,
        replace: bool = True,
    ) -> Filed:
        """Make the job's title, choose its numbers, and return where its medium goes."""
        job = tx.job(job_id)
        if job is None or job.status in TERMINAL:
            return Filed()  # the step notices when it commits the names
        facts = page_facts(job, fields, extension)
        former = tx.title_of_job(job_id)
        title_id = new_id()
        if former and former.state in _UNFINISHED and not tx.title_files(former.id):
            tx.delete_title(former.id)  # of an earlier attempt
            title_id = former.id
        guesses = self.guesses(tx, facts, job)
        title = self.draft(title_id, job.session_id, facts, guesses, job)
        if job.output_template or job.folder:  # the sender has chosen the place
            title, place = self._numbered(tx, title)
            decided = _Decision(Filed(), title, place)
        else:
            decided = self._decide(tx, job, title, _Meeting(extension, limit, twin, replace))
        if decided.title is None:
            return decided.filed
        title = decided.title.model_copy(
            update={
                "state": TitleState.MATCHING if decided.reason else TitleState.ORGANIZING,
                "review_reason": decided.reason,
            }
        )
        tx.insert_title(title)
        self.label(tx, title.id, facts, job)
        if facts.chapters:
            tx.set_chapters(title.id, facts.chapters, self.clock())
        self.tell_job(tx, job.id, title, decided.place.show)
        return decided.filed

    def placed(self, tx: Tx, job_id: str, files: Sequence[JobFile]) -> Job | None:
        """Complete the job and its title, or ask a person."""
        title = tx.title_of_job(job_id)
        if title is None or title.state not in {TitleState.MATCHING, TitleState.ORGANIZING}:
            return self.jobs.complete(tx, job_id, files)
        losers = tx.titles_that_lose(job_id)
        asked = title.state is TitleState.MATCHING
        job = self.jobs.complete(tx, job_id, files, ask=asked)
        if job is None:
            return None
        for loser in losers:
            self.lost(tx, loser)
        tx.give_files_to_title(job_id, title.id)
        if any(file.role is FileRole.THUMB for file in files):
            tx.update_title(title.id, thumbnail_source="page")
        if asked:
            self._ask(tx, title, job)
        else:
            self.organized(tx, title.id, job.filename, job.filesize)
        return job

    def not_kept(self, tx: Tx, job_id: str, filed: Filed) -> Job | None:
        """Complete a job whose file goes, as another title has its number."""
        job = tx.job(job_id)
        if job is None or job.status in TERMINAL:
            return None
        warning = (
            f"Not kept: the library has {filed.instead!r} with the same number, name or content."
        )
        return self._end_without_file(tx, job, filed.instead, warning)

    # Of titles

    def organized(self, tx: Tx, title_id: str, filename: str | None, size: int | None) -> Title:
        """Complete a title whose files are in their places."""
        former = tx.title(title_id)
        was_archived = former is not None and former.deleted_at is not None
        title = tx.update_title(
            title_id,
            state=TitleState.COMPLETED,
            organized_to=filename,
            filesize=size,
            deleted_at=None,
            missing_since=None,
            review_reason=None,
            review_until=None,
        )
        event = events.TitleRestored if was_archived else events.TitleOrganized
        tx.emit(event(at=self.clock(), title=title))
        return title

    def moved(
        self, tx: Tx, title_id: str, files: Sequence[TitleFile], warning: str | None = None
    ) -> None:
        """Complete a title whose files were moved, and its job if that waits for it."""
        title = tx.title(title_id)
        if title is None or title.state not in {TitleState.ORGANIZING, TitleState.ARCHIVED}:
            return
        tx.files_moved(files)
        main = next((file for file in tx.title_files(title_id) if file.main), None)
        if main is None:
            self.lost(tx, title_id)
            return
        if title.state is TitleState.ARCHIVED:
            archived = tx.update_title(title_id, organized_to=main.filename)
            tx.emit(events.TitleArchived(at=self.clock(), title=archived))
            return
        job = tx.job(title.job_id) if title.job_id else None
        if job is not None:
            columns: dict[str, Any] = {"filename": main.filename, "review_reason": None}
            columns |= {"warning": warning} if warning else {}
            if job.status is JobStatus.REVIEW:
                self.jobs.end_well(tx, job, **columns)
            else:
                tx.update(job.id, **columns)
        self.organized(tx, title_id, main.filename, main.filesize)

    def lost(self, tx: Tx, title_id: str) -> None:
        """Note that a title's medium is gone; a job that waits for its move fails."""
        title = tx.title(title_id)
        if title is None or TitleState.MISSING not in TITLE_MOVES[title.state]:
            return
        missing = tx.update_title(
            title_id,
            state=TitleState.MISSING,
            missing_since=title.missing_since or self.clock(),
            deleted_at=None,
            review_until=None,
        )
        tx.emit(events.TitleMissing(at=self.clock(), title=missing))
        job = tx.job(title.job_id) if title.job_id else None
        if job is not None and job.status is JobStatus.REVIEW:
            text = "The file was removed while it waited for its review. Retry the job."
            self.jobs.fail_review(tx, job, DownloadError(ErrorCode.NOT_FOUND, text))

    def settle(self, tx: Tx) -> None:
        """End the titles whose jobs have ended without them."""
        for title_id in tx.titles_left_by_jobs():
            title = tx.title(title_id)
            if title is None:
                continue
            asked = title.state is TitleState.REVIEW
            state = TitleState.DISCARDED if asked else TitleState.FAILED
            tx.update_title(title_id, state=state, review_until=None)

    def deleted(self, tx: Tx, job_ids: Sequence[str]) -> None:
        """Note that the files of jobs were removed by the command `delete`."""
        for title_id in tx.titles_below(job_ids):
            tx.forget_title_files(title_id)
            tx.update_title(
                title_id,
                state=TitleState.DELETED,
                deleted_at=self.clock(),
                organized_to=None,
                review_until=None,
            )

    def give_up(self, tx: Tx, title_id: str) -> None:
        """Note that a title's files go for good; the organizer removes them."""
        title = tx.update_title(
            title_id,
            state=TitleState.DELETED,
            deleted_at=self.clock(),
            organized_to=None,
            missing_since=None,
        )
        if title.job_id and tx.job(title.job_id):
            tx.update(title.job_id, filename=None)

    def found(self, tx: Tx, title_id: str, filename: str) -> None:
        """Note that a title's medium is there, perhaps with another name."""
        title = tx.title(title_id)
        if title is None or title.state not in {TitleState.COMPLETED, TitleState.MISSING}:
            return
        tx.update_title(
            title_id, state=TitleState.COMPLETED, organized_to=filename, missing_since=None
        )
        job = tx.job(title.job_id) if title.job_id else None
        if job is not None and job.status is JobStatus.COMPLETED and job.filename != filename:
            tx.update(job.id, filename=filename)

    def stem(self, title: Title, show: Show | None, limit: int = names.NAME_BYTES) -> str:
        """Return the path of a title's medium without its extension."""
        return layout.place(title, show, self.settings.folders, limit)

    def tell_job(self, tx: Tx, job_id: str, title: Title, show: Show | None) -> None:
        """Copy what is known of a title to its job."""
        tx.update(
            job_id,
            title_id=title.id,
            content_type=title.content_type,
            show=show.name if show else None,
            season=title.season,
            episode=title.episode,
            confidence=title.classification_confidence,
            review_reason=title.review_reason,
        )

    def rival(self, tx: Tx, title: Title, place: Place, extension: str, limit: int) -> Title | None:
        """Return another title that has the same number or name; none that is hidden."""
        if place.taken and place.show is not None and place.season is not None:
            number = (place.show.id, place.season, place.episode or 0)
            other = tx.title_with_number(*number, title.id)
        else:
            stem = self.stem(title, place.show, limit)
            owner = tx.owner_of_name(f"{stem}.{extension}", title.id)
            other = tx.title(owner) if owner else None
        return None if other is None or self.is_hidden(other, title) else other

    def is_hidden(self, other: Title, title: Title) -> bool:
        """Whether another title is in another isolated session: both are kept then."""
        return self.jobs.scope(title.session_id) not in {None, other.session_id}

    def guesses(self, tx: Tx, facts: PageFacts, job: Job | None = None) -> tuple[Candidate, ...]:
        """Return what a medium may be, the likeliest first."""
        told = job.library if job else None
        if job and told is not None and job.parent_id:  # said of the playlist, not of each item
            told = Classification(**told.model_dump(exclude={"title", "episode", "track"}))
        remembered = None
        if facts.extractor and facts.channel_id:
            remembered = tx.remembered_answer(facts.extractor, facts.channel_id)
        return classify(facts, told=told, remembered=remembered, rules=self.settings.rules)

    def draft(
        self,
        title_id: str,
        session_id: str,
        facts: PageFacts,
        guesses: Sequence[Candidate],
        job: Job | None = None,
    ) -> Title:
        """Return a new title that is what the first guess says, without a number."""
        return with_guess(
            Title(
                id=title_id,
                job_id=job.id if job else None,
                session_id=session_id,
                subscription_id=job.subscription_id if job else None,
                title=facts.title,
                description=facts.description,
                detected_title=facts.title,
                detected_season=facts.season,
                candidates=tuple(guesses),
                extractor=facts.extractor,
                source_id=facts.source_id,
                channel=facts.channel,
                channel_id=facts.channel_id,
                playlist=facts.playlist,
                duration=facts.duration,
                source_width=facts.width,
                source_height=facts.height,
                primary_codec=facts.codec,
                published_at=facts.published,
                created_at=self.clock(),
                keep=job.keep if job else False,
            ),
            guesses[0],
        )

    def label(self, tx: Tx, title_id: str, facts: PageFacts, job: Job | None = None) -> None:
        """Give a title the category and tags of its job, and those of its rule."""
        rule = matching_rule(facts, self.settings.rules)
        tags = [*(job.tags if job else ()), *(rule.tags if rule else ())]
        tx.add_tags(title_id, [(slug(name), name) for name in tags], self.clock())
        category = (job.category if job else None) or (rule.category if rule else None)
        if category:
            tx.set_category(title_id, slug(category), category, self.clock())

    # Internal

    def _decide(self, tx: Tx, job: Job, title: Title, meeting: _Meeting) -> _Decision:
        """Decide where a new title goes, and whether a person is asked first."""
        policy = self.settings.conflict
        if meeting.twin and (same := tx.title(meeting.twin.title_id)):
            return self._decide_twin(tx, job, title, same, meeting)
        if (title.classification_confidence or 0) < self.settings.review_below:
            return self._asked(title, ReviewReason.LOW_CONFIDENCE, meeting.limit)
        numbered, place = self._numbered(tx, title)
        rival = self.rival(tx, numbered, place, meeting.extension, meeting.limit)
        if rival is not None and policy == "skip":
            return _Decision(self._instead(tx, job, rival))
        if rival is not None and policy == "ask":
            # Its number is chosen by the answer.
            return self._asked(title, ReviewReason.CONFLICT, meeting.limit)
        if rival is not None and policy == "overwrite" and meeting.replace:
            return _Decision(Filed(replaces=rival.id))
        return _Decision(Filed(self.stem(numbered, place.show, meeting.limit)), numbered, place)

    def _decide_twin(
        self, tx: Tx, job: Job, title: Title, same: Title, meeting: _Meeting
    ) -> _Decision:
        """Ask a person about a file with the content of another one."""
        if job.on_duplicate == "reuse" or self.settings.conflict == "skip":
            return _Decision(self._instead(tx, job, same))
        content_hash = meeting.twin.content_hash if meeting.twin else None
        tx.update_title(same.id, content_hash=content_hash)
        title = title.model_copy(update={"content_hash": content_hash})
        return self._asked(title, ReviewReason.DUPLICATE, meeting.limit)

    def _asked(self, title: Title, reason: ReviewReason, limit: int) -> _Decision:
        stem = layout.unsorted(title, self.settings.unsorted, limit)
        return _Decision(Filed(stem), title, reason=reason)

    def _numbered(self, tx: Tx, title: Title) -> tuple[Title, Place]:
        """Choose the number of a new title by its likeliest guess."""
        place = place_of(tx, title.candidates[0], source_of(title), self.clock(), title.id)
        return with_place(title, place), place

    def _end_without_file(self, tx: Tx, job: Job, filename: str | None, warning: str) -> Job:
        """Complete a job that has no file of its own."""
        tx.forget_checkpoints(job.id)
        tx.forget_login(job.id)
        columns = {"filename": filename, "warning": warning, "progress_percent": 100.0}
        return self.jobs.end_well(tx, job, **columns)

    def _instead(self, tx: Tx, job: Job, rival: Title) -> Filed:
        show = tx.show(rival.show_id) if rival.show_id else None
        self.tell_job(tx, job.id, rival, show)
        return Filed(instead=rival.organized_to or rival.title)

    def _ask(self, tx: Tx, title: Title, job: Job) -> None:
        timeout = self.settings.review_timeout
        until = self.clock() + timedelta(seconds=timeout) if timeout else None
        asked = tx.update_title(
            title.id, state=TitleState.REVIEW, review_until=until, filesize=job.filesize
        )
        tx.emit(
            events.ReviewNeeded(
                at=self.clock(),
                job=job,
                title_id=asked.id,
                reason=asked.review_reason or ReviewReason.LOW_CONFIDENCE,
                candidates=asked.candidates,
                review_until=until,
            )
        )


def with_guess(title: Title, guess: Candidate) -> Title:
    """Return a title that is what a guess says; its number comes from `with_place`."""
    name = guess.title or title.detected_title or title.title
    return title.model_copy(
        update={
            "content_type": guess.content_type,
            "title": name,
            "slug": slug(name),
            "artist": guess.artist,
            "album": guess.album,
            "track": guess.track,
            "year": guess.year,
            "classification_source": guess.source,
            "classification_confidence": guess.confidence,
        }
    )


def with_place(title: Title, place: Place) -> Title:
    """Return a title with its show and number."""
    code = None
    if place.show and place.season is not None and place.episode is not None:
        code = layout.episode_code(place.season, place.episode, place.show.numbering)
    return title.model_copy(
        update={
            "show_id": place.show.id if place.show else None,
            "show": place.show.name if place.show else None,
            "season": place.season,
            "episode": place.episode,
            "title_index": place.title_index,
            "matched_episode": code,
        }
    )


def facts_of(title: Title, filename: str) -> PageFacts:
    """Return what is still known of a title's page, to complete an answer with."""
    first = title.candidates[0] if title.candidates else Candidate()
    return PageFacts(
        title=title.detected_title or title.title,
        season=title.detected_season,
        artist=first.artist,
        album=first.album,
        track_number=first.track,
        channel=title.channel,
        channel_id=title.channel_id,
        playlist=title.playlist,
        extractor=title.extractor,
        source_id=title.source_id,
        published=title.published_at,
        year=title.published_at.year if title.published_at else None,
        duration=title.duration,
        is_audio=PurePosixPath(filename).suffix.lstrip(".").lower() in AUDIO,
    )


def source_of(title: Title) -> Source:
    """Return where a title is from."""
    return Source(
        title.published_at or title.created_at, title.extractor, title.channel, title.channel_id
    )
