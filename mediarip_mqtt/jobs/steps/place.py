"""A finished file's way to its name below the root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import ProducedFile
from mediarip_mqtt.jobs import failures
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume import names

NAME_TRIES: Final = 5

Commit = Callable[[Callable[[Tx], Any]], Awaitable[Any]]


class Placing:
    """Commits the final names, moves the files there, and completes the job.

    The names are committed first and the move can be repeated, so that a kill in between makes
    neither a second copy nor a half file under a final name.
    """

    def __init__(self, store: Store, jobs: Jobs, root: Path, commit: Commit) -> None:
        self._store = store
        self._jobs = jobs
        self._root = root
        self._commit = commit
        self._naming = asyncio.Lock()  # two jobs do not choose the same name

    async def place(
        self, job_id: str, files: Sequence[ProducedFile], *, named: bool = False
    ) -> None:
        """Move a job's files; ``named`` are those whose names were committed before.

        Raises `Stopped` where the job is not active any more, `DownloadError` and `OSError`.
        """
        for _ in range(NAME_TRIES):
            async with self._naming:
                if not named:
                    files = await self._choose_names(files)
                placed = await self._commit(partial(self._jobs.placing, job_id=job_id, files=files))
            if placed is None:
                waiting = await _to_move(files)
                await self._remove([file for file in files if file not in waiting])
                raise Stopped
            try:
                await threads.call(failures.move, self._root, files)
            except FileExistsError:
                named = False
                continue
            if await self._commit(partial(self._jobs.complete, job_id=job_id)) is None:
                await self._remove(files)  # cancelled in the last moment
            return
        raise DownloadError(
            ErrorCode.STORAGE_UNAVAILABLE,
            "No free name was found for the file. Try again.",
            transient=True,
        )

    async def give_up(self, job_id: str) -> None:
        """Undo a move that was begun for a job that has ended; raises `OSError`, `StoreError`.

        Before its temporary files go: what is there of them tells whose a file at its name is.
        """
        planned = await self._store.read(lambda tx: tx.files(job_id, planned=True))
        if planned:
            await threads.call(failures.withdraw, self._root, planned)
            await self._store.write(lambda tx: tx.forget_files(job_id))

    async def _remove(self, files: Sequence[ProducedFile]) -> None:
        await threads.call(failures.remove, self._root, files)

    async def _choose_names(self, files: Sequence[ProducedFile]) -> tuple[ProducedFile, ...]:
        taken = await self._store.read(Tx.planned_names)
        waiting = await _to_move(files)
        wanted = [file.filename for file in waiting]
        free = await threads.call(names.free_names, self._root, wanted, taken)
        chosen = {
            file.temp_path: file.model_copy(update={"filename": name})
            for file, name in zip(waiting, free, strict=True)
        }
        return tuple(chosen.get(file.temp_path, file) for file in files)


async def _to_move(files: Sequence[ProducedFile]) -> list[ProducedFile]:
    """Return the files that are not in their places yet; another's name may have stopped them.

    A file that was moved keeps its name: it would not be found where it was made.
    """
    return await threads.call(lambda: [file for file in files if Path(file.temp_path).exists()])
