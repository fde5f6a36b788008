"""How the library decides where a job's files go; without it the output template does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.models import Job, JobFile
from mediarip_mqtt.engine.protocol import Made
from mediarip_mqtt.store import Tx


@dataclass(frozen=True)
class Filed:
    """Where a job's medium goes: ``stem`` is the path below the root, without an extension.

    None: the output template decides. ``instead`` is an existing file, if the new one isn't kept.
    ``replaces``: the id of a title that has to be archived first; then it is decided again.
    """

    stem: str | None = None
    instead: str | None = None
    replaces: str | None = None


@dataclass(frozen=True)
class Twin:
    """A title whose medium has the same content as a new file, and the hash of both."""

    title_id: str
    content_hash: str


class Filing(Protocol):
    """Decides what a job's files are; called in transactions by the step `place`."""

    def reuse(self, tx: Tx, job_id: str, fields: Mapping[str, Any]) -> bool:
        """End a job that needs no download, as its medium is known; return whether it is."""

    def file(  # noqa: PLR0913, PLR0917 - what the place depends on
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
        """Decide before the names are chosen; again if a step is repeated.

        ``fields`` is the page's data; no part of the path may have more than ``limit`` bytes.
        ``replace``: whether another title may be archived for this one.
        """

    def placed(self, tx: Tx, job_id: str, files: Sequence[JobFile]) -> Job | None:
        """End the job whose files were moved; None if it has ended or has no files."""

    def not_kept(self, tx: Tx, job_id: str, filed: Filed) -> Job | None:
        """End a job whose file isn't kept; None if it has ended."""


@dataclass(frozen=True)
class SideFile:
    """A file that goes beside the medium: its stem, then ``tail``."""

    path: Path
    size: int
    tail: str
    role: FileRole


@dataclass(frozen=True)
class Furnished:
    """What the library made for a job's medium, in the job's temporary folder.

    ``made`` is what the download made, maybe with a tagged copy of the medium, and a warning.
    """

    made: Made
    files: tuple[SideFile, ...] = ()


class Furnishing(Protocol):
    """Makes metadata and pictures; called by the step `place`.

    What can't be made is left out, with a warning.
    """

    async def furnish(
        self,
        job: Job,
        made: Made,
        fields: Mapping[str, Any],
        folder: Path,
        stopped: asyncio.Event,
    ) -> Furnished:
        """Make them after `Filing.file`, before the names are chosen; again if that is repeated.

        ``folder`` is the job's temporary folder.
        """

    async def furnish_show(self, job_id: str, folder: Path) -> str | None:
        """Write what the show, season or album lacks; return a warning. The medium is in place."""


class RivalTitles(Protocol):
    """Titles that a new file meets; called by the step `place` before it is filed."""

    async def twin(
        self, job: Job, path: Path, size: int, stopped: Callable[[], bool]
    ) -> Twin | None:
        """Return the title with the same content; ``stopped`` is asked while files are read."""

    async def make_room(self, title_id: str) -> bool:
        """Archive a title; return whether its files have left their places."""


@dataclass(frozen=True)
class LibraryParts:
    """What the library does for jobs, if it is enabled."""

    filing: Filing
    furnishing: Furnishing
    rivals: RivalTitles | None = None
