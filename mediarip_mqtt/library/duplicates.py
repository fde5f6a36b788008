"""Duplicates: what the library has already, by site and id before a download, by content after it.

The functions that hash block: call them in threads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from mediarip_mqtt.contract.titles import Title, TitleFile, TitleState
from mediarip_mqtt.library.page_facts import file_facts
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume.owned_files import opened_plain

ENDS: Final = 1024 * 1024  # bytes at each end that are compared first
STEP: Final = 4 * 1024 * 1024
TOLERANCE: Final = 1.0  # seconds between the durations of equal media
# Titles that count as known: they have a file, had one, or it is in the archive.
_KNOWN: Final = frozenset(
    {
        TitleState.REVIEW,
        TitleState.ORGANIZING,
        TitleState.COMPLETED,
        TitleState.MISSING,
        TitleState.ARCHIVED,
    }
)


@dataclass(frozen=True)
class Known:
    """A medium that needs no download: a title has it, or an imported archive names it."""

    title: Title | None = None

    @property
    def reason(self) -> str:
        """The warning of a job that ends without a download."""
        again = "To download it nevertheless, send `on_duplicate: again`."
        if self.title is None:
            return f"Not downloaded: an imported archive has it. {again}"
        if self.title.state is TitleState.ARCHIVED:
            return f"Not downloaded: it is in the library's archive; `restore` returns it. {again}"
        if self.title.state is TitleState.MISSING:
            return f"Not downloaded: the library knows it, but its file is gone. {again}"
        return f"Not downloaded: the library has it. {again}"


def known_medium(
    tx: Tx, fields: Mapping[str, Any], job_id: str, session_id: str | None
) -> Known | None:
    """Return what is known of a page's medium; ``session_id`` limits it to one session's."""
    facts = file_facts(fields, "", "")
    if not facts.extractor or not facts.source_id:
        return None
    title = tx.title_of_known(facts.extractor, facts.source_id, session_id)
    if title is not None and title.job_id != job_id and _counts(title):
        return Known(title)
    if tx.is_known(facts.extractor, facts.source_id, session_id):
        return Known()
    return None


def _counts(title: Title) -> bool:
    """Whether a title counts as known; not while its first file is on its way."""
    on_its_way = title.state is TitleState.ORGANIZING and not title.organized_to
    return title.state in _KNOWN and not on_its_way


@dataclass(frozen=True)
class Suspect:
    """A title whose medium has the same size and duration as a new file."""

    title_id: str
    file: TitleFile


def suspects(
    tx: Tx, size: int, duration: float | None, job_id: str, session_id: str | None
) -> list[Suspect]:
    """Return titles whose medium may be the same as a new one; ``session_id``: only one's."""
    found = []
    for title in tx.titles_of_size(size, session_id):
        if title.job_id == job_id:
            continue
        known = title.duration is not None and duration is not None
        if known and abs((title.duration or 0) - (duration or 0)) > TOLERANCE:
            continue
        main = next((file for file in tx.title_files(title.id) if file.main), None)
        if main is not None and not main.move_to:
            found.append(Suspect(title.id, main))
    return found


def equal_content(
    root: Path, path: Path, candidates: list[Suspect], stopped: Callable[[], bool]
) -> tuple[str, str] | None:
    """Return (title id, hash) of the first title with the same content; None if none has.

    The ends are compared first, so that only equal files are read as a whole.
    """
    ends: str | None = None
    whole: str | None = None
    for candidate in candidates:
        with opened_plain(root, candidate.file.filename) as other:
            if other is None or os.fstat(other.fileno()).st_size != candidate.file.filesize:
                continue
            with path.open("rb") as new:
                ends = ends or _hash_of_ends(new)
                if _hash_of_ends(other) != ends:
                    continue
                whole = whole or _hash(new, stopped)
                if whole and _hash(other, stopped) == whole:
                    return candidate.title_id, whole
    return None


def _hash_of_ends(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=32)
    file.seek(0)
    digest.update(file.read(ENDS))
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - ENDS))
    digest.update(file.read(ENDS))
    return digest.hexdigest()


def _hash(file: BinaryIO, stopped: Callable[[], bool]) -> str:
    """Return the hash of a whole file; empty if it was stopped."""
    digest = hashlib.blake2b(digest_size=32)
    file.seek(0)
    while block := file.read(STEP):
        if stopped():
            return ""
        digest.update(block)
    return f"blake2b:{digest.hexdigest()}"
