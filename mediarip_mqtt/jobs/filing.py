"""How the library decides where a job's files go; without it the output template does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mediarip_mqtt.contract.models import Job, JobFile
from mediarip_mqtt.store import Tx


@dataclass(frozen=True)
class Filed:
    """Where a job's medium goes: ``stem`` is the path below the root, without an extension.

    None: the output template decides. ``instead`` is an existing file, if the new one isn't kept.
    """

    stem: str | None = None
    instead: str | None = None


class Filing(Protocol):
    """Decides what a job's files are; called in transactions by the step `place`."""

    def file(
        self, tx: Tx, job_id: str, fields: Mapping[str, Any], extension: str, limit: int
    ) -> Filed:
        """Decide before the names are chosen; again if a step is repeated.

        ``fields`` is the page's data; no part of the path may have more than ``limit`` bytes.
        """

    def placed(self, tx: Tx, job_id: str, files: Sequence[JobFile]) -> Job | None:
        """End the job whose files were moved; None if it has ended or has no files."""

    def not_kept(self, tx: Tx, job_id: str, filed: Filed) -> Job | None:
        """End a job whose file isn't kept; None if it has ended."""
