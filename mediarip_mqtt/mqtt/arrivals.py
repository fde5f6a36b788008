"""What arrives on a connection: diverted to a scan, queued for the intake, or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from mediarip_mqtt.mqtt.incoming import Acknowledgements, IncomingQueue, Message

Take = Callable[[str, bytes, bool], None]  # called with topic, payload and retain flag
REFUSED_FOR: Final = 0.02  # seconds for which a topic of QoS 0 is refused without another look
ENDS: Final = 8192  # bytes kept at each end of a payload that is too large to be a command
QOS: Final = 0x06  # flags in the first byte of a PUBLISH
DUP: Final = 0x08
RETAIN: Final = 0x01
_NO_TOPIC: Final = b"\0\0"  # no packet begins so


class Arrivals:
    """Takes paho's messages, and PUBLISH packets before paho parses them.

    ``largest``: bytes of a payload that is kept as a whole. ``matches`` is paho's function that
    tells whether a filter matches a topic.
    """

    def __init__(
        self,
        incoming: IncomingQueue,
        acknowledgements: Acknowledgements,
        matches: Callable[[str, str], bool],
        largest: int,
    ) -> None:
        self._incoming = incoming
        self._acknowledgements = acknowledgements
        self._matches = matches
        self._largest = largest
        self._diversions: list[tuple[Collection[str], Take]] = []
        self._refused = _NO_TOPIC  # the beginning of the last packet that was not wanted
        self._refused_topic = ""
        self._refused_until = 0.0

    @contextmanager
    def diverted(self, filters: Collection[str], take: Take) -> Iterator[None]:
        """Pass messages of these topics to ``take``, at once, and not to the queue."""
        diversion = (filters, take)
        self._diversions.append(diversion)
        try:
            yield
        finally:
            self._diversions.remove(diversion)

    def take(self, message: Any) -> None:
        """Take a message of paho's; raise ValueError for a topic with a wildcard."""
        if take := self._diversion(message.topic):
            take(message.topic, message.payload, message.retain)
            self._expect(message)
            self._acknowledgements.handled(message.mid, message.qos)
            return
        converted = self._convert(message)
        self._expect(message)
        self._incoming.put(converted)

    def is_unwanted(self, command: int, packet: bytearray) -> bool:
        """Whether to pass over a PUBLISH; then it is counted, and acknowledged."""
        if command & DUP:
            return False
        if not command & QOS and packet.startswith(self._refused):
            if time.monotonic() < self._refused_until:
                self._incoming.drop(self._refused_topic)
                return True
            self._refused = _NO_TOPIC
        qos, topic, packet_id, begin = _publish_head(command, packet)
        if not self._incoming.refuses(topic, qos, len(packet) - begin) or self._diversion(topic):
            return False
        self._incoming.drop(topic)
        if qos:
            self._acknowledgements.expect(packet_id)
            self._acknowledgements.handled(packet_id, qos)
        else:
            self._refused, self._refused_topic = bytes(packet[:begin]), topic
            self._refused_until = time.monotonic() + REFUSED_FOR
        return True

    def take_beginning(self, command: int, packet: bytearray, cut: int) -> None:
        """Take a PUBLISH that is too large for memory: it gets a reply, and nothing else."""
        qos, topic, packet_id, begin = _publish_head(command, packet)
        payload = bytes(packet[begin:])
        retain, dup = bool(command & RETAIN), bool(command & DUP)
        message = Message(topic, payload, qos, retain, packet_id, dup, cut=cut)
        self._expect(message)
        if set(topic) & set("+#\N{REPLACEMENT CHARACTER}") or self._diversion(topic):
            self._acknowledgements.handled(packet_id, qos)
        elif not qos and self._incoming.refuses(topic, qos, len(payload)):
            self._incoming.drop(topic)
        else:
            self._incoming.put(message)

    def _diversion(self, topic: str) -> Take | None:
        for filters, take in self._diversions:
            if any(self._is_for(wanted, topic) for wanted in filters):
                return take
        return None

    def _is_for(self, wanted: str, topic: str) -> bool:
        """Whether a filter matches a topic; paho's own takes long also without a wildcard."""
        if "+" in wanted or "#" in wanted:
            return self._matches(wanted, topic)
        return wanted == topic

    def _expect(self, message: Any) -> None:
        if message.qos:
            self._acknowledgements.expect(message.mid)

    def _convert(self, message: Any) -> Message:
        """Return paho's message as ours."""
        topic, payload, properties = message.topic, bytes(message.payload), message.properties
        if set(topic) & set("+#"):
            raise ValueError("a wildcard in the topic")
        cut = len(payload) - 2 * ENDS if len(payload) > self._largest else 0
        return Message(
            topic=topic,
            payload=payload[:ENDS] + payload[-ENDS:] if cut > 0 else payload,
            qos=message.qos,
            retain=bool(message.retain),
            mid=message.mid,
            dup=bool(message.dup),
            response_topic=getattr(properties, "ResponseTopic", None),
            correlation=getattr(properties, "CorrelationData", None),
            cut=max(0, cut),
        )


def _publish_head(command: int, packet: bytearray) -> tuple[int, str, int, int]:
    """Return QoS, topic and packet id of a PUBLISH, and where the rest begins."""
    qos = command >> 1 & 3
    begin = 2 + (packet[0] << 8 | packet[1])
    topic = packet[2:begin].decode("utf-8", "replace")
    if not qos:
        return qos, topic, 0, begin
    return qos, topic, packet[begin] << 8 | packet[begin + 1], begin + 2
