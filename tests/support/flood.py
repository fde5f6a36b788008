"""Publishes as fast as a broker takes it; a client of paho would be the bottleneck."""

from __future__ import annotations

import socket
import struct
import uuid

_WINDOW = 20  # publications of QoS 1 before the first acknowledgement
_PUBACK_SIZE = 4


def _text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


class Flood:
    """A client of MQTT 3.1.1."""

    def __init__(self, port: int, user: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        flags, login = (2 | 0xC0, _text(user.encode()) * 2) if user else (2, b"")
        head = _text(b"MQTT") + bytes([4, flags]) + struct.pack(">H", 600)
        body = head + _text(uuid.uuid4().hex.encode()) + login
        self._socket.sendall(bytes([0x10, len(body)]) + body)
        assert self._socket.recv(4)[3] == 0

    def send(self, topic: str, payload: bytes, count: int) -> None:
        """Publish with QoS 0; topic and payload have at most 120 bytes."""
        body = _text(topic.encode()) + payload
        thousand = (bytes([0x30, len(body)]) + body) * 1000
        for _ in range(count // 1000):
            self._socket.sendall(thousand)

    def send_acknowledged(self, topic: str, payload: bytes, count: int) -> None:
        """Publish with QoS 1; topic and payload have at most 120 bytes."""
        for first in range(1, count + 1, _WINDOW):
            packets = bytearray()
            for packet_id in range(first, first + _WINDOW):
                number = struct.pack(">H", packet_id % 65535 + 1)
                body = _text(topic.encode()) + number + payload
                packets += bytes([0x32, len(body)]) + body
            self._socket.sendall(packets)
            missing = _WINDOW * _PUBACK_SIZE
            while missing:
                missing -= len(self._socket.recv(missing))

    def close(self) -> None:
        self._socket.close()
