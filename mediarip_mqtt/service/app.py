"""The service: builds, starts and ends its parts in order."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.list_reader import YtdlpListReader
from mediarip_mqtt.engine.page_readers import PageReaders
from mediarip_mqtt.engine.protocol import Engine, ListReader
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine, cache_folder
from mediarip_mqtt.service.composition import Parts
from mediarip_mqtt.service.health import end_when_frozen
from mediarip_mqtt.service.process_end import LastResort, stop_on_signals
from mediarip_mqtt.service.service_facts import warn_of_bad_cookies, warn_of_missing_programs
from mediarip_mqtt.service.storage import Storage, cookies_folder, open_storage, prepare_temp

GRACE: Final = 4.0  # seconds for running downloads to stop
END_TIME: Final = 5.0  # seconds for the last publications and `offline`

logger = logging.getLogger(__name__)


class App:
    """The service; raises `ConfigError` if the engine does not accept the settings."""

    def __init__(
        self, settings: Settings, engine: Engine | None = None, lists: ListReader | None = None
    ) -> None:
        root = settings.storage.root.expanduser().absolute()
        storage = settings.storage.model_copy(update={"root": root})
        self._settings = settings.model_copy(update={"storage": storage})
        self._topics = Topics(
            settings.mqtt.base_topic, isolated=settings.session.mode == "isolated"
        )
        self._cookies = Cookies(cookies_folder(self._settings), settings.downloads.cookies_file)
        readers = _page_readers(self._settings)
        ytdlp = _ytdlp_engine(self._settings, self._cookies, readers)
        self._engine = engine or ytdlp
        self._lists = lists or YtdlpListReader(ytdlp, self._settings.security, readers)
        self._last_resort = LastResort()

    async def serve(
        self, *, ready: asyncio.Event | None = None, stop: asyncio.Event | None = None
    ) -> bool:
        """Run until a signal or ``stop``; set ``ready`` once the service is `online`.

        Return whether to restart the program with a newer yt-dlp; never if ``stop`` is given.
        Raises `ConfigError`, `StoreError` or `BrokerError` if the service can't start.
        """
        storage: Storage | None = None
        stopping = stop or asyncio.Event()
        try:
            await threads.call(prepare_temp, self._settings)
            async with open_storage(self._settings.storage, self._topics) as storage:
                facts = await threads.call(self._engine.facts)
                warn_of_missing_programs(facts)
                cookies_file = self._settings.downloads.cookies_file
                await threads.call(warn_of_bad_cookies, cookies_file)
                parts = Parts(
                    self._settings,
                    self._topics,
                    storage,
                    self._engine,
                    self._lists,
                    facts,
                    self._cookies,
                    stop=stopping,
                    restarts=stop is None,
                )
                await _prepare(parts)
                with stop_on_signals(stopping):
                    return await self._run(parts, stopping, ready or asyncio.Event())
        finally:
            self._last_resort.settle(storage.problem if storage else None)

    async def _run(self, parts: Parts, stop: asyncio.Event, ready: asyncio.Event) -> bool:
        """Run all parts until ``stop``; return whether to restart with a newer yt-dlp."""
        async with asyncio.TaskGroup() as group:
            session = group.create_task(parts.session.run(), name="mqtt")
            switch = group.create_task(parts.switch.run(), name="yt-dlp switch")
            tasks = [
                session,
                switch,
                group.create_task(parts.runner.run(), name="runner"),
                group.create_task(_relay(parts.session.online, ready), name="ready"),
                group.create_task(parts.pictures.run(), name="pictures"),
                group.create_task(parts.tiles.run(), name="tiles"),
                group.create_task(parts.health.run(), name="health"),
                group.create_task(parts.updates.run(), name="yt-dlp updates"),
                group.create_task(parts.volume_watch.run(), name="volume"),
                group.create_task(parts.quiet_hours.run(), name="quiet hours"),
                group.create_task(parts.holds.run(), name="holds"),
                group.create_task(parts.upkeep.run(), name="upkeep"),
                group.create_task(parts.organizer.run(), name="library"),
                group.create_task(parts.library_runs.run(), name="library runs"),
                group.create_task(parts.checker.run(), name="subscriptions"),
                group.create_task(parts.clock_watch.run(), name="clock"),
                group.create_task(end_when_frozen(), name="frozen guard"),
            ]
            await stop.wait()
            await self._end(parts, session)
            for task in tasks:
                task.cancel()
        return switch.done() and not switch.cancelled()

    async def _end(self, parts: Parts, session: asyncio.Task[None]) -> None:
        """End in order: intake, downloads, last publications, `offline`."""
        logger.info("ending: the next start continues from here")
        self._last_resort.arm(volume_lost=parts.storage.lost)
        await parts.session.stop_intake()
        await parts.runner.shutdown(GRACE)
        await parts.session.finish()
        await asyncio.wait({session}, timeout=END_TIME)


async def serve(
    settings: Settings, *, ready: asyncio.Event | None = None, stop: asyncio.Event | None = None
) -> bool:
    """Run the service; see `App.serve`."""
    threads.share_heaps()
    return await App(settings).serve(ready=ready, stop=stop)


def _page_readers(settings: Settings) -> PageReaders:
    return PageReaders(
        settings.downloads,
        settings.security,
        cache_folder(),
        min_free=settings.storage.min_free,
    )


def _ytdlp_engine(settings: Settings, cookies: Cookies, readers: PageReaders) -> YtdlpEngine:
    engine = YtdlpEngine(
        settings.downloads,
        settings.security,
        cookies,
        readers,
        min_free=settings.storage.min_free,
    )
    engine.check()
    return engine


async def _prepare(parts: Parts) -> None:
    """Restore what the store keeps and set all holds, before anything starts."""
    await parts.clock_watch.begin()
    await parts.holds.restore()
    await parts.kept_settings.restore()
    await parts.store.write(parts.declared.apply)
    await parts.runner.recover()
    await parts.space.measure()


async def _relay(source: asyncio.Event, target: asyncio.Event) -> None:
    await source.wait()
    target.set()
