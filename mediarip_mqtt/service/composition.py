"""Builds the parts of the service and connects them; starts nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from mediarip_mqtt.commands.context import Context
from mediarip_mqtt.commands.download_commands import answer_probe
from mediarip_mqtt.commands.intake import Intake
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.reply_size import shortened
from mediarip_mqtt.commands.subscription_commands import answer_subscribe
from mediarip_mqtt.contract import presets, title_patterns
from mediarip_mqtt.contract.events import Event
from mediarip_mqtt.contract.models import Facts, Progress, now
from mediarip_mqtt.contract.reply_topics import ReplyTopics
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topic_payloads import Ytdlp
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.protocol import Engine, ListReader
from mediarip_mqtt.homeassistant.discovery import Discovery
from mediarip_mqtt.homeassistant.pictures import Pictures
from mediarip_mqtt.homeassistant.tiles import Tiles
from mediarip_mqtt.jobs.filing import LibraryParts
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.progress import MessageLimit
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.runner import Runner
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.library.caretaker import Caretaker
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.missing import MissingLook
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.library.rivals import Rivals
from mediarip_mqtt.library.runs import LibraryRuns
from mediarip_mqtt.library.side_files import SideFiles
from mediarip_mqtt.library.title_retention import TitleRetention
from mediarip_mqtt.mqtt.card_lists import CardLists, CardSources
from mediarip_mqtt.mqtt.client_identity import ClientIdentity
from mediarip_mqtt.mqtt.former_topics import FormerTopics
from mediarip_mqtt.mqtt.incoming import Message
from mediarip_mqtt.mqtt.outbox import Outbox
from mediarip_mqtt.mqtt.presence import PresenceWatch
from mediarip_mqtt.mqtt.publisher import INFO, STATE, THUMBNAIL, TILES, YTDLP, Publisher
from mediarip_mqtt.mqtt.refusals import Refusals
from mediarip_mqtt.mqtt.retained_history import RetainedHistory
from mediarip_mqtt.mqtt.retained_topics import ServicePayloads, Sources
from mediarip_mqtt.mqtt.session import Session
from mediarip_mqtt.mqtt.summaries import StateSummary
from mediarip_mqtt.service.clock_watch import ClockWatch
from mediarip_mqtt.service.free_space import FreeSpace
from mediarip_mqtt.service.health import Health, signs_paths
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.kept_settings import KeptSettings
from mediarip_mqtt.service.quiet_hours import QuietHours
from mediarip_mqtt.service.service_facts import ServiceFacts
from mediarip_mqtt.service.storage import Storage, temp_folder
from mediarip_mqtt.service.upkeep import Upkeep
from mediarip_mqtt.service.volume_watch import VolumeWatch
from mediarip_mqtt.service.ytdlp_switch import YtdlpSwitch
from mediarip_mqtt.service.ytdlp_update import Updates
from mediarip_mqtt.store import Changes
from mediarip_mqtt.subscriptions.checker import Checker
from mediarip_mqtt.subscriptions.declared import Declared
from mediarip_mqtt.subscriptions.expiry import Expiry
from mediarip_mqtt.subscriptions.following import Following
from mediarip_mqtt.subscriptions.item_queue import ItemQueue
from mediarip_mqtt.subscriptions.list_readings import ListReadings
from mediarip_mqtt.volume.files import YTDLP_FOLDER, fetched_folder, own_folder


class Parts:
    """The parts of one service, built room by room.

    Some parts need each other. One that needs a part built later gets a function that looks it up
    here.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what all parts are built from
        self,
        settings: Settings,
        topics: Topics,
        storage: Storage,
        engine: Engine,
        lists: ListReader,
        engine_facts: Facts,
        cookies: Cookies,
        *,
        stop: asyncio.Event,
        restarts: bool,
    ) -> None:
        self.settings = settings
        self.topics = topics
        self.storage = storage
        self.store = storage.store
        self.preferences = Preferences(settings)
        self.replies = ReplyTopics(topics, settings.homeassistant)
        self._build_jobs(engine, lists)
        self._build_mqtt()
        self._build_holds()
        self._build_watches(stop)
        self._build_updates(engine_facts, stop, restarts=restarts)
        self._build_commands(cookies)
        self._build_facts(engine_facts)
        self.store.on_commit(self._changed)

    def _build_subscriptions(self, engine: Engine, lists: ListReader) -> None:
        queue = ItemQueue(self.jobs, self.settings, self.preferences, now)
        self.following = Following(self.jobs, queue, self.settings, title_patterns.matches, now)
        self.declared = Declared(self.following, self.settings)
        readings = ListReadings(lists, engine.control, temp_folder(self.settings), now)
        # The library's retention acts on titles.
        enabled = not self.settings.library.enabled
        expiry = Expiry(self.store, self.jobs, self.storage.root, now, enabled=enabled)
        self.checker = Checker(
            self.store,
            self.following,
            queue,
            readings,
            expiry,
            self.settings,
            answer=partial(answer_subscribe, self.topics, now),
            is_lost=lambda: self.storage.lost,
        )

    def _build_jobs(self, engine: Engine, lists: ListReader) -> None:
        downloads = self.settings.downloads
        self.limits = Limits(self.preferences, downloads.sites)
        self.jobs = Jobs(
            self.topics,
            self.preferences,
            retry_delay=downloads.retry_delay,
            upcoming_wait=downloads.upcoming_wait,
        )
        self.catalogue = Catalogue(self.settings.library, self.jobs, now)
        library = self.settings.library
        self.side_files = SideFiles(self.store, engine, library, self.storage.root)
        self.organizer = Organizer(self.store, self.catalogue, self.storage.root, self.side_files)
        self.library_runs = LibraryRuns(
            self.store, self.catalogue, self.organizer, self.storage.root
        )
        self._build_subscriptions(engine, lists)
        self.retention = Retention(
            self.store,
            self.jobs,
            self.settings.purge,
            root=self.storage.root,
            clock=now,
            check_clock=lambda: self.clock_watch.check(),  # noqa: PLW0108 - built later
        )
        self.pictures = Pictures(engine, lambda: self.publisher.mark(THUMBNAIL))
        self.tiles = Tiles(
            engine,
            lambda: self.publisher.mark(TILES),
            lambda names: self.publisher.mark_lists(names),  # noqa: PLW0108 - built later
        )
        self.publisher = Publisher(self._sources())
        self.runner = Runner(
            self.store,
            self.jobs,
            engine,
            self.publisher,
            self.preferences,
            self.topics,
            root=self.storage.root,
            temp=temp_folder(self.settings),
            downloads=downloads,
            limits=self.limits,
            answer_probe=partial(answer_probe, self.topics, now),
            library=LibraryParts(
                self.catalogue,
                self.side_files,
                Rivals(self.store, self.catalogue, self.organizer, self.storage.root),
            )
            if self.settings.library.enabled
            else None,
            judge=self.following,
            clock=now,
        )

    def _sources(self) -> Sources:
        """Return the sources of the payloads of retained topics."""
        live: dict[str, Progress] = {}
        payloads = ServicePayloads(
            info=lambda: self.facts.info(),  # noqa: PLW0108 - built later
            ytdlp=lambda: Ytdlp.model_validate(self.updates.payload()),
            picture=lambda: self.pictures.picture,
            shows_job=lambda: self.pictures.shows_job,
            on_state=self.pictures.follow,
            tiles=lambda: self.tiles.picture,
            on_tiles=self.tiles.sent,
        )
        summary = StateSummary(
            self.topics,
            self.store,
            lambda: self.facts.state(),  # noqa: PLW0108 - built later
            live,
            now,
        )
        lists = CardLists(
            self.topics,
            self.store,
            CardSources(
                lambda: self.facts.state(),  # noqa: PLW0108 - built later
                lambda: self.facts.card(),  # noqa: PLW0108 - built later
                live,
                self.tiles.tile,
                self.tiles.follow,
                now,
            ),
        )
        return Sources(
            self.topics,
            self.store,
            self.preferences,
            payloads,
            summary,
            lists,
            live,
            MessageLimit(),
            RetainedHistory(self.store, self.settings.mqtt.retained_jobs),
            library=self.settings.library.enabled,
            subscription_switches=self.settings.homeassistant.subscription_switches,
        )

    def _build_mqtt(self) -> None:
        mqtt = self.settings.mqtt
        self.outbox = Outbox(self.store, shortened, self.replies.may_send)
        discovery = Discovery(
            self.settings,
            self.topics,
            self.store,
            commands=CLASSES,
            extras=self._entity_options,
            clock=now,
        )
        presence = PresenceWatch(self.topics, mqtt.node_id, str(self.storage.root))
        self.session = Session(
            mqtt,
            self.topics,
            self.publisher,
            self.outbox,
            Refusals(),
            discovery,
            presence,
            FormerTopics(self.topics, self.store, presence, now),
            ClientIdentity(mqtt, self.store, now),
            self._handle,
            lambda: self.intake.new_session(),  # noqa: PLW0108 - built later
            lambda dropped: self.intake.tell_dropped(dropped),  # noqa: PLW0108 - built later
            lambda sender: self.intake.floods(sender),  # noqa: PLW0108 - built later
            exact_intake=self.topics.exact_intake(CLASSES, self.preferences.values()),
        )

    async def _handle(self, message: Message) -> None:
        await self.intake.handle(message)

    def _entity_options(self) -> dict[str, dict[str, Any]]:
        """Return the options and bounds of Home Assistant's entities that depend on settings."""
        concurrency = self.preferences.describe()["max_concurrent"]
        return {
            "preset": {"options": presets.preset_names(self.settings.downloads)},
            "max_concurrent": {"min": concurrency["minimum"], "max": concurrency["maximum"]},
        }

    def _build_holds(self) -> None:
        self.holds = Holds(self.store, self.runner, self.publisher)
        self.quiet_hours = QuietHours(self.limits, self.runner, self.holds, now)
        self.kept_settings = KeptSettings(
            self.store, self.preferences, self.quiet_hours, partial(self.publisher.mark, INFO)
        )

    def _build_watches(self, stop: asyncio.Event) -> None:
        settings = self.settings.storage
        self.volume_watch = VolumeWatch(
            self.storage,
            self.holds,
            self.kept_settings,
            interrupt=self.runner.interrupt,
            put_back=self.jobs.put_all_back,
            send_event=self._send_event,
            compare_retained=self.session.compare,
            state_changed=partial(self.publisher.mark, STATE),
        )
        self.space = FreeSpace(self.storage, self.holds, settings.min_free, now)
        self.upkeep = Upkeep(
            self.storage,
            settings,
            self.retention,
            self.space,
            library=self._caretaker() if self.settings.library.enabled else None,
            lost_lease=stop.set,
            clock=now,
        )
        self.clock_watch = ClockWatch(
            self.store,
            self.upkeep.clock_was_set,
            self.checker.clock_was_set,
            lambda _: self.runner.wake(),
        )

    def _caretaker(self) -> Caretaker:
        root = self.storage.root
        return Caretaker(
            TitleRetention(self.store, self.catalogue, root),
            MissingLook(self.store, self.catalogue, root),
        )

    def _send_event(self, event: Event) -> None:
        self.outbox.post_unstored(self.topics.event, event.model_dump_json())

    def _build_updates(self, engine_facts: Facts, stop: asyncio.Event, *, restarts: bool) -> None:
        self.switch = YtdlpSwitch(self.storage, self.holds, self.runner.drain, stop)
        self.updates = Updates(
            self.settings,
            self.store,
            folder=fetched_folder(self.settings),
            former=own_folder(self.settings) / YTDLP_FOLDER,
            running=engine_facts.ytdlp,
            online=self.session.online,
            publish=partial(self.publisher.mark, YTDLP),
            # `run --download` ends by itself; the next start uses the new version.
            switch=self.switch.request if restarts else lambda: None,
            clock=now,
        )

    def _build_commands(self, cookies: Cookies) -> None:
        context = Context(
            self.settings,
            self.topics,
            self.store,
            self.jobs,
            self.preferences,
            self.retention,
            self.catalogue,
            self.following,
            cookies,
            clock=now,
            ytdlp_versions=self.updates.versions,
            settings_changed=self.kept_settings.apply,
        )
        self.intake = Intake(context, self.outbox.post_unstored, self.replies)

    def _build_facts(self, engine_facts: Facts) -> None:
        self.facts = ServiceFacts(
            self.settings,
            self.preferences,
            engine_facts,
            self.storage,
            self.holds,
            self.space,
            self.runner,
            self.publisher,
            self.session,
            self.limits,
        )
        self.health = Health(
            signs_paths(self.settings),
            self.facts.signs,
            self.store.probe,
        )

    def _changed(self, changes: Changes) -> None:
        parts = (
            *(self.publisher, self.outbox, self.runner, self.organizer, self.library_runs),
            *(self.checker, self.holds, self.updates),
        )
        for part in parts:
            part.changed(changes)
