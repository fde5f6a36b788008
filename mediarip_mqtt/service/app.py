"""The composition root: what the service is made of, and in which order it starts and ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt import __version__, threads
from mediarip_mqtt.commands import payloads
from mediarip_mqtt.commands.effects import PAUSED_KEY, UPDATE_KEY, Effects
from mediarip_mqtt.commands.intake import Dispatch
from mediarip_mqtt.contract import events, presets
from mediarip_mqtt.contract.errors import ConfigError, LinkError, StoreError
from mediarip_mqtt.contract.models import Facts, PauseReason, now
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import CONTRACT_VERSION, Topics
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.protocol import Engine
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.homeassistant.discovery import Discovery
from mediarip_mqtt.homeassistant.pictures import Pictures
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.runner import Runner
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.mqtt.publisher import INFO, THUMBNAIL, YTDLP, Publisher
from mediarip_mqtt.mqtt.retained_scan import read_retained
from mediarip_mqtt.mqtt.session import Session
from mediarip_mqtt.service.health import Health, end_when_frozen, place
from mediarip_mqtt.service.upkeep import Upkeep
from mediarip_mqtt.service.ytdlp_update import Updates
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.store.lease import Lease
from mediarip_mqtt.volume import mounts
from mediarip_mqtt.volume.files import fetched_folder
from mediarip_mqtt.volume.marker import HANGING, Volume
from mediarip_mqtt.volume.names import OWN_FOLDER

COOKIES_FOLDER: Final = "cookies"  # in it: what sessions have sent
SWITCH_WAIT: Final = 900.0  # seconds for running downloads to end before a new yt-dlp is used
GRACE: Final = 4.0  # seconds for running downloads to stop
HOURS_INTERVAL: Final = 5.0  # seconds between two looks at the time of the day
VOLUME_INTERVAL: Final = 3.0  # seconds between two looks at the volume
LAST_RESORT: Final = 8.0  # seconds after which the process ends whatever hangs in a lost volume
END_TIME: Final = 5.0  # seconds for the last words to the broker
LONGEST_END: Final = 14.0  # seconds of an end in order, where everything takes as long as it may

logger = logging.getLogger(__name__)


class App:
    """The service."""

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        root = settings.storage.root.expanduser().absolute()
        storage = settings.storage.model_copy(update={"root": root})
        self.settings = settings.model_copy(update={"storage": storage})
        self.root = root
        self._began = time.monotonic()
        self._topics = Topics(
            settings.mqtt.base_topic, isolated=settings.session.mode == "isolated"
        )
        self._preferences = Preferences(settings)
        self._cookies = Cookies(root / OWN_FOLDER / COOKIES_FOLDER, settings.downloads.cookies_file)
        self._engine = engine or _engine(self.settings, self._cookies)
        self._facts = Facts(ytdlp="unknown")
        self._held = False  # by a person
        self._stop = asyncio.Event()
        self._for_one = False  # it runs for one download
        self._switch = asyncio.Event()
        self._rests = False  # whether downloads rest because of the hour
        self._lost: str | None = None  # what is wrong with the volume
        self._untold: list[events.Event] = []  # what happened while the store was away
        self._last_resort: threading.Timer | None = None
        self.restart = False  # whether the program shall start itself anew

    async def serve(
        self, *, ready: asyncio.Event | None = None, stop: asyncio.Event | None = None
    ) -> None:
        """Run until a signal, or ``stop``; set ``ready`` once the service says `online`.

        Raises `ConfigError`, `StoreError` or `BrokerError` where it can't start.
        """
        self._stop, self._for_one = stop or self._stop, stop is not None
        own = self.root / OWN_FOLDER
        mount = await threads.call(_prepare_folders, self.root, own)
        self._mount = mount
        network = mounts.is_network(mount.fstype)
        self._journal = mounts.journal_mode(self.settings.storage.journal_mode, mount.fstype)
        self._store = Store(
            own / "store.db",
            journal_mode=self._journal,
            exclusive=network,
            topics=self._topics,
        )
        self._lease = Lease(self._store, own, network=network)
        self._lease.lock()
        try:
            self._volume = Volume(own)
            await threads.call(_mark, self._volume, self.settings.storage.create)
            await self._store.open()
            try:
                await self._serve_store(self._lease, ready)
            finally:
                await self._store.close()
        finally:
            self._lease.unlock()
            if self._lost == HANGING:
                _die()
            if self._lost is None and self._last_resort is not None:
                self._last_resort.cancel()

    async def _serve_store(self, lease: Lease, ready: asyncio.Event | None) -> None:
        await lease.take(now())
        config = await self._store.read(lambda tx: tx.config())
        for key in self._preferences.restore(config):
            logger.warning("settings: the kept value of %s is not valid any more; ignored", key)
        self._held = PAUSED_KEY in config
        self._build(lease)
        self._facts = await threads.call(self._engine.facts)
        _tell_missing(self._facts)
        await self._runner.recover()
        await self._upkeep.start()
        self._apply_hold()
        try:
            with _signals(self._stop):
                await self._work(ready)
        finally:
            self._upkeep.stop()
            with contextlib.suppress(StoreError):
                await lease.drop()

    def _build(self, lease: Lease) -> None:
        settings, topics = self.settings, self._topics
        downloads = settings.downloads
        self._limits = Limits(self._preferences, downloads.sites)
        self._jobs = jobs = Jobs(
            topics,
            self._preferences,
            retry_delay=downloads.retry_delay,
            upcoming_wait=downloads.upcoming_wait,
        )
        self._pictures = Pictures(self._engine, lambda: self._publisher.mark(THUMBNAIL))
        self._publisher = Publisher(
            topics,
            self._store,
            self._preferences,
            state=self._state,
            info=self._info,
            told=self._pictures.follow,
            picture=lambda: self._pictures.picture,
            ytdlp=lambda: self._updates.payload(),  # noqa: PLW0108 - made below
            clock=now,
        )
        self._runner = Runner(
            self._store,
            jobs,
            self._engine,
            self._publisher,
            self._preferences,
            topics,
            root=self.root,
            temp=self._temp_folder(),
            downloads=settings.downloads,
            limits=self._limits,
            clock=now,
        )
        retention = Retention(self._store, jobs, settings.purge, root=self.root, clock=now)
        self._upkeep = Upkeep(
            self._store,
            lease,
            root=self.root,
            min_free=settings.storage.min_free,
            clock=now,
            backups=(settings.storage.backup_interval, settings.storage.backup_keep),
            lost=lambda: self._lost is not None,
            space_changed=self._apply_hold,
            lost_lease=self._stop.set,
            clock_set=self._runner.wake,
            retention=retention,
        )
        discovery = Discovery(
            settings,
            topics,
            self._store,
            commands=payloads.CLASSES,
            extras=self._entity_options,
            read_retained=partial(read_retained, settings.mqtt),
            clock=now,
        )
        self._session = Session(
            settings.mqtt,
            topics,
            self._publisher,
            discovery,
            self._handle,
            lambda: self._dispatch.new_session(),  # noqa: PLW0108 - made below
        )
        self._updates = Updates(
            settings,
            self._store,
            folder=fetched_folder(settings),
            running=lambda: self._facts.ytdlp,
            online=self._session.online,
            changed=lambda: self._publisher.mark(YTDLP),
            # A run for one download ends with that: the next start uses what was installed.
            switch=lambda: None if self._for_one else self._switch.set(),
            clock=now,
        )
        effects = Effects(settings, topics, jobs, self._preferences, now, self._updates.versions)
        self._dispatch = Dispatch(
            settings,
            topics,
            self._store,
            effects,
            self._preferences,
            self._session.respond,
            now,
            cookies=self._cookies,
            settings_changed=self._settings_changed,
            retention=retention,
        )
        self._health = Health(
            place(settings), self._signs, lambda: self._store.read(lambda tx: tx.config())
        )
        self._store.on_commit(self._changed)

    def _temp_folder(self) -> Path:
        chosen = self.settings.storage.temp_dir
        if chosen is None:
            return self.root / OWN_FOLDER / "tmp"
        # A folder of its own in it: what belongs to no job of this service is removed there.
        return chosen.expanduser().absolute() / f"mediarip-{self.settings.mqtt.node_id}"

    def _entity_options(self) -> dict[str, dict[str, Any]]:
        """Return what Home Assistant's entities need to know of the settings."""
        details = self._preferences.describe()
        most = details["max_concurrent"]
        return {
            "preset": {"options": presets.preset_names(self.settings.downloads)},
            "max_concurrent": {"min": most["minimum"], "max": most["maximum"]},
        }

    async def _handle(self, message: Any) -> None:
        await self._dispatch.handle(message)

    async def _work(self, ready: asyncio.Event | None) -> None:
        """Run everything; end in order: intake, downloads, last publications, `offline`."""
        async with asyncio.TaskGroup() as group:
            session = group.create_task(self._session.run(), name="mqtt")
            runner = group.create_task(self._runner.run(), name="runner")
            relay = group.create_task(_relay(self._session.online, ready), name="ready")
            pictures = group.create_task(self._pictures.run(), name="pictures")
            health = group.create_task(self._health.run(), name="health")
            updates = group.create_task(self._updates.run(), name="updates")
            switch = group.create_task(self._switch_when_idle(), name="switch")
            volume = group.create_task(self._watch_volume(), name="volume")
            hours = group.create_task(self._watch_hours(), name="hours")
            guard = group.create_task(end_when_frozen(), name="guard")
            await self._stop.wait()
            logger.info("ending: the next start goes on from here")
            # Threads that hang in the volume would keep the process from ending.
            longest = LAST_RESORT if self._lost else LONGEST_END
            self._last_resort = threading.Timer(longest, _end_hard, (longest,))
            self._last_resort.daemon = True
            self._last_resort.start()
            await self._session.stop_intake()
            await self._runner.shutdown(GRACE)
            await self._session.finish()
            await asyncio.wait({session}, timeout=END_TIME)
            session.cancel()
            runner.cancel()
            pictures.cancel()
            for task in (health, updates, switch, volume, hours, guard):
                task.cancel()
            relay.cancel()  # without a broker it would wait for ever

    async def _watch_volume(self) -> None:
        while True:
            problem = await self._volume.problem()
            if problem and self._lost is None:
                await self._lose_volume(problem)
            elif problem is None and self._lost is not None:
                try:
                    await self._regain_volume()
                except (OSError, StoreError) as error:
                    logger.warning("storage: the volume is back, its store not yet: %s", error)
                    self._store.suspend(self._lost)  # it may be gone again, and hang
            await asyncio.sleep(VOLUME_INTERVAL)

    async def _watch_hours(self) -> None:
        """Let downloads rest, or go slower, in the quiet hours; begun live recordings go on."""
        while True:
            self._apply_limits()
            await asyncio.sleep(HOURS_INTERVAL)

    def _apply_limits(self) -> None:
        """Let a new setting, or the hour, have its effect on what runs."""
        self._runner.apply_limits()
        rests = self._limits.rests(now())
        if rests is not self._rests:
            self._rests = rests
            logger.info("downloads: the quiet hours %s", "begin" if rests else "end")
            self._apply_hold()
            if rests:
                self._runner.interrupt(live=False)

    def _settings_changed(self) -> None:
        """Let new settings have their effect, and `info` tell of them."""
        self._apply_limits()
        self._publisher.mark(INFO)

    async def _lose_volume(self, problem: str) -> None:
        """Hold everything, and say so; the store's own event follows when it is back."""
        logger.error(
            "storage: the volume %s is lost (%s): the queue waits. Check that it is mounted and "
            "writable.",
            self.root,
            problem,
        )
        self._lost = problem
        self._store.suspend(problem)
        event = events.StorageLost(reason=problem)
        self._untold.append(event)
        self._apply_hold()
        self._runner.interrupt()
        with contextlib.suppress(LinkError):
            await self._session.respond(self._topics.event, event.model_dump_json(), None)

    async def _regain_volume(self) -> None:
        """Open the store on the volume that has come back, and go on."""
        await threads.start(self._lock_again, "lock")
        await self._store.reopen()
        await self._lease.take(now())
        told = [*self._untold, events.StorageRestored()]

        def go_on(tx: Tx) -> None:
            self._jobs.put_all_back(tx)
            for event in told:
                tx.emit(event)

        await self._store.write(go_on)
        config = await self._store.read(lambda tx: tx.config())
        self._untold.clear()
        self._lost = None
        logger.info("storage: the volume is back; the queue goes on")
        # It may be an older copy of the store: all that was known of it is learnt anew.
        self._held = PAUSED_KEY in config
        self._preferences.restore(config)
        self._settings_changed()
        self._apply_hold()
        self._session.compare()

    def _lock_again(self) -> None:
        self._lease.unlock()
        self._lease.lock()

    async def _switch_when_idle(self) -> None:
        """Once a new yt-dlp is chosen: end in order at a quiet moment, to start anew with it."""
        await self._switch.wait()
        self._apply_hold()
        await self._runner.drain(SWITCH_WAIT)
        while self._lost:  # noqa: ASYNC110 - a start would find no store, and begin another one
            await asyncio.sleep(VOLUME_INTERVAL)
        self.restart = True
        self._stop.set()

    def _changed(self, changes: Changes) -> None:
        self._publisher.changed(changes)
        self._runner.changed(changes)
        if UPDATE_KEY in changes.settings:
            self._updates.wake()
        if PAUSED_KEY in changes.settings:
            threads.leave(asyncio.ensure_future(self._read_hold()))

    async def _read_hold(self) -> None:
        config = await self._store.read(lambda tx: tx.config())
        self._held = PAUSED_KEY in config
        self._apply_hold()

    def _apply_hold(self) -> None:
        self._runner.hold = (
            (PauseReason.STORAGE_LOST if self._lost else None)
            or (PauseReason.USER if self._held else None)
            or (PauseReason.QUIET_HOURS if self._rests else None)
            or (PauseReason.DISK_LOW if self._upkeep.disk_low else None)
            or (PauseReason.UPDATING if self._switch.is_set() else None)
        )
        self._runner.wake()
        self._publisher.changed(Changes(queue=True))

    def _signs(self) -> dict[str, Any]:
        return {
            "queue_at": self._runner.looked_at,
            "published_at": self._publisher.published_at,
            "lost_broker_at": self._session.lost_at,
            "lost_threads": self._runner.lost_threads,
            "volume": self._lost or "ok",
        }

    def _state(self) -> dict[str, Any]:
        return {
            "paused": self._runner.hold is not None,
            "pause_reason": self._runner.hold,
            "storage": self._lost or "ok",
            "disk_free": self._upkeep.disk_free,
            "disk_total": self._upkeep.disk_total,
            "lost_threads": self._runner.lost_threads,
            "uptime": round(time.monotonic() - self._began),
        }

    def _info(self) -> dict[str, Any]:
        return {
            "service": "mediarip-mqtt",
            "version": __version__,
            "contract_version": CONTRACT_VERSION,
            "ytdlp": self._facts.ytdlp,
            "ffmpeg": self._facts.ffmpeg,
            "js_runtime": self._facts.js_runtime,
            "python": platform.python_version(),
            "storage_root": str(self.root),
            "store": str(self._store.path),
            "store_recovered": self._store.recovered,
            "journal_mode": self._journal,
            "filesystem": self._mount.fstype,
            "session_mode": self.settings.session.mode,
            "commands": sorted(payloads.CLASSES),
            "presets": presets.preset_names(self.settings.downloads),
            "settings": self._preferences.describe(),
        }


async def serve(
    settings: Settings, *, ready: asyncio.Event | None = None, stop: asyncio.Event | None = None
) -> bool:
    """Run the service; see `App.serve`. Return whether the program shall start itself anew."""
    threads.share_heaps()
    app = App(settings)
    await app.serve(ready=ready, stop=stop)
    return app.restart


def _engine(settings: Settings, cookies: Cookies) -> Engine:
    engine = YtdlpEngine(settings.downloads, settings.security, cookies)
    engine.check()
    return engine


def _end_hard(after: float) -> None:
    logger.error("ending: not everything ended within %.0f s; the process ends now", after)
    _die()


def _die() -> None:
    """End at once: an exit closes the files, which waits for a volume that hangs; this does not."""
    os.kill(os.getpid(), signal.SIGKILL)


def _tell_missing(facts: Facts) -> None:
    """Log which programs are missing, before a job fails for want of them."""
    if facts.ffmpeg is None:
        logger.warning(
            "ffmpeg is missing: only files that need no merging or converting can be downloaded. "
            "Install it, or `pip install 'mediarip-mqtt[ffmpeg]'`."
        )
    if facts.js_runtime is None:
        logger.warning(
            "A JavaScript runtime is missing, which YouTube needs. Install Deno or Node 22, or "
            "`pip install 'mediarip-mqtt[js]'`."
        )


async def _relay(source: asyncio.Event, target: asyncio.Event | None) -> None:
    await source.wait()
    if target is not None:
        target.set()


def _mark(volume: Volume, create: bool) -> None:  # noqa: FBT001 - a setting's value
    """Know the volume by its marker; raise `ConfigError` where it must be there and is not."""
    if not create and not volume.marked:
        raise ConfigError(
            "storage.create is false, and there is no store on the volume: is it mounted? Mount "
            "it, or set storage.create to true to begin a new one."
        )
    volume.mark()


def _prepare_folders(root: Path, own: Path) -> mounts.Mount:
    try:
        root.mkdir(parents=True, exist_ok=True)
        own.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"storage.root: {root} can't be used: {error.strerror}. Check that the volume is "
            "mounted and that this user may write to it."
        ) from None
    return mounts.mount_of(root)


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Set ``stop`` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
