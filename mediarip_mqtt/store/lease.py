"""One owner: a second service on the same store is refused.

Two locks guard the store. The file lock holds among processes of one kernel and is gone with its
process, however that ended. The lease in the store, with its heartbeat, also holds against another
machine that mounts the same volume.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mediarip_mqtt.contract.errors import StoreInUseError
from mediarip_mqtt.store.database import Store
from mediarip_mqtt.store.tx import Tx

HEARTBEAT: Final = 10  # seconds
PATIENCE: Final = 2.5 * HEARTBEAT  # seconds without a heartbeat after which a lease has ended
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger(__name__)


class Lease:
    """The right to use a store."""

    def __init__(
        self, store: Store, folder: Path, *, network: bool, patience: float = PATIENCE
    ) -> None:
        self._store = store
        self._network = network
        self._patience = patience
        # Of the process, not of a thread: the volume may hang, so it is locked in one of its own.
        self._lock = FileLock(folder / "lock", thread_local=False)
        self._owner = uuid.uuid4().hex
        self._host = socket.gethostname()

    def lock(self) -> None:
        """Take the file lock, before the store is opened; raise `StoreInUseError`."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(
                f"Another mediarip-mqtt runs on {self._store.path.parent.parent}. Stop it first, "
                "or give this one a storage.root of its own."
            ) from None

    async def take(self, now: datetime) -> None:
        """Become the owner; raise `StoreInUseError` where another machine is.

        Clocks of two machines may disagree, so it is not the age of the other's last heartbeat that
        counts, but whether another one follows while this one looks on.
        """
        boot_id = _boot_id()
        held = await self._store.read(Tx.lease)
        if held is not None and held["boot_id"] != boot_id and self._network:
            await self._look_on(held)
            logger.warning("store: took over the lease of %s, which has ended", held["host"])
        await self._store.write(lambda tx: tx.take_lease(self._owner, self._host, boot_id, now))

    async def _look_on(self, held: Mapping[str, str]) -> None:
        """Return once another machine's lease has ended; raise where its owner lives."""
        logger.info("store: held by %s; waiting whether it still lives", held["host"])
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            await asyncio.sleep(min(1.0, self._patience / 4))
            seen = await self._store.read(Tx.lease)
            if seen is None:
                return  # it ended in order
            if seen["heartbeat_at"] != held["heartbeat_at"] or seen["owner"] != held["owner"]:
                raise StoreInUseError(
                    f"The store is in use by a mediarip-mqtt on {held['host']}. Stop that one, or "
                    "give this one a storage.root of its own."
                )

    async def renew(self, now: datetime) -> bool:
        """Show that the owner lives; return False where another one took the store over."""

        def renew(tx: Tx) -> bool:
            held = tx.lease()
            if held is None or held["owner"] != self._owner:
                return False
            tx.take_lease(self._owner, self._host, _boot_id(), now)
            return True

        return await self._store.write(renew)

    async def drop(self) -> None:
        """Stop being the owner."""
        await self._store.write(lambda tx: tx.drop_lease(self._owner))

    def unlock(self) -> None:
        """Release the file lock."""
        self._lock.release()


def _boot_id() -> str:
    """Return what names this run of this machine's kernel."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return f"{uuid.getnode():x}"
