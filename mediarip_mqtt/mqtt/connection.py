"""One connection to a broker: the only module that imports aiomqtt and paho.

aiomqtt 2.5 is kept behind this edge because it needs care: acknowledgement by hand goes through
paho, a disconnect right behind CONNACK goes unnoticed, and a pending publish is not woken by a lost
connection (docs/architecture.md names the experiments).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import BrokerError, LinkError, SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings

RECEIVE_MAXIMUM: Final = 16  # commands the broker may have on the way to us, unacknowledged
MAXIMUM_PACKET: Final = 16 * 2**20  # beyond it the broker drops a message by itself
PACKET_OVERHEAD: Final = 1024  # bytes of header, topic and properties, generously
CONNECT_TIMEOUT: Final = 10.0
PUBLISH_TIMEOUT: Final = 20.0
WATCH_INTERVAL: Final = 1.0
_WRONG_VERSION: Final = {1, 132}  # CONNACK: unacceptable (3.1.1), unsupported (5) protocol version
_FAILURE: Final = 128  # SUBACK: this code and those above
_REFUSED: Final = {4, 5, 134, 135}  # bad user name or password, not authorised

logger = logging.getLogger(__name__)


class CredentialsError(LinkError):
    """The broker refused the user name or password."""


class ProtocolVersionError(LinkError):
    """The broker does not speak this version of MQTT."""


class SilentError(ProtocolVersionError):
    """The broker gave no answer: it does not know this version of MQTT, or it is slow."""


class TakenOverError(LinkError):
    """Another client with the same id connected, and the broker dropped this one."""


@dataclass(frozen=True)
class Message:
    """A message from the broker; ``retain`` and ``dup`` are the packet's flags."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int
    dup: bool
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True)
class Will:
    """What the broker publishes, retained, when the connection is lost."""

    topic: str
    payload: str


class Link:
    """An open connection; made by `connect`."""

    def __init__(self, client: aiomqtt.Client, protocol: str) -> None:
        self.protocol = protocol
        self.session_present = False
        # Takes each retained message (topic, payload) at once where set, instead of `messages`.
        self.take: Callable[[str, bytes], None] | None = None
        self._client = client
        self._paho: Any = client._client  # noqa: SLF001 - aiomqtt offers no manual acknowledgement (its issue 345)
        self._duplicates: set[int] = set()
        self._disconnect_reason: Any = None
        self._maximum_packet: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection stands, asked of the socket's owner itself."""
        return bool(self._paho.is_connected())

    def prepare(self, *, manual_ack: bool) -> None:
        """Set what aiomqtt hides; before connecting."""
        self._paho.manual_ack_set(manual_ack)
        self._client.pending_calls_threshold = 10_000
        inner_message, inner_connect = self._paho.on_message, self._paho.on_connect
        inner_disconnect = self._paho.on_disconnect

        def on_message(client: Any, userdata: Any, message: Any) -> None:
            if self.take is not None:
                if message.retain:
                    self.take(message.topic, message.payload)
                return
            if message.dup:
                self._duplicates.add(message.mid)
            inner_message(client, userdata, message)

        def on_connect(client: Any, userdata: Any, flags: Any, *rest: Any) -> None:
            present = getattr(flags, "session_present", None)
            self.session_present = bool(
                flags.get("session present") if present is None else present
            )
            self._maximum_packet = getattr(rest[-1], "MaximumPacketSize", None)
            inner_connect(client, userdata, flags, *rest)

        def on_disconnect(*arguments: Any) -> None:
            self._disconnect_reason = next(
                (one for one in arguments if hasattr(one, "packetType")), None
            )
            # Where connecting was cancelled, aiomqtt asks the cancelled future what it says.
            with contextlib.suppress(asyncio.CancelledError):
                inner_disconnect(*arguments)

        self._paho.on_message, self._paho.on_connect = on_message, on_connect
        self._paho.on_disconnect = on_disconnect
        self._prepare_writing()

    def _prepare_writing(self) -> None:
        def on_writable(client: Any, _: Any, socket: Any) -> None:
            loop.call_soon_threadsafe(register, client, socket)  # from any thread

        def register(client: Any, socket: Any) -> None:
            # aiomqtt would do so also where the socket was closed since, and fail aloud.
            if socket.fileno() >= 0:
                loop.add_writer(socket.fileno(), write, client)

        def write(client: Any) -> None:
            try:
                client.loop_write()
            except Exception as error:  # noqa: BLE001 - as aiomqtt does: the connection broke
                disconnected: asyncio.Future[None] = self._client._disconnected  # noqa: SLF001 - told to nobody else
                if not disconnected.done():
                    disconnected.set_exception(error)

        loop = asyncio.get_running_loop()
        self._paho.on_socket_register_write = on_writable

    async def subscribe(self, *topics: str, qos: int = 1, as_published: bool = True) -> None:
        """Subscribe; raise `SubscriptionError` where the broker refuses that.

        ``as_published``: messages keep the retain flag they were published with, where MQTT 5
        allows; else the flag tells those that were retained before.
        """
        options: Any = qos
        if self.protocol == "5":
            options = SubscribeOptions(qos=qos, retainAsPublished=as_published)
        codes = await self._call(self._client.subscribe([(topic, options) for topic in topics]))
        refused = [
            topic
            for topic, code in zip(topics, codes, strict=False)
            if getattr(code, "value", code) >= _FAILURE
        ]
        if refused:
            raise SubscriptionError(
                f"The broker does not let this user subscribe to {', '.join(refused)}. Allow it in "
                "the broker's access list."
            )

    async def unsubscribe(self, *topics: str) -> None:
        """Unsubscribe."""
        await self._call(self._client.unsubscribe(list(topics)))

    async def publish(  # noqa: PLR0913 - a publication has these parts
        self,
        topic: str,
        payload: str | bytes | None,
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Publish and wait for the broker's acknowledgement; raise `LinkError` where it is lost.

        What is larger than the broker takes is left out and logged: sent, it would end the
        connection, again and again.
        """
        size = len((payload or "").encode() if not isinstance(payload, bytes) else payload)
        size += len(topic.encode()) + len(correlation or b"") + len((response_topic or "").encode())
        if self._maximum_packet and size + PACKET_OVERHEAD > self._maximum_packet:
            logger.error(
                "mqtt: a message of %d bytes for %s was left out: the broker takes %d. Raise its "
                "limit (Mosquitto: max_packet_size).",
                size,
                topic,
                self._maximum_packet,
            )
            return
        properties = None
        if self.protocol == "5" and (response_topic or correlation):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
            if response_topic:
                properties.ResponseTopic = response_topic
            if correlation:
                properties.CorrelationData = correlation
        await self._call(
            self._client.publish(
                topic,
                payload,
                qos=qos,
                retain=retain,
                properties=properties,
                timeout=PUBLISH_TIMEOUT,
            )
        )

    async def messages(self) -> AsyncIterator[Message]:
        """Yield messages as they arrive; raise `LinkError` when the connection is lost."""
        try:
            async for message in self._client.messages:
                yield self._convert(message)
        except aiomqtt.MqttError as error:
            raise self._lost(error) from None

    def ack(self, message: Message) -> None:
        """Acknowledge a message to the broker; nothing to do for QoS 0 or a lost connection."""
        if message.qos:
            self._paho.ack(message.mid, message.qos)

    async def watch(self) -> None:
        """Raise `LinkError` once the connection is gone, also where aiomqtt does not notice."""
        while self.connected:  # noqa: ASYNC110 - paho tells nobody: that is the reason to look
            await asyncio.sleep(WATCH_INTERVAL)
        raise self._lost(None)

    async def _call(self, awaitable: Any) -> Any:
        """Await a call of aiomqtt, woken by the loss of the connection."""
        task = asyncio.ensure_future(awaitable)
        disconnected: asyncio.Future[Any] = self._client._disconnected  # noqa: SLF001 - a pending call isn't woken otherwise
        try:
            await asyncio.wait({task, disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise self._lost(None)
            return task.result()
        except (aiomqtt.MqttError, ValueError) as error:
            raise self._lost(error) from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            for one in (task, disconnected):
                if one.done() and not one.cancelled():
                    one.exception()  # seen; it would be logged as never retrieved

    def _lost(self, error: Exception | None) -> LinkError:
        if getattr(self._disconnect_reason, "value", None) == 142:  # noqa: PLR2004 - MQTT 5: session taken over
            return TakenOverError(
                "Another MQTT client with the same id connected. Give each service its own "
                "mqtt.node_id."
            )
        return LinkError(f"The connection to the broker was lost ({error or 'no answer'}).")

    def _convert(self, message: aiomqtt.Message) -> Message:
        properties = message.properties
        payload = message.payload
        dup = message.mid in self._duplicates
        self._duplicates.discard(message.mid)
        return Message(
            topic=str(message.topic),
            payload=payload if isinstance(payload, bytes) else str(payload or "").encode(),
            qos=message.qos,
            retain=message.retain,
            mid=message.mid,
            dup=dup,
            response_topic=getattr(properties, "ResponseTopic", None),
            correlation=getattr(properties, "CorrelationData", None),
        )


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """Return the TLS context that the settings ask for; None without TLS."""
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(
            f"The TLS files of the broker can't be read: {error}. Check mqtt.ca_file, "
            "mqtt.cert_file and mqtt.key_file."
        ) from None
    if settings.tls_insecure:
        context.check_hostname = False
    return context


@asynccontextmanager
async def connect(
    settings: MqttSettings, *, identifier: str | None = None, prefer: str | None = None
) -> AsyncIterator[Link]:
    """Open a connection with a session of its own that ends with it (for clients).

    Falls back to MQTT 3.1.1 where the broker refuses 5. Raises `BrokerError`.
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
async def open_link(
    settings: MqttSettings,
    protocol: str,
    *,
    identifier: str | None = None,
    will: Will | None = None,
    persistent: bool = False,
) -> AsyncIterator[Link]:
    """Open a connection with one version of MQTT.

    ``persistent`` keeps the session at the broker, for ``settings.session_expiry`` seconds. A fresh
    client each time: a used one may hold packet ids and messages of the lost connection.
    """
    client = _client(settings, protocol, identifier, will, persistent=persistent)
    link = Link(client, protocol)
    link.prepare(manual_ack=persistent)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        try:
            await _end_of(entering)
        except aiomqtt.MqttError as error:
            raise _explain(error, settings, protocol) from None
        yield link
        # Only a good end takes the will back: after any other the broker shall speak it.
        with contextlib.suppress(aiomqtt.MqttError):
            await _end_of(asyncio.ensure_future(client.__aexit__(None, None, None)))
    finally:
        # Also where aiomqtt gave up waiting: the answer may come late, to nobody.
        entering.add_done_callback(lambda _: client._client._sock_close())  # noqa: SLF001 - without a goodbye


async def _end_of(task: asyncio.Future[Any]) -> None:
    """Wait for a task, which goes on where this is cancelled.

    For aiomqtt's own waits: they use `asyncio.wait_for`, which in Python 3.11 forgets a
    cancellation that comes when the result is there.
    """
    threads.leave(task)
    await asyncio.wait({task})
    task.result()


def _client(
    settings: MqttSettings,
    protocol: str,
    identifier: str | None,
    will: Will | None,
    *,
    persistent: bool,
) -> aiomqtt.Client:
    five = protocol == "5"
    properties = None
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.ReceiveMaximum = RECEIVE_MAXIMUM if persistent else 1000
        properties.MaximumPacketSize = MAXIMUM_PACKET
        properties.SessionExpiryInterval = settings.session_expiry if persistent else 0
    return aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        # aiomqtt's default is FIRST_ONLY for MQTT 5: a restart would wipe the session.
        clean_start=(not persistent) if five else MQTT_CLEAN_START_FIRST_ONLY,  # its only value
        clean_session=None if five else not persistent,
        properties=properties,
        keepalive=settings.keepalive,
        timeout=CONNECT_TIMEOUT,
        max_inflight_messages=50,
        will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
        transport=settings.transport,
        websocket_path=settings.websocket_path if settings.transport == "websockets" else None,
        tls_context=tls_context(settings),
        socket_options=_socket_options(),
    )


def _socket_options() -> list[tuple[int, int, int]]:
    # Without NODELAY a QoS 0 publish waits for Nagle's algorithm; USER_TIMEOUT notices a cut
    # network in 15 s while data is in flight instead of two keep-alive periods.
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000))
    return options


def _explain(error: aiomqtt.MqttError, settings: MqttSettings, protocol: str) -> LinkError:
    where = f"{settings.host}:{settings.port}"
    reason = getattr(error, "rc", None)
    code = getattr(reason, "value", reason)
    # A broker that knows only 3.1.1 may also say nothing to a CONNECT of MQTT 5.
    if protocol == "5" and str(error) == "Operation timed out":
        return SilentError(f"The broker at {where} gives no answer to MQTT 5.")
    if code in _WRONG_VERSION:
        return ProtocolVersionError(f"The broker at {where} does not speak MQTT 5.")
    if code in _REFUSED:
        return CredentialsError(
            f"The broker at {where} refused the user name or password. Check mqtt.username and "
            "mqtt.password (or mqtt.password_file)."
        )
    return LinkError(
        f"The broker at {where} can't be reached ({error}). Check that it runs, and mqtt.host, "
        "mqtt.port and mqtt.tls."
    )
