"""What the service reports about itself in `state`, in `info` and to `healthcheck`."""

from __future__ import annotations

import logging
import os
import platform
import time
from pathlib import Path
from typing import Final

from mediarip_mqtt import __version__
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.models import Facts, PauseReason, now
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topic_payloads import Info
from mediarip_mqtt.contract.topics import CONTRACT_VERSION
from mediarip_mqtt.engine.cookie_files import problem_of
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.runner import Runner
from mediarip_mqtt.mqtt.card_lists import CardFacts
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.session import Session
from mediarip_mqtt.mqtt.summaries import ServiceStatus
from mediarip_mqtt.service.free_space import FreeSpace
from mediarip_mqtt.service.health import Signs
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.storage import Storage

MEDIA: Final = Path("/media")  # Home Assistant's folder for media

logger = logging.getLogger(__name__)


class ServiceFacts:
    """Collects facts from the parts of the service."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it asks
        self,
        settings: Settings,
        preferences: Preferences,
        engine: Facts,
        storage: Storage,
        holds: Holds,
        space: FreeSpace,
        runner: Runner,
        publisher: Publisher,
        session: Session,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._preferences = preferences
        self._engine = engine
        self._storage = storage
        self._holds = holds
        self._space = space
        self._runner = runner
        self._publisher = publisher
        self._session = session
        self._limits = limits
        self._began = time.monotonic()

    def state(self) -> ServiceStatus:
        """Return the service's part of `state`."""
        return ServiceStatus(
            pause_reason=self._holds.reason,
            storage=self._storage.trouble or "ok",
            disk_free=self._space.free,
            disk_total=self._space.total,
            lost_threads=self._runner.lost_threads,
            uptime=round(time.monotonic() - self._began),
        )

    def card(self) -> CardFacts:
        """Return the service's part of `jobs/now`."""
        quiet = self._holds.reason is PauseReason.QUIET_HOURS
        return CardFacts(
            version=__version__,
            presets=presets.preset_names(self._settings.downloads),
            media=media_source(self._settings),
            pause_until=self._limits.rest_ends(now()) if quiet else None,
        )

    def info(self) -> Info:
        """Return the payload of `info`."""
        settings, store = self._settings, self._storage.store
        return Info(
            service="mediarip-mqtt",
            version=__version__,
            contract_version=CONTRACT_VERSION,
            ytdlp=self._engine.ytdlp,
            ffmpeg=self._engine.ffmpeg,
            js_runtime=self._engine.js_runtime,
            plugins=list(self._engine.plugins),
            python=platform.python_version(),
            storage_root=str(self._storage.root),
            store=str(store.path),
            store_recovered=store.recovered,
            journal_mode=self._storage.journal_mode,
            filesystem=self._storage.filesystem,
            session_mode=settings.session.mode,
            commands=sorted(CLASSES),
            presets=presets.preset_names(settings.downloads),
            settings=self._preferences.describe(),
        )

    def signs(self) -> Signs:
        """Return the signs of life; `Health` adds the result of its check of the store."""
        return Signs(
            pid=os.getpid(),
            at=time.monotonic(),
            queue_at=self._runner.looked_at,
            published_at=self._publisher.published_at,
            lost_broker_at=self._session.lost_at,
            rival=self._session.rival or "",
            lost_threads=self._runner.lost_threads,
            volume=self._storage.problem or "ok",
        )


def media_source(settings: Settings) -> str | None:
    """Return Home Assistant's media source id of the storage root; None if it is unknown.

    Home Assistant shows `/media` as its source `local` by default, and so does its Supervisor.
    """
    configured = settings.homeassistant.media_source
    if configured is not None:
        return configured.rstrip("/") or None
    root = settings.storage.root
    if not root.is_relative_to(MEDIA):
        return None
    return "/".join(["media-source://media_source/local", *root.relative_to(MEDIA).parts])


def warn_of_bad_cookies(path: Path | None) -> None:
    """Log what is wrong with the configured cookies file; blocks."""
    if problem := problem_of(path):
        logger.warning("downloads.cookies_file: %s Downloads run without it.", problem)


def warn_of_missing_programs(engine: Facts) -> None:
    """Log which programs are missing, before a job fails because of that."""
    if engine.ffmpeg is None:
        logger.warning(
            "ffmpeg is missing: only files that need no merging or converting can be downloaded. "
            "Install it, or `pip install 'mediarip-mqtt[ffmpeg]'`."
        )
    if engine.js_runtime is None:
        logger.warning(
            "A JavaScript runtime is missing, which YouTube needs. Install Deno or Node 22, or "
            "`pip install 'mediarip-mqtt[js]'`."
        )
