"""A broker that a test tells what to refuse, and how: what real brokers do only with plugins."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

CLOSE: Final = -1  # instead of a reason code: close the connection, as MQTT 3.1.1 demands
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14


@dataclass(frozen=True)
class Publication:
    """A message that the broker received."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


def accept(_: str, __: bytes) -> int:
    """Return the reason code for success."""
    return 0


class ScriptedBroker:
    """Answers each packet as the test's functions say; they return reason codes."""

    def __init__(self, **connack: Any) -> None:
        self.connack = connack  # properties of CONNACK
        self.refused: list[int] = []  # codes for the next connections' CONNACK
        self.on_publish: Callable[[str, bytes], int] = accept
        self.on_subscribe: Callable[[str], int] = lambda _: 1
        self.disconnects = False  # refuse by a DISCONNECT with the code, not by an answer
        self.published: list[Publication] = []
        self.subscribed: list[str] = []
        self.wills: list[tuple[int, bool]] = []  # QoS and retain flag of each CONNECT
        self.pings = 0
        self.acknowledged: set[int] = set()  # ids of messages that were sent
        self.most_unanswered = 0
        self.holds_answers = False
        self.connections = 0  # of clients with a will
        self._open: list[socket.socket] = []
        self._services: list[socket.socket] = []
        self._held: list[bytes] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()
        self.close_all()

    def close_all(self) -> None:
        for connection in (*self._open, *self._services):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def topics(self) -> list[str]:
        return [one.topic for one in self.published]

    def send(self, topic: bytes | str, payload: bytes | str, packet_id: int = 1) -> None:
        """Send a message with QoS 1 to the client that connected last, rather one with a will."""
        name = topic.encode() if isinstance(topic, str) else topic
        data = payload.encode() if isinstance(payload, str) else payload
        body = struct.pack(">H", len(name)) + name + struct.pack(">H", packet_id) + b"\0" + data
        self._write((self._services or self._open)[-1], 0x32, body)

    def disconnect(self, code: int, **properties: Any) -> None:
        """End all connections with a reason code."""
        for connection in (*self._open, *self._services):
            packed = _pack(PacketTypes.DISCONNECT, properties)
            with contextlib.suppress(OSError):
                self._write(connection, DISCONNECT << 4, bytes([code]) + packed)
        self.close_all()

    def release(self) -> None:
        """Answer the publications that `holds_answers` has kept waiting."""
        with self._lock:
            held, self._held = self._held, []
        for packet_id in held:
            self._write(self._open[-1], PUBACK << 4, packet_id + b"\0\0")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError), connection.makefile("rb") as file:
            while True:
                first = _exactly(file, 1)[0]
                body = _exactly(file, _length(file))
                kind = first >> 4
                if kind == CONNECT:
                    if not self._connect(connection, body):
                        return
                elif kind == PUBLISH:
                    self._publish(connection, first, body)
                elif kind == SUBSCRIBE:
                    self._subscribe(connection, body)
                elif kind == UNSUBSCRIBE:
                    self._write(connection, UNSUBACK << 4, body[:2] + b"\0\0")
                elif kind == PUBACK:
                    self.acknowledged.add(int.from_bytes(body[:2], "big"))
                elif kind == PINGREQ:
                    self.pings += 1
                    self._write(connection, PINGRESP << 4, b"")
                elif kind == DISCONNECT:
                    return

    def _connect(self, connection: socket.socket, body: bytes) -> bool:
        flags = body[7]
        if flags & 4:
            self.wills.append((flags >> 3 & 3, bool(flags & 0x20)))
        code = self.refused.pop(0) if self.refused else 0
        if flags & 0x20 and self.connack.get("RetainAvailable") == 0:
            code = 0x9A  # the will is retained
        packed = _pack(PacketTypes.CONNACK, {} if code else self.connack)
        if flags & 4:
            self.connections += 1
            self._services.append(connection)
        else:
            self._open.append(connection)
        self._write(connection, CONNACK << 4, bytes([0, code]) + packed)
        return code == 0

    def _publish(self, connection: socket.socket, first: int, body: bytes) -> None:
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        qos = first >> 1 & 3
        packet_id, rest = (rest[:2], rest[2:]) if qos else (b"", rest)
        properties = rest[0]  # always fewer than 128 bytes here
        payload = rest[1 + properties :]
        self.published.append(Publication(topic, payload, qos, bool(first & 1)))
        code = self.on_publish(topic, payload)
        if code and (code == CLOSE or self.disconnects):
            self._refuse(connection, code)
        if not qos:
            return
        with self._lock:
            self._held.append(packet_id)
            self.most_unanswered = max(self.most_unanswered, len(self._held))
            if self.holds_answers:
                return
            self._held.remove(packet_id)
        self._write(connection, PUBACK << 4, packet_id + bytes([code, 0]))

    def _subscribe(self, connection: socket.socket, body: bytes) -> None:
        position, codes = 3 + body[2], []
        while position < len(body):
            length = int.from_bytes(body[position : position + 2], "big")
            topic = body[position + 2 : position + 2 + length].decode()
            position += 3 + length
            self.subscribed.append(topic)
            code = self.on_subscribe(topic)
            if code == CLOSE or (code >= 0x80 and self.disconnects):
                self._refuse(connection, code)
            codes.append(code)
        self._write(connection, SUBACK << 4, body[:2] + b"\0" + bytes(codes))

    def _refuse(self, connection: socket.socket, code: int) -> None:
        if code != CLOSE:
            self._write(connection, DISCONNECT << 4, bytes([code, 0]))
        connection.shutdown(socket.SHUT_RDWR)
        raise EOFError

    def _write(self, connection: socket.socket, first: int, body: bytes) -> None:
        length, rest = bytearray(), len(body)
        while True:
            length.append(rest & 127 | (128 if rest > 127 else 0))
            rest >>= 7
            if not rest:
                break
        connection.sendall(bytes([first]) + bytes(length) + body)


def _pack(kind: int, values: dict[str, Any]) -> bytes:
    properties = Properties(kind)  # type: ignore[no-untyped-call] # paho's
    for name, value in values.items():
        setattr(properties, name, value)
    return bytes(properties.pack())  # type: ignore[no-untyped-call] # paho's


def _exactly(file: Any, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return bytes(data)


def _length(file: Any) -> int:
    value = shift = 0
    while True:
        byte = _exactly(file, 1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value
