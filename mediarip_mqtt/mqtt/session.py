"""The service's session at the broker: intake, publication, reconnects.

Losing the broker is a normal state: it is logged once, and its return once. Each connection is a
fresh one on the persistent session, so nothing of a broken connection survives into the next.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from mediarip_mqtt.contract.errors import BrokerError, LinkError, StoreError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import OFFLINE, ONLINE, Topics
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.connection import Link, Message, Will, open_link
from mediarip_mqtt.mqtt.connection_errors import (
    CredentialsError,
    ProtocolVersionError,
    SilentError,
    TakenOverError,
)
from mediarip_mqtt.mqtt.publisher import INFO, JOBS, STATE, Publisher
from mediarip_mqtt.mqtt.retained_scan import digest, read_retained

BACKOFF_FIRST: Final = 0.2
BACKOFF_LIMIT: Final = 30.0
BACKOFF_REFUSED: Final = 60.0  # after refused credentials, or when another client took over
WAR: Final = 3  # short connections in a row that look like two clients with one id
STABLE: Final = 10.0  # seconds of a connection after which the backoff starts anew
STORE_RETRY: Final = 2.0
DRAIN_TIME: Final = 3.0  # seconds for the last publications at shutdown

logger = logging.getLogger(__name__)


class _Finished(Exception):  # noqa: N818 - not an error: ends the group of tasks
    """The last words are said."""


class Announcer(Protocol):
    """Announces the service to a home automation system, beside the topics of its own."""

    async def subscribe(self, link: Link) -> None:
        """Subscribe to what tells that the other side has started."""

    def take(self, message: Message) -> bool:
        """Take a message where it is the announcer's; return whether it was."""

    async def announce(self, link: Link) -> None:
        """Announce, after each connect."""

    async def follow_births(self, link: Link, announced: Callable[[], None]) -> None:
        """Announce again whenever the other side has started."""


class Session:
    """Keeps a connection and runs intake and publication on it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it joins
        self,
        settings: MqttSettings,
        topics: Topics,
        publisher: Publisher,
        announcer: Announcer,
        handle: Callable[[Message], Awaitable[None]],
        new_session: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._publisher = publisher
        self._announcer = announcer
        self._handle = handle
        self._new_session = new_session
        self._protocol: str = settings.protocol
        self._silent = False  # whether the broker gave no answer to MQTT 5 the last time
        self._link: Link | None = None
        self._intake_open = True
        self._intake_task: asyncio.Task[None] | None = None
        self._finish = asyncio.Event()
        self._stale = asyncio.Event()
        self.online = asyncio.Event()
        self.lost_at: float | None = time.monotonic()  # None while there is a connection

    async def respond(self, topic: str, payload: str, correlation: bytes | None) -> None:
        """Publish a reply; return once the broker has it; raise `LinkError` where it is lost."""
        if self._link is None:
            raise LinkError("There is no connection to the broker.")
        await self._link.publish(topic, payload, correlation=correlation)

    async def run(self) -> None:
        """Connect, work, and connect again, until `finish`."""
        backoff, lost, short = BACKOFF_FIRST, False, 0
        while not self._finish.is_set():
            began = time.monotonic()
            floor = 0.0
            try:
                await self._connection(returned=lost)
            except ProtocolVersionError as error:
                if self._other_version(error):
                    continue
                self._say(error, again=lost)
            except (CredentialsError, TakenOverError) as error:
                self._say(error, again=lost and not self.online.is_set())
                floor = BACKOFF_REFUSED
            except BrokerError as error:
                self._say(error, again=lost and not self.online.is_set())
                if not self.online.is_set():
                    self._protocol = self._settings.protocol  # it was not the version
            else:
                return
            finally:
                self._link = None
                self.lost_at = self.lost_at or time.monotonic()
            # After silence 3.1.1 was only a guess.
            self._protocol = self._settings.protocol if self._silent else self._protocol
            lost = True
            brief = self.online.is_set() and time.monotonic() - began < STABLE
            short = short + 1 if brief else 0
            self.online.clear()
            if short >= WAR:
                # Mosquitto 2.0 closes without the reason code "session taken over".
                logger.error(
                    "mqtt: the broker closed %d connections right after they were made. Probably "
                    "another client with the same id connected: give each service its own "
                    "mqtt.node_id. Waiting a minute.",
                    short,
                )
                floor, short = BACKOFF_REFUSED, 0
            if time.monotonic() - began > STABLE:
                backoff = BACKOFF_FIRST
            await self._sleep(max(floor, backoff) * random.uniform(0.5, 1))  # noqa: S311 - jitter
            backoff = min(backoff * 2, BACKOFF_LIMIT)

    def _other_version(self, error: ProtocolVersionError) -> bool:
        """Choose what to try at once; return False where nothing is left."""
        if self._protocol != "5":
            return False
        if isinstance(error, SilentError) and not self._silent:
            self._silent = True
            logger.warning("mqtt: %s Perhaps it is slow: once more.", error.message)
        else:
            logger.warning("mqtt: %s Going on with MQTT 3.1.1.", error.message)
            self._protocol = "3.1.1"
        return True

    async def stop_intake(self) -> None:
        """Take no more commands; the one at hand is carried out."""
        self._intake_open = False
        if self._intake_task is not None and not self._intake_task.done():
            self._intake_task.cancel()

    def compare(self) -> None:
        """Compare what is retained with the store, at once or at the next connection."""
        self._publisher.mark_all()
        self._stale.set()

    async def finish(self) -> None:
        """Publish what is left, say `offline`, and end `run`."""
        self._finish.set()

    async def _connection(self, *, returned: bool) -> None:
        will = Will(self._topics.status, OFFLINE)
        async with open_link(
            self._settings,
            self._protocol,
            identifier=self._settings.node_id,
            will=will,
            persistent=True,
        ) as link:
            if link.protocol == "5":
                self._silent = False
            if not link.session_present:
                await self._new_session()
            # First: a disconnect right behind CONNACK goes unnoticed, a lost SUBACK does not.
            await link.subscribe(*self._topics.intake)
            await self._announcer.subscribe(link)
            self._link, self.lost_at = link, None
            where = f"{self._settings.host}:{self._settings.port}"
            logger.info(
                "mqtt: %s %s (MQTT %s)",
                "reconnected to" if returned else "connected to",
                where,
                link.protocol,
            )
            lost: BaseExceptionGroup[LinkError] | None = None
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(link.watch(), name="mqtt-watch")
                    group.create_task(self._announce(link), name="mqtt-announce")
                    group.create_task(self._last_words(link), name="mqtt-last-words")
                    group.create_task(
                        self._announcer.follow_births(link, self._publisher.mark_all),
                        name="mqtt-births",
                    )
                    group.create_task(self._publisher.run(link), name="mqtt-publish")
                    if self._intake_open:
                        self._intake_task = group.create_task(
                            self._intake(link), name="mqtt-intake"
                        )
                    # One of them ends the group. Waited for here, not in the group's own exit:
                    # there Python 3.11.2 leaves this task half cancelled, and `timeout` fails.
                    await asyncio.Event().wait()
            except* _Finished:
                pass  # said goodbye
            except* LinkError as errors:
                lost = errors  # Python 3.11.2 would wrap what is raised here in a group again
            if lost is not None:
                raise _first(lost)

    async def _announce(self, link: Link) -> None:
        """Show the truth first, then `online`; clear what is retained of jobs that are gone.

        The comparison is made again whenever the store may be another one.
        """
        self._publisher.mark_all()
        for key in (INFO, STATE, JOBS):
            await self._publisher.publish(link, key)
        await link.publish(self._topics.status, ONLINE, retain=True)
        self.online.set()
        await self._announcer.announce(link)
        self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._compare(link)
            except StoreError as error:
                logger.debug("mqtt: the store can't be compared (%s); trying again", error)
                self._stale.set()
                await asyncio.sleep(STORE_RETRY)

    async def _compare(self, link: Link) -> None:
        filters = self._topics.retained_jobs
        try:
            retained = await read_retained(self._settings, link.protocol, filters, digest)
        except BrokerError as error:
            logger.warning("mqtt: retained topics could not be compared: %s", error.message)
            retained = {}
        await self._publisher.reconcile(retained)

    async def _intake(self, link: Link) -> None:
        async for message in link.messages():
            try:
                if not self._announcer.take(message):
                    await self._handle(message)
            except LinkError:
                raise
            except Exception:
                # Acknowledged all the same: delivered again it would fail again, for ever.
                logger.exception("mqtt: a message on %s could not be handled", message.topic)
            fault("before-ack")
            link.ack(message)

    async def _last_words(self, link: Link) -> None:
        await self._finish.wait()
        try:
            async with asyncio.timeout(DRAIN_TIME):
                await self._publisher.drain(link)
        except TimeoutError:
            logger.warning("mqtt: the broker took too long; the rest follows at the next start")
        await link.publish(self._topics.status, OFFLINE, retain=True)
        raise _Finished

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._finish.wait()
        except TimeoutError:
            pass

    def _say(self, error: BrokerError, *, again: bool) -> None:
        log = logger.debug if again else logger.warning
        log("mqtt: %s Trying again.", error.message)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the most telling error of a group."""
    flat: list[BaseException] = []
    for error in group.exceptions:
        flat += [_first(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, TakenOverError)), flat[0])
