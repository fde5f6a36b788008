"""One connection to a broker: the only module that imports aiomqtt and paho.

It works around limits of aiomqtt 2.5: manual acknowledgement goes through paho, the reason code of
a PUBACK is ignored, a disconnect right after CONNACK goes unnoticed, and a lost connection does not
wake a pending publish.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import aiomqtt
from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    MQTT_ERR_SUCCESS,
    topic_matches_sub,
)
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import RefusedError, SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt import reason_codes
from mediarip_mqtt.mqtt.arrivals import Arrivals
from mediarip_mqtt.mqtt.broker_limits import BrokerLimits, packet_size
from mediarip_mqtt.mqtt.connection_errors import (
    TIMED_OUT,
    LostError,
    ProtocolVersionError,
    connect_error,
    lost_error,
    refused_subscription,
)
from mediarip_mqtt.mqtt.incoming import Acknowledgements, IncomingQueue, Message
from mediarip_mqtt.mqtt.packet_reader import PacketReader
from mediarip_mqtt.mqtt.refusals import Flow, Refusals
from mediarip_mqtt.mqtt.retained_scan import SCAN_LIMIT, SCAN_QUIET, RetainedScan
from mediarip_mqtt.mqtt.socket_writes import write_when_possible
from mediarip_mqtt.mqtt.transport import socket_options, tls_context
from mediarip_mqtt.mqtt.unreadable_packets import discard_unreadable

T = TypeVar("T")
RECEIVE_MAXIMUM: Final = 16  # commands that the broker may send before the first is acknowledged
CLIENT_RECEIVE_MAXIMUM: Final = 1000  # the same with automatic acknowledgement
MAXIMUM_PACKET: Final = 4 * 2**20  # bytes, or a little more than the largest command
PACKET_FRAME: Final = 64 * 2**10  # bytes of a PUBLISH beside its payload
INFLIGHT: Final = 50  # publications that may wait for the broker's acknowledgement
PENDING_CALLS: Final = 10_000  # above it aiomqtt warns
CONNECT_TIMEOUT: Final = 10.0  # seconds
PUBLISH_TIMEOUT: Final = 20.0  # seconds
WATCH_INTERVAL: Final = 1.0  # seconds

ReasonCode.names = reason_codes.for_all_packets(
    ReasonCode.names,
    (
        PacketTypes.CONNACK,
        PacketTypes.PUBACK,
        PacketTypes.SUBACK,
        PacketTypes.UNSUBACK,
        PacketTypes.DISCONNECT,
    ),
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Will:
    """What the broker publishes, retained, when the connection is lost."""

    topic: str
    payload: str
    qos: int = 1
    retain: bool = True


class Link:
    """An open connection; made by `connect` or `open_link`."""

    def __init__(
        self,
        client: aiomqtt.Client,
        protocol: str,
        refusals: Refusals | None = None,
        *,
        incoming: IncomingQueue | None = None,
        largest: int = MAXIMUM_PACKET,
    ) -> None:
        self.protocol = protocol
        self.limits = BrokerLimits()
        self.session_present = False
        self._client = client
        self._paho: Any = client._client  # noqa: SLF001 - aiomqtt offers no manual acknowledgement (its issue 345)
        self._incoming = incoming or IncomingQueue()
        self._largest_packet = max(MAXIMUM_PACKET, largest + PACKET_FRAME)
        self._acknowledgements = Acknowledgements(self._paho.ack)
        self.arrivals = Arrivals(self._incoming, self._acknowledgements, topic_matches_sub, largest)
        self._scanning = asyncio.Lock()
        self._refusals = refusals or Refusals()
        self._flow = Flow(self._refusals)
        self._answers: dict[int, asyncio.Future[Any]] = {}  # to publications, by packet id
        self._disconnect_reason: Any = None
        self._disconnect_properties: Any = None

    @property
    def connected(self) -> bool:
        """Whether paho still has the connection."""
        # paho's state does not change at a DISCONNECT of the broker, only the socket is closed.
        return bool(self._paho.is_connected()) and self._paho.socket() is not None

    @property
    def _disconnected(self) -> asyncio.Future[None]:
        """The future that aiomqtt resolves at a connection loss; connecting may replace it."""
        return self._client._disconnected  # noqa: SLF001 - aiomqtt reports a loss nowhere else

    def prepare(self, *, manual_ack: bool) -> None:
        """Set options and callbacks of paho that aiomqtt hides; call it before connecting."""
        self.detach_loss()
        self._paho.manual_ack_set(manual_ack)
        reader = PacketReader(
            self._paho,
            self.arrivals.is_unwanted,
            self.arrivals.take_beginning,
            largest=self._largest_packet,
            codes=MQTTErrorCode,
            malformed=MalformedPacket,
        )
        reader.install()
        self._client.pending_calls_threshold = PENDING_CALLS
        discard_unreadable(self._paho)
        inner_connect, inner_disconnect = self._paho.on_connect, self._paho.on_disconnect

        def on_message(_: Any, __: Any, message: Any) -> None:
            self.arrivals.take(message)

        def on_connect(client: Any, userdata: Any, flags: Any, *rest: Any) -> None:
            present = getattr(flags, "session_present", None)
            self.session_present = bool(
                flags.get("session present") if present is None else present
            )
            self.limits = BrokerLimits.from_connack(rest[-1])
            self._flow.open(min(INFLIGHT, self.limits.receive_maximum))
            inner_connect(client, userdata, flags, *rest)

        def on_disconnect(client: Any, userdata: Any, flags: Any, *rest: Any) -> None:
            if flags.is_disconnect_packet_from_server:
                self._disconnect_reason, self._disconnect_properties = rest
            # After a cancelled connect, aiomqtt asks a cancelled future for its exception.
            with contextlib.suppress(asyncio.CancelledError):
                inner_disconnect(client, userdata, flags, *rest)

        def on_publish(_: Any, __: Any, mid: int, code: Any, properties: Any) -> None:
            answer = self._answers.get(mid)
            if answer is not None and not answer.done():
                answer.set_result((code, properties))

        self._paho.on_message, self._paho.on_connect = on_message, on_connect
        self._paho.on_disconnect, self._paho.on_publish = on_disconnect, on_publish
        self._paho.on_socket_register_write = write_when_possible(
            asyncio.get_running_loop(), lambda: self._disconnected
        )

    def detach_loss(self) -> None:
        """Suppress asyncio's "exception was never retrieved" for the loss of the connection.

        Nobody may be waiting for it: a scan of retained topics has all it needs, or `watch` noticed
        the loss first.
        """
        threads.leave(self._disconnected)

    async def read_retained(  # noqa: PLR0913 - what ends a scan, and its bounds
        self,
        filters: Collection[str],
        keep: Callable[[bytes], T],
        *,
        quiet: float = SCAN_QUIET,
        enough: int | None = None,
        largest: int | None = None,
        most: int = SCAN_LIMIT,
    ) -> dict[str, T]:
        """Return the retained messages that match the filters: topic to ``keep(payload)``.

        `messages` yields none of these topics meanwhile. Some brokers also deliver what matches the
        subscriptions of other clients (amqtt 0.12): that is left out. ``quiet``: seconds without a
        retained message that end the scan; ``enough``: number of messages that do. Payloads of more
        than ``largest`` bytes are left out unread, and messages above ``most``. Raises
        `SubscriptionError` or another `LinkError`.
        """
        scan = RetainedScan(keep, quiet, enough, largest=largest, most=most)
        async with self._scanning:
            with self.arrivals.diverted(filters, scan.take):
                try:
                    # QoS 0: Mosquitto drops QoS 1 messages beyond max_queued_messages (1000).
                    await self.subscribe(*filters, qos=0, as_published=False, own=False)
                except SubscriptionError:
                    await self.unsubscribe(*filters)  # those that were not refused
                    raise
                await scan.end()
                await self.unsubscribe(*filters)
        return scan.kept

    async def subscribe(
        self, *topics: str, qos: int = 1, as_published: bool = True, own: bool = True
    ) -> None:
        """Subscribe; raise `SubscriptionError` if the broker refuses.

        ``as_published`` (MQTT 5): messages keep the retain flag they were published with. Otherwise
        the flag marks messages that were retained before the subscription. ``own`` (MQTT 5):
        also receive what this connection publishes.
        """
        options: Any = qos
        if self.protocol == "5":
            options = SubscribeOptions(qos=qos, noLocal=not own, retainAsPublished=as_published)
        reasons = await asyncio.gather(*(self._subscribe(topic, options) for topic in topics))
        refused = {topic: why for topic, why in zip(topics, reasons, strict=True) if why}
        if refused:
            raise refused_subscription(refused, granted=len(refused) < len(topics))

    async def _subscribe(self, topic: str, options: Any) -> str | None:
        """Subscribe to one filter; return why the broker refuses it."""
        if not self.limits.wildcards and set(topic) & set("+#"):
            return "it allows no wildcards"
        try:
            # Some brokers close the connection for a filter: it is left out like a publication.
            async with self._flow.flight(f"SUBSCRIBE {topic}", 1) as flight:
                (code,) = await self._call(self._client.subscribe([(topic, options)]))
                self._refusals.taken(flight)
        except RefusedError:
            return "left out"
        failed = (reason_codes.number(code) or 0) >= reason_codes.FAILURE
        return reason_codes.describe(code) if failed else None

    async def unsubscribe(self, *topics: str) -> None:
        """Unsubscribe; raise `LinkError` if the connection is lost."""
        await self._call(self._client.unsubscribe(list(topics)))

    async def publish(  # noqa: PLR0913 - the parts of a publication
        self,
        topic: str,
        payload: str | bytes | None,
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Return once the broker has acknowledged (QoS 0: once it is sent).

        Raises `RefusedError` if the broker does not take the message, `LinkError` if the connection
        is lost. Retain flag and QoS are lowered to what the broker allows.
        """
        data = (payload or "").encode() if not isinstance(payload, bytes) else payload
        size = packet_size(topic, data, response_topic, correlation)
        if self.limits.maximum_packet and size > self.limits.maximum_packet:
            raise self._refusals.too_large(topic, size, self.limits.maximum_packet)
        properties = None
        if self.protocol == "5" and (response_topic or correlation):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
            if response_topic:
                properties.ResponseTopic = response_topic
            if correlation:
                properties.CorrelationData = correlation
        async with self._flow.flight(topic, size) as flight:
            qos = min(qos, self.limits.maximum_qos)
            flags = (qos, retain and self.limits.retain)
            try:
                code, said = await self._call(self._send(topic, data, *flags, properties))
            except ValueError as error:
                raise self._refusals.refused(flight, None, str(error)) from None
            if (reason_codes.number(code) or 0) >= reason_codes.FAILURE:
                reason = reason_codes.describe(code, said)
                raise self._refusals.refused(flight, code, reason)
            if not qos and flight.known:
                self._refusals.written(flight)
                return
            if not qos:
                # Brokers keep the order: with an answer to whatever follows, it has been taken.
                await self.unsubscribe(topic)
            self._refusals.taken(flight)

    async def offer(self, topic: str, payload: str, *, retain: bool = False) -> bool:
        """Publish what the service can do without; return whether the broker has taken it."""
        try:
            await self.publish(topic, payload, retain=retain)
        except RefusedError as error:  # logged once
            logger.debug("mqtt: %s", error.message)
            return False
        return True

    async def _send(self, *publication: Any) -> tuple[Any, Any]:
        """Publish; return reason code and properties of the broker's PUBACK."""
        info = self._paho.publish(*publication)
        if info.rc != MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc, "Could not publish message")
        answer = self._answers[info.mid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                code, properties = await answer
                return code, properties
        except TimeoutError:
            raise aiomqtt.MqttError(TIMED_OUT) from None
        finally:
            del self._answers[info.mid]

    async def messages(self) -> AsyncIterator[Message]:
        """Yield messages as they arrive; raise `LinkError` when the connection is lost."""
        disconnected = self._disconnected
        disconnected.add_done_callback(lambda _: self._incoming.wake())
        while True:
            while message := self._incoming.take():
                yield message
                await asyncio.sleep(0)  # a message may be handled without a pause
            if disconnected.done():
                error = None if disconnected.cancelled() else disconnected.exception()
                raise self._lost(error if isinstance(error, Exception) else None) from None
            await self._incoming.arrived()

    def ack(self, message: Message) -> None:
        """Acknowledge a message to the broker; no effect for QoS 0 or a lost connection."""
        if message.qos:
            self._acknowledgements.handled(message.mid, message.qos)

    def take_dropped(self) -> Mapping[str, int]:
        """Return how many messages of QoS 0 were dropped since the last call, by sender."""
        return self._incoming.take_dropped()

    def end_session(self) -> None:
        """Have the broker drop the MQTT session at the end of this connection (MQTT 5)."""
        properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.SessionExpiryInterval = 0
        self._paho.disconnect = partial(self._paho.disconnect, properties=properties)

    async def watch(self) -> None:
        """Raise `LinkError` once the connection is lost, even if aiomqtt does not notice."""
        while self.connected:  # noqa: ASYNC110 - paho has no event for it
            await asyncio.sleep(WATCH_INTERVAL)
        raise self._lost(None)

    async def _call(self, awaitable: Any) -> Any:
        """Await a call of aiomqtt until it returns or the connection is lost."""
        task = asyncio.ensure_future(awaitable)
        threads.leave(task)
        disconnected = self._disconnected
        try:
            await asyncio.wait({task, disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise self._lost(None)
            return task.result()
        except aiomqtt.MqttError as error:
            raise self._lost(error) from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _lost(self, error: Exception | None) -> LostError:
        return lost_error(error, self._disconnect_reason, self._disconnect_properties)


@asynccontextmanager
async def connect(
    settings: MqttSettings, *, identifier: str | None = None, prefer: str | None = None
) -> AsyncIterator[Link]:
    """Open a connection whose MQTT session ends with it, for clients.

    Falls back to MQTT 3.1.1 if the broker refuses 5. Raises `BrokerError`.
    """
    protocol = prefer or settings.protocol
    try:
        async with open_link(settings, protocol, identifier=identifier) as link:
            yield link
    except ProtocolVersionError:
        if protocol != "5":
            raise
        async with open_link(settings, "3.1.1", identifier=identifier) as link:
            yield link


@asynccontextmanager
async def open_link(  # noqa: PLR0913 - the parts of a connection
    settings: MqttSettings,
    protocol: str,
    *,
    identifier: str | None = None,
    will: Will | None = None,
    persistent: bool = False,
    refusals: Refusals | None = None,
    incoming: IncomingQueue | None = None,
) -> AsyncIterator[Link]:
    """Open a connection with one version of MQTT; raise `LinkError`.

    ``persistent`` keeps the MQTT session at the broker, for ``settings.session_expiry`` seconds;
    payloads above ``settings.max_payload`` are cut. ``incoming`` holds messages that wait.
    Each connection has a new client: a used one may hold packet ids and messages of the last one.
    """
    # In a thread: the files may be on a volume that hangs.
    tls = await threads.call(tls_context, settings) if settings.tls else None
    client = _client(settings, protocol, identifier, will, tls, persistent=persistent)
    largest = settings.max_payload if persistent else MAXIMUM_PACKET
    link = Link(client, protocol, refusals, incoming=incoming, largest=largest)
    link.prepare(manual_ack=persistent)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        try:
            await _end_of(entering)
        except aiomqtt.MqttError as error:
            raise connect_error(error, settings, protocol) from None
        link.detach_loss()
        yield link
        # Disconnect cleanly only on success; otherwise the broker publishes the will.
        with contextlib.suppress(aiomqtt.MqttError):
            await _end_of(asyncio.ensure_future(client.__aexit__(None, None, None)))
    finally:
        # After connecting has ended: if cancelled here, it continues in aiomqtt's thread.
        entering.add_done_callback(lambda _: client._client._sock_close())  # noqa: SLF001 - closes without DISCONNECT


async def _end_of(task: asyncio.Future[Any]) -> None:
    """Return a task's result; a cancellation of the caller does not cancel the task.

    aiomqtt uses `asyncio.wait_for`, which in Python 3.11 loses a cancellation that arrives together
    with the result.
    """
    threads.leave(task)
    await asyncio.wait({task})
    task.result()


def _client(  # noqa: PLR0913 - the parts of a connection
    settings: MqttSettings,
    protocol: str,
    identifier: str | None,
    will: Will | None,
    tls: ssl.SSLContext | None,
    *,
    persistent: bool,
) -> aiomqtt.Client:
    is_v5 = protocol == "5"
    properties = None
    if is_v5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.ReceiveMaximum = RECEIVE_MAXIMUM if persistent else CLIENT_RECEIVE_MAXIMUM
        properties.MaximumPacketSize = max(MAXIMUM_PACKET, settings.max_payload + PACKET_FRAME)
        properties.SessionExpiryInterval = settings.session_expiry if persistent else 0
    return aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if is_v5 else aiomqtt.ProtocolVersion.V311,
        # aiomqtt's default for MQTT 5, FIRST_ONLY, would wipe the session at a restart; for 3.1.1
        # paho takes no other value.
        clean_start=(not persistent) if is_v5 else MQTT_CLEAN_START_FIRST_ONLY,
        clean_session=None if is_v5 else not persistent,
        properties=properties,
        keepalive=settings.keepalive,
        timeout=CONNECT_TIMEOUT,
        max_inflight_messages=INFLIGHT,
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will else None,
        transport=settings.transport,
        websocket_path=settings.websocket_path if settings.transport == "websockets" else None,
        tls_context=tls,
        socket_options=socket_options(),
    )
