"""The use cases of jobs: the only code that changes a job's state.

Every method works in the caller's transaction, so that the effect, reply and events of a command
are committed together. None of them blocks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import (
    ACTIVE,
    MOVES,
    TERMINAL,
    WAITING,
    Items,
    Job,
    JobFile,
    JobStatus,
    MediaInfo,
    Phase,
    Priority,
    new_id,
    now,
)
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.contract.urls import host_of
from mediarip_mqtt.engine.protocol import Listed, Made
from mediarip_mqtt.jobs import playlists
from mediarip_mqtt.jobs.fair_queue import Turns
from mediarip_mqtt.jobs.job_moves import FRESH, UNBEGUN, wrong_move
from mediarip_mqtt.jobs.queue_room import queue_full, room
from mediarip_mqtt.store import Tx

RETRY_LIMIT: Final = 900.0  # seconds between two attempts
MANY: Final = 1_000_000
_METADATA: Final = frozenset({FileRole.NFO, FileRole.THUMB, FileRole.INFO})  # not downloaded bytes


class Jobs:
    """What commands and the runner do with jobs."""

    def __init__(  # noqa: PLR0913 - its settings
        self,
        topics: Topics,
        preferences: Preferences,
        *,
        retry_delay: float = 5.0,
        upcoming_wait: float = 0.0,
        clock: Callable[[], datetime] = now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._topics = topics
        self._preferences = preferences
        self._retry_delay = retry_delay
        self._upcoming_wait = timedelta(seconds=upcoming_wait)
        self._clock = clock
        self._jitter = jitter
        self._turns = Turns(
            fair=topics.isolated, slots=lambda: int(self._preferences.max_concurrent)
        )

    # For commands

    def add(  # noqa: PLR0913 - what a sender may specify
        self,
        tx: Tx,
        url: str,
        options: DownloadOptions,
        *,
        session_id: str,
        priority: Priority = Priority.NORMAL,
        not_before: datetime | None = None,
        category: str | None = None,
        tags: tuple[str, ...] = (),
        request_id: str | None = None,
        keep: bool = False,
        reuse: bool = False,
        login: str | None = None,
        subscription_id: str | None = None,
    ) -> Job:
        """Add a job to the queue; with ``reuse`` return an equal one if there is one.

        ``login`` is the URL's user name and password: a secret, and no part of the job.
        """
        job = Job(
            id=new_id(),
            session_id=session_id,
            url=url,
            priority=priority,
            not_before=not_before,
            category=category,
            tags=tags,
            request_id=request_id,
            keep=keep,
            subscription_id=subscription_id,
            max_attempts=self._preferences.max_attempts,
            created_at=self._clock(),
            **options.model_dump(),
        )
        scope = self.scope(session_id)
        known = tx.duplicate_of(url, job, scope) if reuse else None
        if known and (known.status in TERMINAL or tx.login(known.id) == login):
            return self.keep(tx, known, keep=True) if keep else known
        self._refuse_full_queue(tx, session_id)
        tx.insert(job)
        if login:
            tx.keep_login(job.id, login)
        self._emit(tx, events.JobQueued, job)
        return job

    def scope(self, session_id: str) -> str | None:
        """Return the only session whose jobs and titles a session may see; None: all."""
        return session_id if self._topics.isolated else None

    def cancel(self, tx: Tx, job: Job) -> Job:
        """Cancel a job; for a playlist, also everything below it."""
        # The playlist first: the end of its last item would complete it.
        cancelled = self._cancel_one(tx, job)
        for item in tx.descendants(job.id, ACTIVE | WAITING):
            self._cancel_one(tx, item)
        return tx.job(job.id) or cancelled

    def retry(self, tx: Tx, job: Job) -> Job:
        """Put a failed or cancelled job back into the queue; for a playlist, its failed items."""
        items = playlists.to_retry(tx, job)
        if not items and job.status not in playlists.RETRIED:
            raise wrong_move(job, "retried", "Only failed and cancelled jobs can be.")
        if not items:
            return self._requeue_one(tx, job)
        for item in items:
            self._requeue_one(tx, item)
        renewed = tx.job(job.id) or job
        self._emit(tx, events.JobQueued, renewed)
        return renewed

    def delete(self, tx: Tx, job: Job) -> Job:
        """Delete a finished job with its checkpoints; return it as it was."""
        if job.status not in TERMINAL:
            raise wrong_move(job, "deleted", "Cancel it first.")
        tx.delete(job)
        self._emit(tx, events.JobDeleted, job)
        if job.parent_id:
            self._settle_parent(tx, job.parent_id)
        return job

    def discard(self, tx: Tx, job: Job) -> None:
        """Delete a job that turned out not to be wanted, in any status."""
        tx.delete(job)
        self._emit(tx, events.JobDeleted, job)
        if job.parent_id:
            self._settle_parent(tx, job.parent_id)

    def keep(self, tx: Tx, job: Job, *, keep: bool) -> Job:
        """Set whether retention and `delete all` skip a job and everything below it."""
        for item in tx.descendants(job.id):
            tx.update(item.id, keep=keep)
        return tx.update(job.id, keep=keep)

    def pause(self, tx: Tx, job: Job) -> Job:
        """Pause a job; its partial files stay."""
        if job.status is JobStatus.PAUSED:
            return job
        if job.status in TERMINAL or job.status is JobStatus.REVIEW:
            raise wrong_move(job, "paused", "It is not running or waiting.")
        for item in tx.descendants(job.id, (ACTIVE | WAITING) - {JobStatus.PAUSED}):
            self._pause_one(tx, item)
        return self._pause_one(tx, job)

    def resume(self, tx: Tx, job: Job) -> Job:
        """Put a paused job back into the queue; for a playlist, also its paused items."""
        if job.status is not JobStatus.PAUSED:
            raise wrong_move(job, "resumed", "Only paused jobs can be.")
        paused = [job, *tx.descendants(job.id, {JobStatus.PAUSED})]
        for paused_job in paused:
            is_playlist = paused_job.items is not None
            self._move(tx, paused_job, JobStatus.DOWNLOADING if is_playlist else JobStatus.QUEUED)
        for paused_job in reversed(paused):
            self._settle_parent(tx, paused_job.id)  # its items may have ended meanwhile
        return tx.job(job.id) or job

    def prioritize(self, tx: Tx, job: Job, priority: Priority) -> Job:
        """Change the priority of a job and of everything unfinished below it."""
        if job.status in TERMINAL:
            raise wrong_move(job, "prioritized", "It has ended.")
        for item in tx.descendants(job.id, ACTIVE | WAITING):
            tx.update(item.id, priority=priority)
        return tx.update(job.id, priority=priority)

    # For the runner and its steps

    def claim(
        self,
        tx: Tx,
        excluded: Sequence[str],
        *,
        extracted: Callable[[str], bool],
        depth: int = 1,
        busy_sites: Mapping[str, bool] | None = None,
    ) -> Job | None:
        """Begin an attempt of the next due job that is on no busy site.

        ``extracted`` returns whether a job's page was read ahead. A ``depth`` above 1 is for
        reading ahead: claim the first of the next ``depth`` jobs whose page was not read yet.
        """
        due = self._turns.due(tx, self._clock(), excluded, depth, busy_sites)
        job = next((item for item in due if depth == 1 or not extracted(item.id)), None)
        if job is None:
            return None
        must_extract = not extracted(job.id)
        status = JobStatus.EXTRACTING if must_extract else JobStatus.DOWNLOADING
        claimed = self._move(
            tx,
            job,
            status,
            attempt=job.attempt + 1,
            started_at=job.started_at or self._clock(),
            next_retry_at=None,
            error_code=None,
            error_message=None,
            **({"phase": Phase.EXTRACTING, "progress_at": self._clock()} if must_extract else {}),
        )
        if not must_extract:
            self._turns.served(job.session_id)
        if job.started_at is None or job.attempt:
            self._emit(tx, events.JobStarted, claimed)
        return claimed

    def extracted(self, tx: Tx, job_id: str, info: MediaInfo, status: JobStatus) -> Job | None:
        """Save the page's data; return None if the job is no longer active."""
        job = self._active(tx, job_id)
        if job is None:
            return None
        if status is not JobStatus.QUEUED:
            self._turns.served(job.session_id)
        # QUEUED: the page was read ahead; the attempt begins with the download.
        attempt = max(0, job.attempt - 1) if status is JobStatus.QUEUED else job.attempt
        return self._move(
            tx,
            job,
            status,
            attempt=attempt,
            title=info.title or job.title,
            thumbnail=info.thumbnail or job.thumbnail,
            duration=info.duration if info.duration is not None else job.duration,
            extractor=info.extractor or job.extractor,
        )

    def expand(
        self,
        tx: Tx,
        job_id: str,
        info: MediaInfo,
        listed: Sequence[Listed] = (),
        logins: Mapping[int, str] | None = None,
    ) -> Job | None:
        """Turn a job into a playlist with a job for each entry, up to the queue's limit.

        ``listed`` belongs to the entries, in their order; ``logins`` are those in their URLs, by
        index.
        """
        job = self._active(tx, job_id)
        if job is None:
            return None
        known = {(item.url, item.playlist_items) for item in tx.jobs(parent_id=job.id, limit=MANY)}
        entries = [
            (entry, source)
            for entry, source in zip_longest(info.entries, listed)
            if (entry.url, entry.items) not in known
        ]
        free, setting = self._room(tx, job.session_id)
        ancestors = tx.ancestors(job)
        if ancestors:
            limit = getattr(self._preferences, setting)
            share = playlists.share(tx, ancestors[-1], limit, self._preferences.playlist_limit)
            free, setting = min((free, setting), (share, f"{setting}, {playlists.SHARE}"))
        if len(ancestors) >= playlists.DEPTH:
            return self.fail(tx, job.id, playlists.too_deep())
        if entries and free <= 0 and not known:
            return self.fail(tx, job.id, playlists.no_room(setting))
        taken = entries[: max(0, free)]
        tx.update(
            job.id,
            is_playlist=True,
            title=info.title or job.title,
            thumbnail=info.thumbnail or job.thumbnail,
            extractor=info.extractor,
            phase=None,
            warning=playlists.warning(info, len(taken), len(entries), setting),
        )
        for entry, source in taken:
            item = playlists.item_of(job, entry, new_id(), self._clock())
            tx.insert(item)
            if source is not None:
                tx.save_entry(item.id, source.model_dump_json(exclude_defaults=True))
            if login := playlists.login_of(tx, job, entry, logins or {}):
                tx.keep_login(item.id, login)
        parent = self._move(tx, tx.job(job.id) or job, JobStatus.DOWNLOADING)
        self._settle_parent(tx, job.id)
        return parent

    def save_checkpoint(self, tx: Tx, job_id: str, step: str, data: str) -> Job | None:
        """Save a checkpoint, also of a paused job; return the job if it is still active."""
        job = tx.job(job_id)
        if job is None or job.status in TERMINAL:
            return None
        tx.save_checkpoint(job_id, step, data, self._clock())
        return job if job.status in ACTIVE else None

    def placing(
        self, tx: Tx, job_id: str, files: Sequence[JobFile], made: Made | None = None
    ) -> Job | None:
        """Commit the names of a job's files before they are moved; None if it isn't active.

        ``made`` has the warning, and why a recording ended early.
        """
        job = self._active(tx, job_id)
        if job is None:
            return None
        tx.plan_files(job_id, files)
        columns: dict[str, Any] = {"error_code": made.ended_by if made else None}
        if made and made.warning:
            columns["warning"] = made.warning
        return self._move(tx, job, JobStatus.PROCESSING, phase=Phase.MOVING, **columns)

    def complete(
        self,
        tx: Tx,
        job_id: str,
        placed: Sequence[JobFile] = (),
        *,
        ask: bool = False,
    ) -> Job | None:
        """Complete a job whose files were moved; return None if it has ended or has no files.

        ``placed`` has the files' identities. ``ask``: a person is asked first what it is.
        """
        job = tx.job(job_id)
        files = tx.files(job_id)
        if job is None or job.status in TERMINAL or not files:
            return None
        main = next((file for file in files if file.main), files[0])
        tx.files_placed(job_id, placed)
        tx.forget_checkpoints(job_id)
        tx.forget_login(job_id)
        size = sum(file.filesize for file in files if file.role not in _METADATA)
        columns = {"filename": main.filename, "filesize": main.filesize, "progress_percent": 100.0}
        columns |= {"downloaded_bytes": size, "total_bytes": size, "progress_at": self._clock()}
        if ask:
            return self._move(tx, job, JobStatus.REVIEW, **columns, error_message=None)
        return self.end_well(tx, job, **columns)

    def end_well(self, tx: Tx, job: Job, **columns: Any) -> Job:
        """Complete a job whose file is in its place, also after a review."""
        columns |= {"completed_at": self._clock(), "error_message": None}
        done = self._move(tx, job, JobStatus.COMPLETED, **columns)
        self._emit(tx, events.JobCompleted, done)
        self._settle_parent(tx, job.parent_id)
        return done

    def fail_review(self, tx: Tx, job: Job, error: DownloadError) -> Job:
        """Fail a job whose file is gone before it was said what it is."""
        reason = {"error_code": error.code, "error_message": error.message}
        failed = self._move(tx, job, JobStatus.FAILED, completed_at=self._clock(), **reason)
        self._emit(tx, events.JobFailed, failed)
        self._settle_parent(tx, job.parent_id)
        return failed

    def fail(self, tx: Tx, job_id: str, error: DownloadError) -> Job | None:
        """End a failed attempt: schedule another one, or fail the job."""
        job = self._active(tx, job_id)
        if job is None:
            return None
        if error.code is not ErrorCode.STORAGE_UNAVAILABLE:
            # Otherwise the next attempt would continue with what has failed.
            tx.forget_files(job_id)
            tx.forget_checkpoints(job_id)
        reason: dict[str, Any] = {"error_code": error.code, "error_message": error.message[:500]}
        elapsed = self._clock() - (job.started_at or self._clock())
        upcoming = error.begins and elapsed < self._upcoming_wait
        if upcoming or (error.transient and job.attempt < job.max_attempts):
            if upcoming:  # doesn't count as an attempt
                reason["attempt"] = max(0, job.attempt - 1)
            pause = self._backoff(max(1, job.attempt), error.retry_after)
            due = self._clock() + timedelta(seconds=pause)
            waiting = self._move(tx, job, JobStatus.RETRYING, next_retry_at=due, **reason)
            self._emit(tx, events.JobRetrying, waiting)
            return waiting
        failed = self._move(tx, job, JobStatus.FAILED, completed_at=self._clock(), **reason)
        tx.log_error(failed, host_of(job.url), self._clock())
        self._emit(tx, events.JobFailed, failed)
        self._settle_parent(tx, job.parent_id)
        return failed

    def put_back(self, tx: Tx, job_id: str) -> Job | None:
        """Put an active job back into the queue; its attempt doesn't count."""
        job = self._active(tx, job_id)
        if job is None or tx.is_playlist(job_id):
            return None
        return self._move(tx, job, JobStatus.QUEUED, attempt=max(0, job.attempt - 1))

    def put_all_back(self, tx: Tx) -> list[Job]:
        """Put all active jobs back into the queue."""
        running = [job for job in tx.running() if job.items is None]
        return [queued for job in running if (queued := self.put_back(tx, job.id))]

    # Internal

    def _pause_one(self, tx: Tx, job: Job) -> Job:
        # A pause doesn't count as an attempt.
        attempt = max(0, job.attempt - 1) if job.status in ACTIVE else job.attempt
        return self._move(tx, job, JobStatus.PAUSED, next_retry_at=None, attempt=attempt)

    def _cancel_one(self, tx: Tx, job: Job) -> Job:
        if job.status in TERMINAL:
            raise wrong_move(job, "cancelled", "It has ended.")
        cancelled = self._move(
            tx,
            job,
            JobStatus.CANCELLED,
            completed_at=self._clock(),
            next_retry_at=None,
            error_code=ErrorCode.CANCELLED,
            error_message="Cancelled on request.",
        )
        tx.forget_checkpoints(job.id)  # its files are removed, too
        self._emit(tx, events.JobCancelled, cancelled)
        self._settle_parent(tx, job.parent_id)
        return cancelled

    def _requeue_one(self, tx: Tx, job: Job) -> Job:
        queued = self._move(tx, job, JobStatus.QUEUED, **UNBEGUN, **FRESH)
        self._emit(tx, events.JobQueued, queued)
        for parent in tx.ancestors(job):
            if parent.status in TERMINAL:
                tx.update(parent.id, status=JobStatus.DOWNLOADING, **FRESH)
        return queued

    def _settle_parent(self, tx: Tx, parent_id: str | None) -> None:
        """End a playlist if all its items have ended; then check the playlist above it."""
        parent = tx.job(parent_id) if parent_id else None
        if parent is None or parent.items is None or parent.status in TERMINAL:
            return
        items = parent.items
        percent = round(tx.mean_progress(parent.id), 1)
        if items.completed + items.failed + items.cancelled < items.total:
            tx.update(parent.id, progress_percent=percent)
        else:
            self._end_playlist(tx, parent, items, percent)
        self._settle_parent(tx, parent.parent_id)

    def _end_playlist(self, tx: Tx, job: Job, items: Items, percent: float) -> None:
        if job.status is JobStatus.PAUSED:
            job = self._move(tx, job, JobStatus.DOWNLOADING)
        status, kind, why = playlists.end_of(items)
        percent = percent if why else 100.0
        if not why:
            tx.forget_login(job.id)
        columns = {**why, "completed_at": self._clock(), "progress_percent": percent}
        self._emit(tx, kind, self._move(tx, job, status, **columns))

    def _room(self, tx: Tx, session_id: str) -> tuple[int, str]:
        return room(tx, session_id, self._preferences, isolated=self._topics.isolated)

    def _refuse_full_queue(self, tx: Tx, session_id: str) -> None:
        free, setting = self._room(tx, session_id)
        if free <= 0:
            raise queue_full(getattr(self._preferences, setting) - free, setting)

    def _backoff(self, attempt: int, retry_after: float | None) -> float:
        """Return the seconds until the next attempt: doubled each time, plus up to 25 % jitter."""
        delay: float = min(self._retry_delay * 2 ** (attempt - 1), RETRY_LIMIT)
        delay = max(delay, min(retry_after or 0.0, RETRY_LIMIT * 4))
        return delay * (1 + 0.25 * self._jitter())

    def _active(self, tx: Tx, job_id: str) -> Job | None:
        job = tx.job(job_id)
        return job if job and job.status in ACTIVE else None

    def _move(self, tx: Tx, job: Job, status: JobStatus, **columns: Any) -> Job:
        if status is not job.status and status not in MOVES[job.status]:
            raise wrong_move(job, f"made {status}", "")
        return tx.update(job.id, status=status, **columns)

    def _emit(self, tx: Tx, kind: type[events.JobEvent], job: Job) -> None:
        tx.emit(events.of_job(kind, self._clock(), job))
