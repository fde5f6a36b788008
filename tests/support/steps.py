"""The steps of jobs on a real store and a real volume, with an engine that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mediarip_mqtt.contract.library_settings import LibrarySettings
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobFile, now
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import DownloadSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Report, Task
from mediarip_mqtt.jobs.filing import LibraryParts
from mediarip_mqtt.jobs.read_ahead import ReadAhead
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.jobs.steps import Step, Tools, Work, in_order
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.library.rivals import Rivals
from mediarip_mqtt.library.side_files import SideFiles
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import job_temp
from tests.support.engine import FakeEngine

T = TypeVar("T")
TITLE = DownloadSettings(output_template="%(title)s.%(ext)s")


@dataclass
class Bench:
    """One job's steps, run one by one as the runner does."""

    store: Store
    root: Path
    engine: FakeEngine = field(default_factory=FakeEngine)
    downloads: DownloadSettings = TITLE
    reports: list[Report] = field(default_factory=list)
    slot_is_free: bool = True
    library: LibrarySettings | None = None
    clock: Callable[[], datetime] = now
    meets_rivals: bool = False  # all files of the engine have the same content

    def __post_init__(self) -> None:
        self.jobs = Jobs(Topics("mediarip"), Preferences(Settings()), clock=self.clock)
        self.catalogue = Catalogue(self.library or LibrarySettings(), self.jobs, self.clock)
        self.side_files = SideFiles(
            self.store, self.engine, self.library or LibrarySettings(), self.root
        )
        self.organizer = Organizer(self.store, self.catalogue, self.root, self.side_files)
        self.temp = self.root / ".mediarip" / "tmp"
        self.ahead = ReadAhead()
        self.steps: dict[str, Step] = {
            step.name: step
            for step in in_order(
                Tools(
                    store=self.store,
                    jobs=self.jobs,
                    engine=self.engine,
                    downloads=self.downloads,
                    ahead=self.ahead,
                    root=self.root,
                    commit=self.store.write,
                    in_thread=self._in_thread,
                    library=LibraryParts(
                        self.catalogue,
                        self.side_files,
                        Rivals(self.store, self.catalogue, self.organizer, self.root)
                        if self.meets_rivals
                        else None,
                    )
                    if self.library
                    else None,
                )
            )
        }

    async def _in_thread(self, slot: Slot, function: Callable[[], T]) -> T:
        del slot
        return await asyncio.get_running_loop().run_in_executor(None, function)

    async def begin(self, title: str = "film", **options: Any) -> Work:
        """Put a job into the queue and claim it."""

        def claim(tx: Tx) -> Job:
            url = f"https://e.com/{title}"
            self.jobs.add(tx, url, DownloadOptions(**options), session_id="default")
            job = self.jobs.claim(tx, [], extracted=lambda _: False)
            assert job is not None
            return job

        return self.work(await self.store.write(claim))

    def work(self, job: Job) -> Work:
        """Begin an attempt, as after a restart."""
        return Work(
            slot=Slot(job, self.engine.control()),
            task=Task(job.id, job.url, job_temp(self.temp, job.id), job.options),
            report=self.reports.append,
            take_slot=lambda: self.slot_is_free,
        )

    async def run(self, work: Work, *names: str) -> bool:
        """Run steps, all where none is named; return whether another one follows."""
        for name in names or tuple(self.steps):
            if not await self.steps[name].run(work):
                return False
        return True

    async def checkpoints(self, job_id: str) -> set[str]:
        def read(tx: Tx) -> set[str]:
            return {name for name in self.steps if tx.checkpoint(job_id, name) is not None}

        return await self.store.read(read)

    async def job(self, job_id: str) -> Job:
        job = await self.store.read(lambda tx: tx.job(job_id))
        assert job is not None
        return job

    async def files(self, job_id: str) -> list[JobFile]:
        return await self.store.read(lambda tx: tx.files(job_id))

    def media(self) -> list[str]:
        """Return the files on the volume that are not the service's own."""
        found = [one.relative_to(self.root) for one in self.root.rglob("*") if one.is_file()]
        return sorted(str(one) for one in found if one.parts[0] != ".mediarip")
