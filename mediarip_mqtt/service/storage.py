"""What the service has on its volume (own folder, lock, marker, store, lease), opened in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import ConfigError, StoreError
from mediarip_mqtt.contract.models import now
from mediarip_mqtt.contract.settings import Settings, StorageSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.store import Store
from mediarip_mqtt.store.lease import Lease
from mediarip_mqtt.volume import mounts, trust
from mediarip_mqtt.volume.files import own_folder
from mediarip_mqtt.volume.marker import VolumeMarker
from mediarip_mqtt.volume.names import OWN_FOLDER

COOKIES_FOLDER: Final = "cookies"  # in the service's own folder

logger = logging.getLogger(__name__)


@dataclass
class Storage:
    """The opened store and the state of the volume that it is on."""

    root: Path
    filesystem: str
    journal_mode: mounts.JournalMode
    marker: VolumeMarker
    store: Store
    lease: Lease
    settings: StorageSettings
    problem: str | None = None  # what is wrong with the volume, in a word or two
    usable: asyncio.Event = field(default_factory=asyncio.Event)  # set while there is no problem

    @property
    def lost(self) -> bool:
        """Whether the volume can't be used right now."""
        return self.problem is not None

    @property
    def trouble(self) -> str | None:
        """What is wrong with the volume, or why the store's newest write failed."""
        failure = self.store.failure
        return self.problem or (failure.message if failure else None)

    def lose(self, problem: str) -> None:
        """Refuse all use of the store until `recovered`."""
        self.problem = problem
        self.usable.clear()
        self.store.suspend(problem)

    async def reopen(self) -> None:
        """Lock and open the store again; raise `OSError` or `StoreError` if that fails.

        The volume may have come back with another filesystem.
        """
        own = self.root / OWN_FOLDER
        if self.settings.trust == "owner":
            await threads.start(partial(_secure, self.root, own, create=False), "trust")
        mount = await threads.start(partial(mounts.mount_of, self.root), "mounts")
        network = mounts.is_network(mount.fstype)
        self.filesystem = mount.fstype
        self.journal_mode = mounts.journal_mode(self.settings.journal_mode, mount.fstype)
        self.store.use(journal_mode=self.journal_mode, exclusive=network)
        self.lease.network = network
        await threads.start(self._lock_again, "lock")
        await self.store.reopen()
        await self.lease.take(now())

    def _lock_again(self) -> None:
        self.lease.unlock()
        self.lease.lock()

    def recovered(self) -> None:
        """Mark the volume as usable; call it once the store is open again."""
        self.problem = None
        self.usable.set()


@asynccontextmanager
async def open_storage(settings: StorageSettings, topics: Topics) -> AsyncIterator[Storage]:
    """Prepare the folders, lock and open the store, and take its lease.

    Raises `ConfigError` if the volume can't be used, `StoreInUseError` if another service uses it.
    """
    root = settings.root
    own = root / OWN_FOLDER
    mount = await threads.call(prepare_folders, settings, root, own)
    network = mounts.is_network(mount.fstype)
    journal_mode = mounts.journal_mode(settings.journal_mode, mount.fstype)
    store = Store(own / "store.db", journal_mode=journal_mode, exclusive=network, topics=topics)
    lease = Lease(store, own, network=network)
    marker = VolumeMarker(own, store.in_place)
    await threads.start(lease.lock, "lock")
    try:
        await threads.call(ensure_marker, marker, create=settings.create)
        await store.open()
        try:
            await lease.take(now())
            storage = Storage(root, mount.fstype, journal_mode, marker, store, lease, settings)
            storage.usable.set()
            yield storage
        finally:
            with contextlib.suppress(StoreError):
                await lease.drop()
            await store.close()
    finally:
        lease.unlock()


def prepare_folders(settings: StorageSettings, root: Path, own: Path) -> mounts.Mount:
    """Create the media root and the service's folder in it; return the mount they are on.

    Raises `ConfigError`, also if others can replace what is in that folder.
    """
    try:
        trust.make_parents(root)
        if settings.trust == "volume":
            own.mkdir(mode=0o700, exist_ok=True)
        else:
            _secure(root, own, create=True)
    except trust.NotTrustedError as error:
        raise ConfigError(not_trusted(str(error.strerror))) from None
    except OSError as error:
        raise ConfigError(
            f"storage.root: {root} can't be used: {error.strerror}. Check that the volume is "
            "mounted and that this user may write to it."
        ) from None
    return mounts.mount_of(root)


def prepare_temp(settings: Settings) -> None:
    """Create the folder of unfinished downloads, if it is not on the volume.

    Raises `ConfigError`, also if it is another user's: downloads write into it by names.
    """
    configured = settings.storage.temp_dir
    if configured is None:
        return
    folder = temp_folder(settings)
    try:
        trust.make_parents(folder.parent)
        _secure(folder.parent, folder, create=True)
    except OSError as error:
        raise ConfigError(
            f"storage.temp_dir: {folder} can't be used: {error.strerror}. Set storage.temp_dir to "
            "a folder of the service's user, or to one with the sticky bit such as /var/tmp, and "
            f"remove a {folder.name} there that is another user's."
        ) from None


def _secure(parent: Path, folder: Path, *, create: bool) -> None:
    for remark in trust.secure(parent, folder, create=create):
        logger.warning("storage: %s; see docs/security.md", remark)


def not_trusted(problem: str) -> str:
    """Return the error for a volume on which others can replace the store, and the ways out."""
    return (
        f"storage.root: {problem}: the store there may be another user's work, and is not used. "
        "Give the folder to the service's user, or to root with the sticky bit (`chmod +t`), and "
        "remove a `.mediarip` that the service did not make; or set storage.trust to volume, if "
        "everyone who can write there may do what the service may. See docs/security.md."
    )


def ensure_marker(marker: VolumeMarker, *, create: bool) -> None:
    """Read the volume's marker; create one only if ``create``, else raise `ConfigError`."""
    if not create and not marker.exists:
        raise ConfigError(
            "storage.create is false, and there is no store on the volume: is it mounted? Mount "
            "it, or set storage.create to true to create a new one."
        )
    marker.ensure()


def cookies_folder(settings: Settings) -> Path:
    """Return the folder of the cookies that sessions have sent."""
    return own_folder(settings) / COOKIES_FOLDER


def temp_folder(settings: Settings) -> Path:
    """Return the folder of unfinished downloads."""
    configured = settings.storage.temp_dir
    if configured is None:
        return own_folder(settings) / "tmp"
    # A subfolder for this service only: folders of unknown jobs are removed from it.
    return configured.expanduser().absolute() / f"mediarip-{settings.mqtt.node_id}"
