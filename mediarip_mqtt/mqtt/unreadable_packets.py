"""Discards messages that paho or aiomqtt can't read.

A broker that does not check messages passes on a topic with a wildcard, or one that is not UTF-8.
Not acknowledged, such a message would come again and end each connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


def discard_unreadable(paho: Any) -> None:
    """Have a client of paho log and acknowledge what it can't read; call it before connecting."""
    handle: Callable[[], Any] = paho._handle_publish  # noqa: SLF001 - paho has no hook for it

    def handle_publish() -> Any:
        try:
            return handle()
        except Exception as error:  # noqa: BLE001 - whatever is wrong, it would be wrong again
            packet = bytes(paho._in_packet["packet"])  # noqa: SLF001 - the same
            logger.warning(
                "mqtt: discarded a message that can't be read (%s): %r", error, packet[:100]
            )
            acknowledge(packet)
            return 0

    def acknowledge(packet: bytes) -> None:
        qos = paho._in_packet["command"] >> 1 & 3  # noqa: SLF001 - the same
        length = int.from_bytes(packet[:2], "big")
        packet_id = int.from_bytes(packet[2 + length : 4 + length], "big")
        if qos == 1 and packet_id:
            paho._send_puback(packet_id)  # noqa: SLF001 - the same

    paho._handle_publish = handle_publish  # noqa: SLF001 - the same
