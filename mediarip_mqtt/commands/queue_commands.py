"""Commands that hold the queue, or one job: `pause` and `resume`."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import MaybeReferring
from mediarip_mqtt.commands.replies import Accepted, ManyJobs, OneJob
from mediarip_mqtt.contract.models import ACTIVE, WAITING, JobStatus
from mediarip_mqtt.store import Tx

PAUSED_KEY: Final = "paused"  # of the store's table `config`: there while a person holds the queue


class Held(Accepted):
    """Whether the queue is held."""

    paused: bool


class Pause(MaybeReferring):
    """Hold the queue, or one job."""

    example: ClassVar = {"id": "0199a1b2"}

    command: Literal["pause"] = "pause"

    def concerns_all(self) -> bool:
        """Whether it is about the queue."""
        return self.id is None

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Hold the queue, a job, or all jobs there are."""
        if self.id is None:
            return _hold(tx, context, paused=True)
        return context.each(tx, self.id, origin, ACTIVE | WAITING, context.jobs.pause)


class Resume(MaybeReferring):
    """Let the queue, or one job, go on."""

    example: ClassVar = {}

    command: Literal["resume"] = "resume"

    def concerns_all(self) -> bool:
        """Whether it is about the queue."""
        return self.id is None

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Held | OneJob | ManyJobs:
        """Let the queue, a job, or all paused jobs go on."""
        if self.id is None:
            return _hold(tx, context, paused=False)
        return context.each(tx, self.id, origin, {JobStatus.PAUSED}, context.jobs.resume)


def _hold(tx: Tx, context: Context, *, paused: bool) -> Held:
    tx.set_config(PAUSED_KEY, "user" if paused else None, context.clock())
    tx.changes.queue = True
    return Held(paused=paused)
