"""The service's session with the broker: intake, publication, reconnects.

Losing the broker is normal: the loss is logged once, and the reconnect once. Each connection is a
new client on the persistent MQTT session, so that a broken connection leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from mediarip_mqtt.contract.errors import BrokerError, LinkError
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
from mediarip_mqtt.mqtt.outbox import Outbox
from mediarip_mqtt.mqtt.publisher import INFO, JOBS, STATE, Publisher
from mediarip_mqtt.mqtt.retained_scan import digest, read_retained
from mediarip_mqtt.mqtt.store_retry import until_store_answers

# Seconds between two attempts to connect.
BACKOFF_FIRST: Final = 0.2
BACKOFF_LIMIT: Final = 30.0
BACKOFF_REFUSED: Final = 60.0  # after refused credentials, or when another client took over
WAR: Final = 3  # short connections in a row: probably two clients with the same id
STABLE: Final = 10.0  # seconds; a connection that lasts longer resets the backoff
DRAIN_TIME: Final = 3.0  # seconds for the last publications at shutdown

logger = logging.getLogger(__name__)


class _Finished(Exception):  # noqa: N818 - not an error: ends the group of tasks
    """`offline` is published."""


class Announcer(Protocol):
    """Announces the service to a home automation system, on that system's topics."""

    async def subscribe(self, link: Link) -> None:
        """Subscribe to the birth topic of the other side."""

    def take(self, message: Message) -> bool:
        """Handle a message of the birth topic; return whether it was one."""

    async def announce(self, link: Link) -> None:
        """Publish the announcement; called after each connect."""

    async def follow_births(self, link: Link, announced: Callable[[], None]) -> None:
        """Announce again whenever the other side has started; call ``announced`` each time."""


class Session:
    """Keeps a connection open and runs intake and publication on it.

    ``new_session`` is called if the broker has no MQTT session, before messages arrive.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        settings: MqttSettings,
        topics: Topics,
        publisher: Publisher,
        outbox: Outbox,
        announcer: Announcer,
        handle: Callable[[Message], Awaitable[None]],
        new_session: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._publisher = publisher
        self._outbox = outbox
        self._announcer = announcer
        self._handle = handle
        self._new_session = new_session
        self._protocol: str = settings.protocol
        self._silent = False  # whether the broker did not answer the last CONNECT of MQTT 5
        self._link: Link | None = None
        self._intake_open = True
        self._intake_task: asyncio.Task[None] | None = None
        self._finish = asyncio.Event()
        self._stale = asyncio.Event()
        self.online = asyncio.Event()
        self.lost_at: float | None = time.monotonic()  # None while there is a connection

    async def respond(self, topic: str, payload: str, correlation: bytes | None) -> None:
        """Publish a reply; return once the broker has acknowledged it; raise `LinkError`."""
        if self._link is None:
            raise LinkError("There is no connection to the broker.")
        await self._link.publish(topic, payload, correlation=correlation)

    async def run(self) -> None:
        """Connect, and reconnect after each loss, until `finish`."""
        backoff, was_lost, short = BACKOFF_FIRST, False, 0
        while not self._finish.is_set():
            began = time.monotonic()
            floor = 0.0
            try:
                await self._connection(returned=was_lost)
            except ProtocolVersionError as error:
                if self._other_version(error):
                    continue
                self._log(error, again=was_lost)
            except (CredentialsError, TakenOverError) as error:
                self._log(error, again=was_lost and not self.online.is_set())
                floor = BACKOFF_REFUSED
            except BrokerError as error:
                self._log(error, again=was_lost and not self.online.is_set())
                if not self.online.is_set():
                    self._protocol = self._settings.protocol  # the version was not the reason
            else:
                return
            finally:
                self._link = None
                self.lost_at = self.lost_at or time.monotonic()
            # The broker may only have been slow: try MQTT 5 again.
            self._protocol = self._settings.protocol if self._silent else self._protocol
            was_lost = True
            brief = self.online.is_set() and time.monotonic() - began < STABLE
            short = short + 1 if brief else 0
            self.online.clear()
            if short >= WAR:
                # Mosquitto 2.0 closes without the reason code "session taken over".
                logger.error(
                    "mqtt: the broker closed %d connections right after they were opened. Probably "
                    "another client with the same id connected: give each service its own "
                    "mqtt.node_id. Trying again in a minute.",
                    short,
                )
                floor, short = BACKOFF_REFUSED, 0
            if time.monotonic() - began > STABLE:
                backoff = BACKOFF_FIRST
            await self._sleep(max(floor, backoff) * random.uniform(0.5, 1))  # noqa: S311 - jitter
            backoff = min(backoff * 2, BACKOFF_LIMIT)

    def _other_version(self, error: ProtocolVersionError) -> bool:
        """Choose the version to try next, without a pause; return False if none is left."""
        if self._protocol != "5":
            return False
        if isinstance(error, SilentError) and not self._silent:
            self._silent = True
            logger.warning("mqtt: %s It may be slow: trying once more.", error.message)
        else:
            logger.warning("mqtt: %s Trying MQTT 3.1.1.", error.message)
            self._protocol = "3.1.1"
        return True

    async def stop_intake(self) -> None:
        """Take no more commands.

        A transaction that has begun is committed; its message is redelivered to the next start.
        """
        self._intake_open = False
        if self._intake_task is not None and not self._intake_task.done():
            self._intake_task.cancel()

    def compare(self) -> None:
        """Compare the retained topics with the store, now or at the next connection."""
        self._publisher.mark_all()
        self._outbox.restart()
        self._stale.set()

    async def finish(self) -> None:
        """Have `run` publish what is left, then `offline`, and return."""
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
            # First: aiomqtt misses a disconnect right after CONNACK, but not a missing SUBACK.
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
                    group.create_task(self._say_goodbye(link), name="mqtt-goodbye")
                    group.create_task(
                        self._announcer.follow_births(link, self._publisher.mark_all),
                        name="mqtt-births",
                    )
                    group.create_task(self._publisher.run(link), name="mqtt-publish")
                    group.create_task(self._outbox.run(link), name="mqtt-outbox")
                    if self._intake_open:
                        self._intake_task = group.create_task(
                            self._intake(link), name="mqtt-intake"
                        )
                    # One of the tasks ends the group. Wait here, not in the group's `__aexit__`:
                    # there Python 3.11.2 leaves this task half cancelled, and `timeout` fails.
                    await asyncio.Event().wait()
            except* _Finished:
                pass
            except* LinkError as errors:
                lost = errors  # Python 3.11.2 wraps what is raised here in a group again
            if lost is not None:
                raise _main_error(lost)

    async def _announce(self, link: Link) -> None:
        """Publish the single topics, then `online`; then compare the retained topics of jobs.

        The comparison is repeated whenever the store may have been replaced.
        """
        self._publisher.mark_all()
        self._outbox.restart()
        for topic in (INFO, STATE, JOBS):
            await self._publisher.publish(link, topic)
        if self._finish.is_set():
            return  # `offline` may be on its way, and must be the last word
        await link.publish(self._topics.status, ONLINE, retain=True)
        self.online.set()
        await self._announcer.announce(link)
        self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            await until_store_answers(partial(self._compare, link), "comparison")

    async def _compare(self, link: Link) -> None:
        filters = self._topics.retained_jobs
        try:
            retained = await read_retained(self._settings, link.protocol, filters, digest)
        except BrokerError as error:
            logger.warning("mqtt: retained topics can't be compared: %s", error.message)
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
                # Acknowledge it anyway: redelivered, it would fail again and again.
                logger.exception("mqtt: a message on %s can't be handled", message.topic)
            fault("before-ack")
            link.ack(message)

    async def _say_goodbye(self, link: Link) -> None:
        await self._finish.wait()
        try:
            async with asyncio.timeout(DRAIN_TIME):
                await self._publisher.drain(link)
                await self._outbox.send(link)
        except TimeoutError:
            logger.warning("mqtt: the broker is too slow; the next start publishes the rest")
        await link.publish(self._topics.status, OFFLINE, retain=True)
        raise _Finished

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._finish.wait()
        except TimeoutError:
            pass

    def _log(self, error: BrokerError, *, again: bool) -> None:
        log = logger.debug if again else logger.warning
        log("mqtt: %s Trying again.", error.message)


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to report from a group that may contain groups."""
    errors = [
        _main_error(error) if isinstance(error, BaseExceptionGroup) else error
        for error in group.exceptions
    ]
    return next((error for error in errors if isinstance(error, TakenOverError)), errors[0])
