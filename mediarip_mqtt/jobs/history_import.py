"""Imports finished jobs from elsewhere: shown as history, without files of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from mediarip_mqtt.contract import events, texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import TERMINAL
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.contract.urls import check_picture, read_target
from mediarip_mqtt.jobs.history_records import KnownMedium, Record
from mediarip_mqtt.store import Tx


class NotTaken(Frozen):
    """A record that was not imported."""

    index: int = Field(description="Its index in `jobs`, from 0.")
    code: ErrorCode
    message: str


class TakenOver(Frozen):
    """The result of an import."""

    imported: int = Field(description="Jobs that are new.")
    skipped: int = Field(description="Jobs that the store has already.")
    refused: list[NotTaken]
    dry_run: bool


@dataclass(frozen=True)
class Importing:
    """An import into one session; only jobs of the session ``scope`` are visible (None: all)."""

    settings: Settings
    session_id: str
    scope: str | None
    now: datetime
    dry_run: bool = False

    def take(self, tx: Tx, records: Sequence[Record]) -> TakenOver:
        """Add the jobs that the store does not have; return the counts and the refusals.

        Nothing is written to the table of files: deleting an imported job must not remove a file.
        """
        imported, known = 0, 0
        refused: list[NotTaken] = []
        room = self._room(tx)
        for index, record in enumerate(records):
            try:
                url = self._url(record.url)
            except CommandError as error:
                refused.append(NotTaken(index=index, code=error.code, message=error.message))
                continue
            job_id = self._free_id(tx, record)
            if job_id is None:
                known += 1
                continue
            if imported >= room:
                refused.append(self._full(index))
                continue
            imported += 1
            if not self.dry_run:
                self._add(tx, record, job_id, url)
        if imported and not self.dry_run:
            tx.emit(events.Imported(at=self.now, count=imported), self.session_id)
        return TakenOver(imported=imported, skipped=known, refused=refused, dry_run=self.dry_run)

    def remember(self, tx: Tx, media: Sequence[KnownMedium]) -> set[KnownMedium]:
        """Remember media that were downloaded elsewhere; return those that are new."""
        new = {
            medium
            for medium in media
            if not tx.is_known(medium.extractor, medium.source_id, self.session_id)
            and tx.title_of_known(medium.extractor, medium.source_id, self.scope) is None
        }
        if not self.dry_run:
            for medium in new:
                tx.add_known(medium.extractor, medium.source_id, self.session_id, self.now)
        return new

    def _room(self, tx: Tx) -> float:
        """Return how many more jobs may be stored; an isolated session has a limit."""
        if self.scope is None or self.session_id == ROOT_SESSION:
            return math.inf
        stored = sum(tx.counts(self.session_id).values())
        return self.settings.session.session_stored_limit - stored

    def _full(self, index: int) -> NotTaken:
        limit = self.settings.session.session_stored_limit
        message = (
            f"{limit} jobs of this session are stored, which is the limit session_stored_limit. "
            "Purge some."
        )
        return NotTaken(index=index, code=ErrorCode.QUEUE_FULL, message=message)

    def _add(self, tx: Tx, record: Record, job_id: str, url: str) -> None:
        parent = tx.job(record.parent_id) if record.parent_id else None
        fits = (
            parent is not None
            and parent.items is not None
            and parent.status in TERMINAL  # an item must not change how a playlist ends
            and parent.session_id == self.session_id
        )
        job = record.job(job_id, self.session_id, url, self.now)
        picture = check_picture(job.thumbnail, self.settings.security)
        job = job.model_copy(
            update={"thumbnail": picture, "parent_id": job.parent_id if fits else None}
        )
        tx.insert(job, is_playlist=record.is_playlist)

    def _url(self, url: str) -> str:
        """Return a URL that a retry may use; the URL of a search stays unchanged."""
        prefix = self.settings.downloads.search_prefix
        is_web = prefix.startswith(("http://", "https://"))
        is_search = not is_web and url.startswith(prefix or "\0")
        if is_search and not texts.UNFIT.search(url):
            return url
        target = read_target(url, self.settings.security)
        if target.login is not None:
            raise CommandError(
                ErrorCode.INVALID_URL,
                "A URL with a user name or password is not imported: a retry could not use it.",
                field="url",
            )
        return target.url

    def _free_id(self, tx: Tx, record: Record) -> str | None:
        """Return the id for the job; None if the store has the job already."""
        for job_id in record.ids(self.session_id):
            known = tx.job(job_id)
            if known is None:
                return job_id
            if self.scope in {None, known.session_id}:
                return None
        return None
