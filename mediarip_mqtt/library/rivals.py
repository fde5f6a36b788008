"""Other titles that a new file meets: one with the same content, or one that it replaces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.filing import Twin
from mediarip_mqtt.library.archive import archive
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.duplicates import equal_content, suspects
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.store import Store, Tx


class Rivals:
    """Looks for a new file's twin, and archives what has its place; see `RivalTitles`."""

    def __init__(
        self, store: Store, catalogue: Catalogue, organizer: Organizer, root: Path
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._organizer = organizer
        self._root = root

    async def twin(
        self, job: Job, path: Path, size: int, stopped: Callable[[], bool]
    ) -> Twin | None:
        """Return the title with the same content as a new file."""
        scope = self._catalogue.jobs.scope(job.session_id)
        candidates = await self._store.read(
            partial(suspects, size=size, duration=job.duration, job_id=job.id, session_id=scope)
        )
        if not candidates:
            return None
        equal = await threads.call(equal_content, self._root, path, candidates, stopped)
        return Twin(*equal) if equal else None

    async def make_room(self, title_id: str) -> bool:
        """Archive a title and move its files; return whether its place is free now."""

        def act(tx: Tx) -> bool:
            title = tx.title(title_id)
            if title is None:
                return True
            try:
                with tx.savepoint():
                    archive(tx, self._catalogue, title)
            except CommandError:  # it is not complete, or being moved
                return False
            return True

        if not await self._store.write(act):
            return False
        fault("room-made")
        await self._organizer.work()
        return True
