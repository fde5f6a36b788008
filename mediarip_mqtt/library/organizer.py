"""Moves and removes the files of titles, as the store says; a kill at any moment is made good.

The names are committed before a move, and each move can be repeated. What a kill left unfinished is
done at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.titles import TitleFile, TitleState
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.library.archive import owned
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.reviews import accept_overdue
from mediarip_mqtt.library.side_files import Renewed, SideFiles
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.volume import files as volume_files
from mediarip_mqtt.volume import names
from mediarip_mqtt.volume.owned_files import move_owned

INTERVAL: Final = 60.0  # seconds between two looks for reviews whose time is over
AFTER_JOBS: Final = 1.0  # seconds after a change of jobs
TRIES: Final = 5
# Errors of one file or folder, not of the volume.
_OF_ONE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP}
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    """What waits: whether there is something to decide, and titles with files to move or remove.

    ``furnishings``: moved titles that need their metadata.
    """

    decisions: bool
    moves: list[str]
    furnishings: list[str]
    removals: list[str]


class Organizer:
    """Does what titles wait for, after each change and every minute."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        root: Path,
        side_files: SideFiles | None = None,
    ) -> None:
        self._store = store
        self._side_files = side_files
        self._catalogue = catalogue
        self._root = root
        self._changed = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._working = asyncio.Lock()
        self._problem: str | None = None  # logged once
        self._refused: dict[str, str] = {}  # titles whose files can't be touched, and why

    def changed(self, changes: Changes) -> None:
        """Look at the titles after a transaction, soon if only jobs have changed.

        A job that is cancelled may leave a title; most changes of jobs leave none.
        """
        if changes.titles:
            self._changed.set()
        elif changes.jobs and self._catalogue.settings.enabled and self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(AFTER_JOBS, self._changed.set)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            if self._later is not None:
                self._later.cancel()
                self._later = None
            await self._try()
            # A library that is off has nothing to decide; what was begun is finished.
            waits = self._catalogue.settings.enabled or self._problem or self._refused
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL if waits else None):
                    await self._changed.wait()

    async def work(self) -> None:
        """Do all that waits now; raises `OSError` or `StoreError`.

        Archived titles leave their names before others get these.
        """
        async with self._working:
            await self._work()

    async def _work(self) -> None:
        waiting = await self._store.read(self._read)
        if waiting.decisions:
            await self._store.write(self._decide)
            waiting = await self._store.read(self._read)
        await self._each(waiting.moves, self._move)
        furnishings = await self._store.read(Tx.titles_to_furnish) if waiting.moves else ()
        for title_id in {*waiting.furnishings, *furnishings}:
            await self._furnish(title_id)
        await self._each(waiting.removals, self._remove)

    async def _each(self, title_ids: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Work for titles; one that is refused is tried again later, and holds up no other."""
        for title_id in title_ids:
            try:
                await work(title_id)
            except OSError as error:
                if error.errno not in _OF_ONE:
                    raise
                if self._refused.get(title_id) != str(error):
                    logger.warning("library: title %s: postponed: %s", title_id, error)
                self._refused[title_id] = str(error)
            else:
                self._refused.pop(title_id, None)

    def _read(self, tx: Tx) -> _Waiting:
        overdue = tx.overdue_reviews(self._catalogue.clock())
        return _Waiting(
            decisions=bool(overdue or tx.titles_left_by_jobs()),
            moves=tx.titles_to_move(),
            furnishings=tx.titles_to_furnish(),
            removals=tx.unwanted_with_files(),
        )

    async def _try(self) -> None:
        try:
            await self.work()
        except (OSError, StoreError) as error:
            # The state stays as it is, and the work goes on once the volume is back.
            if str(error) != self._problem:
                logger.warning("library: postponed: %s", error)
            self._problem = str(error)
        except Exception:
            # One title must not stop the service.
            logger.exception("library: failed")
            self._problem = "failed"
        else:
            self._problem = None

    def _decide(self, tx: Tx) -> None:
        self._catalogue.settle(tx)
        for title in accept_overdue(tx, self._catalogue):
            logger.info("library: title %s: nobody answered; %s", title.id, title.content_type)

    async def _move(self, title_id: str) -> None:
        """Move a title's files to the names that are committed, and commit that they are there."""
        for _ in range(TRIES):
            waiting = await self._waiting(title_id)
            moved: list[TitleFile] = []
            gone: list[int] = []
            try:
                for file in waiting:
                    if (done := await threads.call(self._move_file, file)) is None:
                        gone.append(file.id)
                    else:
                        moved.append(done)
            except FileExistsError:
                await self._rename(title_id, waiting[len(moved) + len(gone) :])
                continue
            except OSError as error:
                if error.errno not in _OF_ONE or not await self._leave(title_id, moved, gone):
                    raise
                logger.warning("library: title %s: its files stay: %s", title_id, error)
                return
            fault("title-moved")
            finish = partial(self._finish, title_id=title_id, moved=moved, gone=gone)
            await self._store.write(finish)
            return
        logger.warning("library: title %s: no free name was found", title_id)

    async def _leave(self, title_id: str, moved: list[TitleFile], gone: list[int]) -> bool:
        """Let files stay that can't be moved, if their title was complete; return whether it was.

        Otherwise one folder without permission would stop all others' moves.
        """

        def act(tx: Tx) -> bool:
            title = tx.title(title_id)
            job = tx.job(title.job_id) if title and title.job_id else None
            in_review = job is not None and job.status is JobStatus.REVIEW
            organizing = title is not None and title.state is TitleState.ORGANIZING
            if title is None or not organizing or in_review or not title.organized_to:
                return False
            if title.deleted_at is not None:  # it returns from the archive
                return False
            self._finish(tx, title_id, moved, gone)
            tx.cancel_moves(title_id)
            return True

        return await self._store.write(act)

    async def _waiting(self, title_id: str) -> list[TitleFile]:
        files = await self._store.read(partial(Tx.title_files, title_id=title_id))
        return [file for file in files if file.move_to]

    def _move_file(self, file: TitleFile) -> TitleFile | None:
        """Move a file; None if it is gone, or no longer ours. Blocks."""
        try:
            identity = move_owned(self._root, owned(file), file.move_to)
        except FileNotFoundError:
            self._check_mounted()
            return None
        volume_files.remove_empty_folders(self._root, file.filename)
        return file.model_copy(update={"identity": identity})

    async def _rename(self, title_id: str, waiting: list[TitleFile]) -> None:
        """Commit other names for files whose names another program took."""
        taken = await self._store.read(partial(Tx.moving_names, but=title_id))
        wanted = [file.move_to for file in waiting]
        free = await threads.call(names.free_names, self._root, wanted, taken)
        planned = {file.id: name for file, name in zip(waiting, free, strict=True)}
        await self._store.write(lambda tx: tx.plan_moves(planned))

    def _finish(self, tx: Tx, title_id: str, moved: list[TitleFile], gone: list[int]) -> None:
        tx.forget_title_files(title_id, gone)
        title = tx.title(title_id)
        if title is None or title.state is not TitleState.ORGANIZING:
            self._catalogue.moved(tx, title_id, moved)
            return
        tx.files_moved(moved)
        if not any(file.main for file in tx.title_files(title_id)):
            self._catalogue.lost(tx, title_id)

    async def _furnish(self, title_id: str) -> None:
        """Write the metadata of a title whose files were moved, and complete it.

        The moves are committed before: a file that gets other tags no longer has its size.
        """
        done = await self._side_files.renew(title_id) if self._side_files else Renewed()
        fault("title-furnished")

        def finish(tx: Tx) -> None:
            for file in done.changed:
                tx.update_title_file(file)
            for file in done.added:
                tx.add_title_file(title_id, file)
            self._catalogue.moved(tx, title_id, (), done.warning)

        await self._store.write(finish)

    async def _remove(self, title_id: str) -> None:
        """Remove the files of a discarded or deleted title."""
        for file in await self._store.read(partial(Tx.title_files, title_id=title_id)):
            fault("before-title-removal")
            await threads.call(self._remove_file, file)
        await self._store.write(lambda tx: tx.forget_title_files(title_id))

    def _remove_file(self, file: TitleFile) -> None:
        """Remove a file, if it is still there and ours. Blocks."""
        if not volume_files.remove_owned(self._root, owned(file)):
            self._check_mounted()

    def _check_mounted(self) -> None:
        """Raise `OSError` if files are gone because their volume is. Blocks."""
        if not (self._root / volume_files.STORE_PATH).exists():
            raise OSError(errno.ENODEV, "the volume is not mounted", str(self._root))
