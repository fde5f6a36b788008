"""The step `extract`: read the page, and add a job for each item of a playlist."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import Stopped
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.engine.protocol import Extraction, Listed
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.steps.step import PageData, Tools, Work
from mediarip_mqtt.store import Tx

logger = logging.getLogger(__name__)


class ExtractStep:
    """Its checkpoint is a `PageData`; the extraction itself stays in memory, in `Work`."""

    name: Final = "extract"

    def __init__(self, tools: Tools, _before: str = "") -> None:
        self._tools = tools

    async def can_begin(self, work: Work) -> bool:
        """Return True: it needs no checkpoint."""
        del work
        return True

    async def run(self, work: Work) -> bool:
        """Read the page unless that was done ahead.

        The attempt ends here for a playlist, and for a page read ahead while no slot is free.
        """
        extraction = self._tools.ahead.take(work.job.id)  # used once, even if the attempt fails
        if extraction is None:
            engine, control = self._tools.engine, work.slot.control
            work.task = replace(work.task, listed=await self._listed(work.job))
            extraction = await self._tools.in_thread(
                work.slot, lambda: engine.extract(work.task, control)
            )
        work.slot.live = extraction.info.live_status == "is_live"
        if not extraction.info.is_playlist and await self._is_rejected(work.job, extraction):
            return False
        if extraction.info.is_playlist:
            await self._expand(work.job, extraction)
            return False
        if work.job.on_duplicate == "reuse" and await self._is_known(work.job, extraction):
            return False
        if not work.take_slot():
            await self._keep(work.job, extraction)
            return False
        await self._commit(work.job, extraction)
        work.extraction = extraction
        return True

    async def discard(self, job_id: str) -> None:
        """Forget a page that was read ahead."""
        self._tools.ahead.take(job_id)

    async def _listed(self, job: Job) -> Listed:
        """Return what the job's playlist, or its subscription's list, says of it."""
        if job.parent_id is None and job.subscription_id is None:
            return Listed()
        data = await self._tools.store.read(lambda tx: tx.entry(job.id))
        try:
            return Listed() if data is None else Listed.model_validate_json(data)
        except ValidationError:  # of an incompatible version
            return Listed()

    async def _is_known(self, job: Job, extraction: Extraction) -> bool:
        """Whether the library has the medium; then the job ends."""
        library = self._tools.library
        if library is None:
            return False
        return await self._tools.commit(
            lambda tx: library.filing.reuse(tx, job.id, extraction.fields)
        )

    async def _is_rejected(self, job: Job, extraction: Extraction) -> bool:
        """Whether the page shows that the job is not wanted; then it is gone."""
        judge, fields = self._tools.judge, extraction.fields
        if judge is None or job.subscription_id is None:
            return False

        def rejects(tx: Tx) -> bool:
            current = tx.job(job.id)
            return current is not None and judge.rejects(tx, current, fields)

        return await self._tools.commit(rejects)

    async def _expand(self, job: Job, playlist: Extraction) -> None:
        jobs, info = self._tools.jobs, playlist.info
        if info.warning:
            logger.warning("job %s: %s", job.id, info.warning)
        await self._tools.commit(
            lambda tx: jobs.expand(tx, job.id, info, playlist.listed, playlist.logins)
        )

    async def _keep(self, job: Job, extraction: Extraction) -> None:
        """Keep the page in memory and put the job back into the queue."""
        self._tools.ahead.keep(job.id, extraction)
        jobs = self._tools.jobs
        await self._tools.commit(
            lambda tx: jobs.extracted(tx, job.id, extraction.info, JobStatus.QUEUED)
        )

    async def _commit(self, job: Job, extraction: Extraction) -> None:
        jobs = self._tools.jobs
        page = PageData(host=extraction.host, fields=extraction.fields).model_dump_json()

        def extracted(tx: Tx) -> Job | None:
            updated = jobs.extracted(tx, job.id, extraction.info, JobStatus.DOWNLOADING)
            if updated is not None:
                tx.forget_checkpoints(job.id)  # of a download that used an earlier extraction
                jobs.save_checkpoint(tx, job.id, self.name, page)
            return updated

        updated = await self._tools.commit(extracted, durable=False)
        fault("extract-committed")
        if updated is None:
            raise Stopped
