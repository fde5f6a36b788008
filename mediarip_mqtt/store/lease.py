"""One owner: a second service on the same store is refused.

Two locks guard the store. The file lock holds among processes of one kernel and is gone with its
process, however that ended. The lease in the store, with its heartbeat, also holds against another
machine that mounts the same volume.
"""

from __future__ import annotations

import logging
import socket
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mediarip_mqtt.errors import StoreInUseError
from mediarip_mqtt.store.database import Store
from mediarip_mqtt.store.tx import Tx

HEARTBEAT: Final = 10  # seconds
EXPIRY: Final = timedelta(seconds=60)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger(__name__)


class Lease:
    """The right to use a store."""

    def __init__(self, store: Store, folder: Path, *, network: bool) -> None:
        self._store = store
        self._network = network
        self._lock = FileLock(folder / "lock")
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
        """Become the owner; raise `StoreInUseError` where another machine is."""
        boot_id = _boot_id()

        def take(tx: Tx) -> None:
            held = tx.lease()
            if held is not None and held["boot_id"] != boot_id and self._network:
                age = now - datetime.fromisoformat(held["heartbeat_at"])
                if age < EXPIRY:
                    raise StoreInUseError(
                        f"The store is in use by a mediarip-mqtt on {held['host']}. Stop that one; "
                        f"if it is gone, wait {EXPIRY.seconds} s."
                    )
                logger.warning("store: took over the expired lease of %s", held["host"])
            tx.take_lease(self._owner, self._host, boot_id, now)

        await self._store.write(take)

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
