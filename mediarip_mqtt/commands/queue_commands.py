"""Commands that pause the queue or a job: `pause` and `resume`."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import MaybeReferring
from mediarip_mqtt.commands.replies import Accepted, ManyJobs, OneJob
from mediarip_mqtt.contract.models import ACTIVE, WAITING, JobStatus
from mediarip_mqtt.store import Tx

PAUSED_KEY: Final = (
    "paused"  # in the store's table `config`; set while the queue is paused by a command
)


class Held(Accepted):
    """Whether the queue is paused."""

    paused: bool


class Pause(MaybeReferring):
    """Pause the queue or a job."""

    example: ClassVar = {"id": "0199a1b2"}

    command: Literal["pause"] = "pause"

    def concerns_all(self) -> bool:
        """Whether it is about the whole queue."""
        return self.id is None

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Pause the queue, a job or all unfinished jobs."""
        if self.id is None:
            return _pause_queue(tx, context, paused=True)
        return context.each(tx, self.id, origin, ACTIVE | WAITING, context.jobs.pause)


class Resume(MaybeReferring):
    """Resume the queue or a job."""

    example: ClassVar = {}

    command: Literal["resume"] = "resume"

    def concerns_all(self) -> bool:
        """Whether it is about the whole queue."""
        return self.id is None

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Resume the queue, a job or all paused jobs."""
        if self.id is None:
            return _pause_queue(tx, context, paused=False)
        return context.each(tx, self.id, origin, {JobStatus.PAUSED}, context.jobs.resume)


def _pause_queue(tx: Tx, context: Context, *, paused: bool) -> Held:
    tx.set_config(PAUSED_KEY, "user" if paused else None, context.clock())
    tx.changes.queue = True
    return Held(paused=paused)
