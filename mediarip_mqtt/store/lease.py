"""One owner: a second service on the same store is refused.

Two locks guard the store. The file lock works between processes of one kernel, and the kernel
releases it when its process ends. The lease in the store, with its heartbeat, also works between
machines that mount the same volume.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mediarip_mqtt.contract.errors import StoreError, StoreInUseError
from mediarip_mqtt.store.database import Store
from mediarip_mqtt.store.store_errors import kind_of
from mediarip_mqtt.store.tx import Tx

HEARTBEAT: Final = 10  # seconds
PATIENCE: Final = 2.5 * HEARTBEAT  # seconds without a heartbeat until a lease expires
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger(__name__)


class Lease:
    """The ownership of a store."""

    def __init__(
        self, store: Store, folder: Path, *, network: bool, patience: float = PATIENCE
    ) -> None:
        self._store = store
        self.network = network
        self._patience = patience
        # Not thread-local: the volume may hang, so other threads take and release the lock.
        self._lock = FileLock(folder / "lock", thread_local=False)
        self._owner = uuid.uuid4().hex
        self._host = socket.gethostname()

    def lock(self) -> None:
        """Take the file lock before the store is opened; raise `StoreInUseError` if it is taken.

        Raises another `StoreError` if the volume refuses the lock file.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(
                f"Another mediarip-mqtt runs on {self._store.path.parent.parent}. Stop it first, "
                "or give this one a storage.root of its own."
            ) from None
        except OSError as error:
            raise StoreError(
                f"The lock {self._lock.lock_file} can't be taken: {error.strerror}. See that its "
                "volume has space and can be written, then start again.",
                kind=kind_of(error),
            ) from error

    async def take(self, now: datetime) -> None:
        """Become the owner; raise `StoreInUseError` if another machine is.

        The machines' clocks may disagree, so the age of the last heartbeat says nothing: this waits
        to see whether another heartbeat follows.
        """
        machine_id = _machine_id()
        held = await self._store.read(Tx.lease)
        if held is not None and held["boot_id"] != machine_id and self.network:
            await self._wait_for_end(held)
            logger.warning("store: took over the lease of %s, which has ended", held["host"])
        await self._store.write(lambda tx: tx.take_lease(self._owner, self._host, machine_id, now))

    async def _wait_for_end(self, held: Mapping[str, str]) -> None:
        """Return when another machine's lease has ended; raise if its owner renews it."""
        logger.info(
            "store: owned by %s; waiting to see whether that is still running", held["host"]
        )
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            await asyncio.sleep(min(1.0, self._patience / 4))
            seen = await self._store.read(Tx.lease)
            if seen is None:
                return  # its owner shut down cleanly
            if seen["heartbeat_at"] != held["heartbeat_at"] or seen["owner"] != held["owner"]:
                raise StoreInUseError(
                    f"The store is in use by a mediarip-mqtt on {held['host']}. Stop that one, or "
                    "give this one a storage.root of its own."
                )

    async def renew(self, now: datetime) -> bool:
        """Write a heartbeat; return False if another service took the store over."""

        def renew(tx: Tx) -> bool:
            held = tx.lease()
            if held is None or held["owner"] != self._owner:
                return False
            tx.take_lease(self._owner, self._host, _machine_id(), now)
            return True

        return await self._store.write(renew)

    async def drop(self) -> None:
        """Stop being the owner, for a clean shutdown."""
        await self._store.write(lambda tx: tx.drop_lease(self._owner))

    def unlock(self) -> None:
        """Release the file lock; a volume that is gone may refuse even that."""
        with contextlib.suppress(OSError):
            self._lock.release()


def boot_id() -> str | None:
    """Return the id of this machine's current boot; None on systems without one."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return None


def _machine_id() -> str:
    """Return the id of the current boot, or of the network card if there is none."""
    return boot_id() or f"{uuid.getnode():x}"
