"""The service's session with the broker: intake, publication, reconnects.

Losing the broker is normal: the loss is logged once, and the reconnect once. Each connection is a
new client on the persistent MQTT session, so that a broken connection leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from mediarip_mqtt.contract.errors import BrokerError, LinkError, SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import OFFLINE, ONLINE, Topics
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt import reason_codes
from mediarip_mqtt.mqtt.client_identity import ClientIdentity
from mediarip_mqtt.mqtt.connection import Link, Will, open_link
from mediarip_mqtt.mqtt.connection_errors import (
    BusyError,
    CredentialsError,
    LostError,
    ProtocolVersionError,
    RivalError,
    TakenOverError,
    UnprovenError,
    WillError,
)
from mediarip_mqtt.mqtt.contention import STABLE, Contention
from mediarip_mqtt.mqtt.former_session import FormerSession
from mediarip_mqtt.mqtt.former_topics import FormerTopics
from mediarip_mqtt.mqtt.incoming import IncomingQueue, Message
from mediarip_mqtt.mqtt.outage_log import OutageLog
from mediarip_mqtt.mqtt.outbox import Outbox
from mediarip_mqtt.mqtt.presence import PresenceWatch
from mediarip_mqtt.mqtt.protocol_choice import ProtocolChoice
from mediarip_mqtt.mqtt.publisher import INFO, JOBS, STATE, Publisher
from mediarip_mqtt.mqtt.refusals import Refusals
from mediarip_mqtt.mqtt.retained_scan import SCAN_LIMIT, digest
from mediarip_mqtt.mqtt.store_retry import until_store_answers

# Seconds between two attempts to connect.
BACKOFF_FIRST: Final = 0.2
BACKOFF_LIMIT: Final = 30.0
BACKOFF_REFUSED: Final = 60.0  # where an attempt at once would be refused, too
MOVES: Final = 3  # attempts to take over what waits for a former client id
AT_ONCE: Final = 5.0  # seconds from a loss to a connection: the broker was there all the time
COMPARE_AGAIN: Final = 60.0  # seconds, if more was retained than is read at once
REPAIR: Final = 1.0  # seconds for another service to give way, before its changes are undone
DROPS_TOLD: Final = 5.0  # seconds between two reports of dropped messages
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

    ``new_session`` is called if the broker has no MQTT session, before messages arrive; ``dropped``
    every few seconds, with the number of messages that were dropped unread, by sender. ``floods``
    says whether all further messages of a sender are to be dropped so.
    ``exact_intake`` replaces the filters of the intake where a broker allows no wildcards.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        settings: MqttSettings,
        topics: Topics,
        publisher: Publisher,
        outbox: Outbox,
        refusals: Refusals,
        announcer: Announcer,
        presence: PresenceWatch,
        former: FormerTopics,
        identity: ClientIdentity,
        handle: Callable[[Message], Awaitable[None]],
        new_session: Callable[[], Awaitable[None]],
        dropped: Callable[[Mapping[str, int]], None],
        floods: Callable[[str], bool],
        exact_intake: Collection[str] = (),
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._publisher = publisher
        self._outbox = outbox
        self._announcer = announcer
        self._presence = presence
        self._former = former
        self._identity = identity
        self._former_session = FormerSession(topics)
        self._moves = 0  # attempts to take over the former client id's session
        self._handle = handle
        self._new_session = new_session
        self._dropped = dropped
        self._floods = floods
        self._exact_intake = exact_intake
        self._refusals = refusals
        self._will = Will(topics.status, OFFLINE)
        self._given_identifier: str | None = None  # by the broker
        self._said: set[str] = set()  # warnings about the broker's limits
        self._attempts = 0  # since the last connection
        self._link_lost_at = 0.0
        self._suspected = False  # whether a message was the reason of the last loss
        self._choice = ProtocolChoice(settings.protocol)
        self._contention = Contention()
        self._outage = OutageLog()
        self._has_looked = False  # whether no other service was on the base topic
        self._intake_open = True
        self._intake_task: asyncio.Task[None] | None = None
        self._finish = asyncio.Event()
        self._stale = asyncio.Event()
        self._contested = asyncio.Event()
        self.online = asyncio.Event()
        self.lost_at: float | None = time.monotonic()  # None while there is a connection

    @property
    def rival(self) -> str | None:
        """Why this service gives way to another one; None if it does not."""
        return self._contention.problem

    async def run(self) -> None:
        """Connect, and reconnect after each loss, until `finish`."""
        backoff, was_lost = BACKOFF_FIRST, False
        while not self._finish.is_set():
            began = time.monotonic()
            try:
                await self._connection(returned=was_lost)
            except BrokerError as error:
                if not isinstance(error, UnprovenError):
                    self._outage.report(error)
                if isinstance(error, WillError) and self._lower_will(error):
                    continue
                if self._choice.failed(error, was_online=self.online.is_set()):
                    continue
                lasted = time.monotonic() - began
                was_online = self.online.is_set() and not self._suspected
                floor = self._contention.lost(error, lasted=lasted, was_online=was_online)
                if _asks_for_patience(error):
                    floor = BACKOFF_REFUSED
            else:
                return
            finally:
                self.lost_at = self.lost_at or time.monotonic()
            was_lost = True
            self.online.clear()
            if self.rival:
                self._has_looked = False
            if lasted > STABLE:
                backoff = BACKOFF_FIRST
            await self._sleep(max(floor, backoff * random.uniform(0.5, 1)))  # noqa: S311 - jitter
            backoff = min(backoff * 2, BACKOFF_LIMIT)

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

    @asynccontextmanager
    async def _open(self, identifier: str, will: Will | None) -> AsyncIterator[Link]:
        """Open a connection to an MQTT session that the broker keeps; raises `LinkError`."""
        self._attempts += 1
        self._suspected = False
        try:
            async with open_link(
                self._settings,
                self._choice.version,
                identifier=identifier,
                will=will,
                persistent=True,
                refusals=self._refusals,
                incoming=IncomingQueue(self._topics.sender, self._floods),
            ) as link:
                is_proven = self._choice.answered()
                if is_proven:
                    lost_for = time.monotonic() - self._link_lost_at
                    self._refusals.connected(at_once=self._attempts == 1 and lost_for < AT_ONCE)
                    self._attempts = 0
                    yield link
        except LostError as error:
            self._link_lost_at = time.monotonic()
            self._suspected = self._refusals.lost(error.reason, silent=error.silent)
            raise
        if not is_proven:
            raise UnprovenError("The broker answers to MQTT 3.1.1.")

    async def _look(self) -> None:
        """Raise `RivalError` if another service is at work on the base topic.

        A connection of the same client id would end the other one's. Never a clean start: some
        brokers give all clients of a user one id, and the session may be this service's.
        """
        identifier = f"{self._identity.identifier}-look"
        rival: RivalError | None = None
        try:
            async with self._open(identifier, None) as link:
                is_new = not link.session_present
                if is_new:
                    link.end_session()
                rival = await self._presence.look(link)
            if is_new:
                await self._end_session(link, identifier)
        except ProtocolVersionError:
            raise
        except LinkError as error:
            # The broker may allow no other client id, or the connection below fails as well.
            logger.debug("mqtt: could not look for another service: %s", error.message)
        if rival:
            raise rival

    async def _move(self, former: str) -> None:
        """Take over what waits in the session of the former client id."""
        if not self._identity.subscribed:
            async with self._open(self._identity.identifier, None) as link:
                # Some brokers give all clients of a user one id: then there is but one session.
                is_shared = link.session_present
                if not is_shared:
                    await self._subscribe(link)
            if is_shared:
                await until_store_answers(self._identity.has_emptied, "client id")
                return
            await until_store_answers(self._identity.has_subscribed, "client id")
        self._moves += 1
        try:
            async with self._open(former, None) as link:
                if link.session_present:
                    await self._former_session.empty(link, partial(self._take, link))
                link.end_session()
            await self._end_session(link, former)
        except LinkError as error:
            if self._moves < MOVES:
                raise LinkError(error.message) from None
            # The broker refuses this id, or another client holds it.
            logger.warning(
                "mqtt: what waits for the former client id %s can't be taken over: %s",
                former,
                error.message,
            )
        await self._new_session()
        await until_store_answers(self._identity.has_emptied, "client id")

    async def _end_session(self, link: Link, identifier: str) -> None:
        """End the MQTT session of a client that has disconnected from MQTT 3.1.1."""
        if link.protocol != "5":
            async with open_link(self._settings, link.protocol, identifier=identifier):
                pass  # a clean session ends the one that the broker has kept

    async def _connection(self, *, returned: bool) -> None:
        await until_store_answers(self._identity.load, "client id")
        if not self._has_looked:
            await self._look()
        if self._identity.former:
            await self._move(self._identity.former)
        lost: BaseException | None = None
        identifier = self._given_identifier or self._identity.identifier
        async with self._open(identifier, self._will) as link:
            self._has_looked = True
            self._obey(link)
            if not link.session_present:
                await self._new_session()
            # First: aiomqtt misses a disconnect right after CONNACK, but not a missing SUBACK.
            await self._subscribe(link)
            await self._announcer.subscribe(link)
            self.lost_at = None
            where = f"{self._settings.host}:{self._settings.port}"
            logger.info(
                "mqtt: %s %s (MQTT %s)",
                "reconnected to" if returned else "connected to",
                where,
                link.protocol,
            )
            self._outage.over()
            lost = await self._serve(link)
            if lost is not None and not isinstance(lost, RivalError):
                raise lost
        # Disconnected without the will: `offline` would be wrong for the service that goes on.
        if lost is not None:
            raise lost

    async def _serve(self, link: Link) -> BaseException | None:
        """Run all tasks of a connection; return why it was lost, None after `finish`."""
        lost: BaseException | None = None
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
                group.create_task(self._keep_place(link), name="mqtt-presence")
                group.create_task(self._settle(link), name="mqtt-settle")
                group.create_task(self._tell_drops(link), name="mqtt-drops")
                if self._intake_open:
                    self._intake_task = group.create_task(self._intake(link), name="mqtt-intake")
                # One of the tasks ends the group. Wait here, not in the group's `__aexit__`:
                # there Python 3.11.2 leaves this task half cancelled, and `timeout` fails.
                await asyncio.Event().wait()
        except* _Finished:
            pass
        except* LinkError as errors:
            lost = _main_error(errors)  # Python 3.11.2 wraps what is raised here in a group again
        return lost

    async def _keep_place(self, link: Link) -> None:
        """Answer other services on the base topic, and undo what one has changed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._presence.serve(link, self._contested.set), name="mqtt-answers")
            while True:
                await self._contested.wait()
                await asyncio.sleep(REPAIR)
                self._contested.clear()
                if not self._finish.is_set() and self.online.is_set():
                    await link.offer(self._topics.status, ONLINE, retain=True)
                    self.compare()

    async def _settle(self, link: Link) -> None:
        """Do what can wait: clear earlier topics, and note that the connection has lasted."""
        await self.online.wait()
        await until_store_answers(partial(self._former.clear, link), "earlier base topics")
        await asyncio.sleep(STABLE)
        self._contention.settled()

    async def _tell_drops(self, link: Link) -> None:
        while True:
            await asyncio.sleep(DROPS_TOLD)
            self._dropped(link.take_dropped())

    def _lower_will(self, error: WillError) -> bool:
        """Make a will that the broker takes; return False if there is nothing to lower."""
        before = self._will
        if error.reason == reason_codes.RETAIN_NOT_SUPPORTED:
            self._will = replace(before, retain=False)
        else:
            self._will = replace(before, qos=0)
        return self._will != before

    def _obey(self, link: Link) -> None:
        """Follow the broker's limits; log once what does not work because of them."""
        limits = link.limits
        qos = min(self._will.qos, limits.maximum_qos)
        self._will = replace(self._will, qos=qos, retain=self._will.retain and limits.retain)
        self._given_identifier = limits.identifier or self._given_identifier
        for loss in limits.losses(self._settings.session_expiry):
            self._say_once(f"the broker's limits: {loss}")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning("mqtt: %s", text)

    async def _subscribe(self, link: Link) -> None:
        """Subscribe to the commands; go on if the broker allows a part of them."""
        try:
            await link.subscribe(
                *(self._topics.intake if link.limits.wildcards else self._exact_intake)
            )
        except SubscriptionError as error:
            if not error.granted:
                raise
            self._say_once(error.message)

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
        await link.offer(self._topics.status, ONLINE, retain=True)
        self.online.set()
        await self._announcer.announce(link)
        self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            await until_store_answers(partial(self._compare, link), "comparison")

    async def _compare(self, link: Link) -> None:
        topics = self._topics
        filters = (*topics.retained_jobs, *topics.retained_subscriptions, topics.thumbnail)
        try:
            retained = await link.read_retained(filters, digest)
        except SubscriptionError as error:
            logger.warning("mqtt: retained topics can't be compared: %s", error.message)
            retained = {}
        await self._publisher.reconcile(retained)
        logger.debug("mqtt: compared %d retained topics with the store", len(retained))
        if len(retained) >= SCAN_LIMIT:
            # There may be more that has to be cleared, once these are.
            asyncio.get_running_loop().call_later(COMPARE_AGAIN, self._stale.set)

    async def _intake(self, link: Link) -> None:
        async for message in link.messages():
            if self._former_session.has_taken(message):
                link.ack(message)
            else:
                await self._take(link, message)

    async def _take(self, link: Link, message: Message) -> None:
        """Handle a message, then acknowledge it."""
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
        await link.offer(self._topics.status, OFFLINE, retain=True)
        raise _Finished

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._finish.wait()
        except TimeoutError:
            pass


def _asks_for_patience(error: BrokerError) -> bool:
    if isinstance(error, LostError):
        return error.reason in reason_codes.PATIENCE
    return isinstance(error, CredentialsError | BusyError)


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to report from a group that may contain groups."""
    errors = [
        _main_error(error) if isinstance(error, BaseExceptionGroup) else error
        for error in group.exceptions
    ]
    return next(
        (error for error in errors if isinstance(error, TakenOverError | RivalError)), errors[0]
    )
