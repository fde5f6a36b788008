"""Runs: work on many titles, in chunks that are each committed with their position.

A run goes on after a restart, and after the volume was away. It gives way to everything else:
after each chunk it rests for as long as the chunk took.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from mediarip_mqtt import threads
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.library_runs import LibraryRun, RunKind
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.library.adopt import Adoption, adopt_job, adopt_medium
from mediarip_mqtt.library.archive import owned
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.media_folder import FoundMedium, ReadMedium, media_below, read_medium
from mediarip_mqtt.library.organize import Renaming, begin_move, misplaced, renaming
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.volume.files import STORE_PATH
from mediarip_mqtt.volume.name_limit import name_limit
from mediarip_mqtt.volume.owned_files import is_owned

CHUNK: Final = 25  # titles that are moved, or media that are read
PAGE: Final = 200  # titles that are looked at
PAUSE: Final = 60.0  # seconds until a run that failed goes on
LONGEST_REST: Final = 2.0
_TITLES: Final = "title:"  # of `organize`: jobs without a title come first

logger = logging.getLogger(__name__)


class _Page(NamedTuple):
    """Titles that were looked at: the number of the last one, how many, and those out of place."""

    last: int
    checked: int
    renamings: list[Renaming]


class LibraryRuns:
    """Carries out what the store has of runs, one after the other."""

    def __init__(
        self, store: Store, catalogue: Catalogue, organizer: Organizer, root: Path
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._organizer = organizer
        self._root = root
        self._changed = asyncio.Event()
        self._problem: str | None = None  # logged once
        self._walk: tuple[int, Iterator[FoundMedium]] | None = None  # of the run under way

    def changed(self, changes: Changes) -> None:
        """Look for runs after a transaction."""
        if changes.runs:
            self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            if await self._try():
                await self._changed.wait()
            else:
                await asyncio.sleep(PAUSE)

    async def work(self, rest: float = 0.0) -> None:
        """Carry out all runs; raises `OSError` or `StoreError`, and goes on when called again.

        ``rest``: how long to rest after a chunk, as a share of its time.
        """
        while runs := await self._store.read(Tx.library_runs):
            started = time.monotonic()
            await self._chunk(runs[0])
            fault("run-chunk")
            taken = time.monotonic() - started
            await asyncio.sleep(min(LONGEST_REST, rest * taken))

    async def _try(self) -> bool:
        try:
            await self.work(rest=1.0)
        except (OSError, StoreError) as error:
            if str(error) != self._problem:
                logger.warning("library: organize or adopt is postponed: %s", error)
            self._problem = str(error)
            return False
        except Exception:
            logger.exception("library: organize or adopt failed; it is tried again")
            return False
        self._problem = None
        return True

    async def _chunk(self, run: LibraryRun) -> None:
        if run.kind is RunKind.ADOPT:
            try:
                await self._adopt(run)
            except BaseException:
                self._walk = None  # it is ahead of what is committed
                raise
        elif run.position.startswith(_TITLES):
            await self._organize(run)
        else:
            await self._adopt_jobs(run)

    # Organize

    async def _adopt_jobs(self, run: LibraryRun) -> None:
        """Make titles of the files of a few finished jobs that have none."""

        def act(tx: Tx) -> None:
            jobs = tx.jobs_without_title(run.position, CHUNK, run.scope)
            for job_id in jobs:
                adopt_job(tx, self._catalogue, job_id)
            tx.update_run(run.model_copy(update={"position": jobs[-1] if jobs else f"{_TITLES}0"}))

        await self._store.write(act)

    async def _organize(self, run: LibraryRun) -> None:
        """Move a few titles that are out of place."""
        limit = await threads.call(name_limit, self._root)
        page = await self._store.read(partial(self._read_page, run=run, limit=limit))
        if not page.checked:
            await self._organizer.work()  # after a restart the last chunk may not be moved yet
            await self._end(run)
            return
        ours = await threads.call(self._owned, page.renamings)

        def act(tx: Tx) -> int:
            changed = 0
            for title_id in ours:
                # Again: a command may have changed the title meanwhile.
                title = tx.title(title_id)
                planned = renaming(tx, self._catalogue, title, limit) if title else None
                if planned is not None:
                    begin_move(tx, planned)
                    changed += 1
            tx.update_run(
                run.model_copy(
                    update={
                        "position": f"{_TITLES}{page.last}",
                        "checked": run.checked + page.checked,
                        "changed": run.changed + changed,
                        "skipped": run.skipped + len(page.renamings) - len(ours),
                    }
                )
            )
            return changed

        if await self._store.write(act):
            await self._organizer.work()

    def _read_page(self, tx: Tx, run: LibraryRun, limit: int) -> _Page:
        after = int(run.position.removeprefix(_TITLES))
        found: list[Renaming] = []
        count = 0
        page = tx.placed_titles(after, PAGE, run.scope)
        wrong = {each.number for each in misplaced(tx, self._catalogue, page, limit)}
        for each in page:
            after, count = each.number, count + 1
            title = tx.title(each.title.id) if each.number in wrong else None
            if title and (planned := renaming(tx, self._catalogue, title, limit)):
                found.append(planned)
            if len(found) == CHUNK:
                break
        return _Page(after, count, found)

    def _owned(self, planned: list[Renaming]) -> list[str]:
        """Return the ids of titles whose media are there and still ours. Blocks."""
        self._check_mounted()
        return [each.title.id for each in planned if is_owned(self._root, owned(each.main))]

    # Adopt

    async def _adopt(self, run: LibraryRun) -> None:
        """Make titles of the next media in a folder."""
        found, media = await threads.call(self._next_media, run)
        if not found:
            self._walk = None
            await self._end(run)
            return

        def act(tx: Tx) -> None:
            outcomes = [
                adopt_medium(tx, self._catalogue, medium, run.session_id).adoption
                for medium in media
            ]
            adopted = outcomes.count(Adoption.ADOPTED)
            # Files that are gone meanwhile count as known.
            unfit = sum(not medium.fit for medium in found)
            skipped = outcomes.count(Adoption.DUPLICATE) + outcomes.count(Adoption.UNKNOWN)
            tx.update_run(
                run.model_copy(
                    update={
                        # The next start looks again at what has an unfit name.
                        "position": next(
                            (medium.path for medium in reversed(found) if medium.fit),
                            run.position,
                        ),
                        "checked": run.checked + len(found),
                        "changed": run.changed + adopted,
                        "skipped": run.skipped + skipped + unfit,
                    }
                )
            )

        await self._store.write(act)

    def _next_media(self, run: LibraryRun) -> tuple[list[FoundMedium], list[ReadMedium]]:
        """Return the next media, and what is said of those that can be used. Blocks."""
        self._check_mounted()
        if self._walk is None or self._walk[0] != run.id:
            self._walk = (run.id, media_below(self._root, run.folder, run.position))
        try:
            found = list(islice(self._walk[1], CHUNK))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            found = []  # the folder was removed or replaced, or is no longer ours to read
        read = (read_medium(self._root, medium) for medium in found if medium.fit)
        return found, [medium for medium in read if medium is not None]

    # Both

    async def _end(self, run: LibraryRun) -> None:
        def act(tx: Tx) -> None:
            tx.end_run(run.id)
            ended = events.LibraryRunEnded(at=self._catalogue.clock(), run=run.progress)
            tx.emit(ended, run.session_id)

        await self._store.write(act)
        logger.info(
            "library: %s: %d looked at, %d changed, %d skipped",
            f"adopt {run.folder}" if run.folder else run.kind,
            run.checked,
            run.changed,
            run.skipped,
        )

    def _check_mounted(self) -> None:
        """Raise `OSError` if the volume is not there. Blocks."""
        (self._root / STORE_PATH).stat()
