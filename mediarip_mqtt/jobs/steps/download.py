"""The step `download`: the engine downloads the job's files to its temporary folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.engine.protocol import Made
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.steps.step import Tools, Work
from mediarip_mqtt.volume import files as volume_files


class DownloadStep:
    """Its checkpoint is a `Made`: the files, not yet with their final names."""

    name: Final = "download"

    def __init__(self, tools: Tools, _before: str = "") -> None:
        self._tools = tools

    async def can_begin(self, work: Work) -> bool:
        """Only after an extraction in the same attempt: its URLs are never stored."""
        return work.extraction is not None

    async def run(self, work: Work) -> bool:
        """Download, sync the files to disk and commit the checkpoint."""
        extraction = work.extraction
        if extraction is None:
            raise DownloadError(ErrorCode.INTERNAL, "The download has no extraction.")
        engine, control, jobs = self._tools.engine, work.slot.control, self._tools.jobs
        made = await self._tools.in_thread(
            work.slot, lambda: engine.download(work.task, extraction, control, work.report)
        )
        # After a power cut there must be no checkpoint without the files' content.
        await self._tools.in_thread(work.slot, lambda: _sync(made))
        data = made.model_dump_json()
        job = await self._tools.commit(
            lambda tx: jobs.save_checkpoint(tx, work.job.id, self.name, data), durable=False
        )
        fault("download-committed")
        if job is None:
            raise Stopped
        return True

    async def discard(self, job_id: str) -> None:
        """Do nothing: all its files are in the temporary folder."""


def _sync(made: Made) -> None:
    for file in made.files:
        volume_files.sync(Path(file.path))
