"""Commands that pause the queue or a job: `pause` and `resume`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import MaybeReferring
from mediarip_mqtt.commands.replies import Accepted, ManyJobs, OneJob
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import ACTIVE, WAITING, JobStatus
from mediarip_mqtt.store import Tx

PAUSED_KEY: Final = (
    "paused"  # in the store's table `config`; set while the queue is paused by a command
)
_NAMED: Final = f"{PAUSED_KEY} by "  # start of the key of a pause with a name
MAX_NAMED: Final = 50
_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(texts.printable),
]


def is_pause(key: str) -> bool:
    """Whether a key in the store's table `config` says that the queue is paused."""
    return key == PAUSED_KEY or key.startswith(_NAMED)


class _WholeQueue(MaybeReferring):
    by: _Name | None = Field(
        None,
        description="Name of who pauses the queue, for instance an automation: resuming with the "
        "same name ends this pause only. Resuming without a name ends all.",
    )

    @model_validator(mode="after")
    def _by_is_for_the_queue(self) -> Self:
        if self.by and self.id is not None:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                "`by` is for the whole queue: leave out `id`.",
                field="by",
            )
        return self

    def concerns_all(self) -> bool:
        """Whether it is about the whole queue."""
        return self.id is None


class Held(Accepted):
    """Whether the queue is paused."""

    paused: bool


class Pause(_WholeQueue):
    """Pause the queue or a job."""

    example: ClassVar = {"id": "0199a1b2"}

    command: Literal["pause"] = "pause"

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Pause the queue, a job or all unfinished jobs."""
        if self.id is None:
            return self._pause_queue(tx, context)
        return context.each(tx, self.id, origin, ACTIVE | WAITING, context.jobs.pause)

    def _pause_queue(self, tx: Tx, context: Context) -> Held:
        key = _NAMED + self.by if self.by else PAUSED_KEY
        pauses = {key for key in tx.config() if is_pause(key)}
        if self.by and len(pauses - {key}) >= MAX_NAMED:
            raise CommandError(
                ErrorCode.QUEUE_FULL,
                f"{len(pauses)} pauses hold the queue already. End them: send `resume`.",
                field="by",
            )
        tx.set_config(key, "user", context.clock())
        tx.changes.queue = True
        return Held(paused=True)


class Resume(_WholeQueue):
    """Resume the queue or a job."""

    example: ClassVar = {}

    command: Literal["resume"] = "resume"

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Resume the queue, a job or all paused jobs."""
        if self.id is None:
            return self._resume_queue(tx, context)
        return context.each(tx, self.id, origin, {JobStatus.PAUSED}, context.jobs.resume)

    def _resume_queue(self, tx: Tx, context: Context) -> Held:
        pauses = {key for key in tx.config() if is_pause(key)}
        ended = {_NAMED + self.by} if self.by else pauses
        for key in ended & pauses:
            tx.set_config(key, None, context.clock())
        tx.changes.queue = True
        return Held(paused=bool(pauses - ended))
