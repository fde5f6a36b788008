"""The command that applies retention now: `purge`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.models import TERMINAL, JobStatus
from mediarip_mqtt.contract.sizes import MAX_BYTES, parse_size
from mediarip_mqtt.jobs.retention import PurgeReport, PurgeRun, Rule
from mediarip_mqtt.store import Tx

Size = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=int | str), Field(ge=0, le=MAX_BYTES)
]
EndedStatus = Literal["completed", "failed", "cancelled"]


class Removed(PurgeReport, Accepted):
    """The jobs that were removed, or would be removed."""


class Purge(Command):
    """Remove finished jobs by age, number and size, as retention does.

    A job is removed if one of the given rules applies to it; without a rule: `purge.max_age`.
    """

    example: ClassVar = {"older_than": 604800, "status": "completed", "dry_run": True}

    command: Literal["purge"] = "purge"
    older_than: float | None = Field(
        None,
        ge=0,
        le=100 * 365 * 86400,
        allow_inf_nan=False,
        description="Seconds since the job ended.",
    )
    keep_newest: int | None = Field(
        None, ge=0, le=10**9, description="How many of the newest jobs stay."
    )
    max_total_size: Size | None = Field(
        None,
        description="Bytes, or text such as `500G`: the oldest go until the files of the rest fit.",
    )
    status: tuple[EndedStatus, ...] | EndedStatus | None = Field(
        None,
        description="Only `completed`, `failed` or `cancelled` ones, or a list; default: all.",
    )
    files: bool | None = Field(
        None,
        description="Remove their files, too. Default: `purge.files`; true with `max_total_size`.",
    )
    dry_run: bool = Field(default=False, description="Only report which would be removed.")

    async def prepare(self, context: Context, origin: Origin) -> PurgeRun:
        """Remove all but the last chunk of jobs, in small transactions."""
        files = self.files
        if files is None:
            files = context.settings.purge.files or self.max_total_size is not None
        retention = context.retention
        work = retention.preview if self.dry_run else retention.begin
        return await work(self._rule(context, origin), files=files)

    def run(self, tx: Tx, context: Context, origin: Origin, purge: PurgeRun) -> Removed:
        """Remove the last chunk in the transaction of the reply."""
        return Removed(**dict(context.retention.finish(tx, purge, origin.session_id)))

    def _rule(self, context: Context, origin: Origin) -> Rule:
        statuses = (self.status,) if isinstance(self.status, str) else self.status
        age = self.older_than
        if age is None and self.keep_newest is None and self.max_total_size is None:
            age = context.settings.purge.max_age
        return Rule(
            statuses=TERMINAL if statuses is None else frozenset(map(JobStatus, statuses)),
            session_id=context.scope(origin.session_id),
            before=None if age is None else origin.at - timedelta(seconds=age),
            keep_newest=self.keep_newest,
            max_total_size=self.max_total_size,
        )
