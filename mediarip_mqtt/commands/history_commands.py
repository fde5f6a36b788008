"""The command that imports jobs from elsewhere: `import`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.jobs.history_import import Importing, TakenOver
from mediarip_mqtt.jobs.history_records import KnownMedium, Record
from mediarip_mqtt.store import Tx


class ImportReport(TakenOver, Accepted):
    """The result of an import."""

    known: int = Field(0, description="Known media that are new.")


class Import(Command):
    """Import finished jobs as history, which own no files; and what was downloaded elsewhere."""

    example: ClassVar = {
        "jobs": [
            {
                "url": "https://videos.example/film",
                "title": "A film",
                "status": "completed",
                "filename": "films/A film.mp4",
                "completed_at": "2026-01-02T03:04:05.678Z",
            }
        ]
    }

    command: Literal["import"] = "import"
    jobs: tuple[Record, ...] = Field(
        (),
        max_length=200,
        description="Finished jobs; a playlist comes before its items.",
    )
    known: tuple[KnownMedium, ...] = Field(
        (),
        max_length=1000,
        description="Media that were downloaded elsewhere: with the library, downloads with "
        "`on_duplicate: reuse` skip them.",
    )
    dry_run: bool = Field(default=False, description="Only count the new jobs.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> ImportReport:
        """Add the jobs and known media that the store does not have."""
        if not self.jobs and not self.known:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, "Give `jobs` or `known` to import.", field="jobs"
            )
        importing = Importing(
            context.settings,
            origin.session_id,
            context.scope(origin.session_id),
            now=origin.at,
            dry_run=self.dry_run,
        )
        new = importing.remember(tx, self.known)
        report = ImportReport(**dict(importing.take(tx, self.jobs)))
        return report.model_copy(
            update={
                "known": len(new),
                "skipped": report.skipped + len(self.known) - len(new),
            }
        )
