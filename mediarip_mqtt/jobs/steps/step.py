"""The interface of a step to the runner, its dependencies, and its checkpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import Field, ValidationError

from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.engine.protocol import Engine, Extraction, Report, Task
from mediarip_mqtt.jobs.filing import LibraryParts
from mediarip_mqtt.jobs.page_judge import PageJudge
from mediarip_mqtt.jobs.read_ahead import ReadAhead
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx

T = TypeVar("T")
C = TypeVar("C", bound=Frozen)


class Commit(Protocol):
    """Writes to the store."""

    def __call__(self, function: Callable[[Tx], T], *, durable: bool = True) -> Awaitable[T]:
        """Write, repeated until it succeeds; raises `StoreError` at shutdown only.

        Not ``durable``: a power cut may undo it, if that only repeats some work.
        """


class InThread(Protocol):
    """Runs a blocking call in a thread."""

    def __call__(self, slot: Slot, function: Callable[[], T]) -> Awaitable[T]:
        """Return its result; raises `Stopped` if the thread ignores a stop of the slot."""


@dataclass(frozen=True)
class Tools:
    """The dependencies of all steps; shared by all jobs.

    ``library`` only if it is enabled. ``judge``: the filters of subscriptions.
    """

    store: Store
    jobs: Jobs
    engine: Engine
    downloads: DownloadSettings
    ahead: ReadAhead
    root: Path
    commit: Commit
    in_thread: InThread
    library: LibraryParts | None = None
    judge: PageJudge | None = None


@dataclass
class Work:
    """One attempt at a job, passed from step to step.

    ``slot`` is stopped if a command ends or pauses the job. ``report`` takes all progress, from any
    thread. ``take_slot`` returns whether the download may begin, and then counts it as a download;
    a job whose page was read ahead may have to wait. ``extraction`` is never stored.
    """

    slot: Slot
    task: Task
    report: Callable[[Report], None]
    take_slot: Callable[[], bool]
    extraction: Extraction | None = None

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        return self.slot.job


class Step(Protocol):
    """One kind of work on a job.

    `run` ends with a transaction that saves the step's checkpoint, the input of the next step.
    After a kill the attempt continues after the last checkpoint that can still be used.
    """

    @property
    def name(self) -> str:
        """The key of its checkpoint; it is in existing stores, so it never changes."""

    async def can_begin(self, work: Work) -> bool:
        """Whether the checkpoints of the steps before it, and their files, are still usable."""

    async def run(self, work: Work) -> bool:
        """Do the work and commit the checkpoint; return whether the next step follows.

        Raises `Stopped` if the job is no longer active, `DownloadError`, `OSError` or `StoreError`.
        """

    async def discard(self, job_id: str) -> None:
        """Undo what the step did outside the temporary folder; the job starts over or has ended.

        Raises `OSError` or `StoreError`; it is then called again.
        """


class PageData(Frozen):
    """The checkpoint of `extract`: the page's data for the names of the files."""

    host: str | None = Field(None, description="Chooses the site's output template.")
    fields: Mapping[str, Any] = Field(default_factory=dict)


def read_checkpoint(tx: Tx, job_id: str, step: str, kind: type[C]) -> C | None:
    """Return a step's checkpoint; None if there is none, or one of an incompatible version."""
    data = tx.checkpoint(job_id, step)
    try:
        return None if data is None else kind.model_validate_json(data)
    except ValidationError:
        return None
