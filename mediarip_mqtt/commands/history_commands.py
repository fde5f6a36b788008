"""The command that imports jobs from elsewhere: `import`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.jobs.history_import import Importing, TakenOver
from mediarip_mqtt.jobs.history_records import Record
from mediarip_mqtt.store import Tx


class ImportReport(TakenOver, Accepted):
    """The result of an import."""


class Import(Command):
    """Import finished jobs as history: they own no files; known jobs are skipped."""

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
        min_length=1,
        max_length=200,
        description="Finished jobs; a playlist comes before its items.",
    )
    dry_run: bool = Field(default=False, description="Only count the new jobs.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> ImportReport:
        """Add the jobs that the store does not have."""
        importing = Importing(
            context.settings,
            origin.session_id,
            context.scope(origin.session_id),
            now=origin.at,
            dry_run=self.dry_run,
        )
        return ImportReport(**dict(importing.take(tx, self.jobs)))
