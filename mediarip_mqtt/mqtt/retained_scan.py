"""What the broker retains: read once, on a connection of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import Link, connect

T = TypeVar("T")
SCAN_QUIET: Final = 0.5  # seconds without a retained topic that end a scan


async def read_retained(
    settings: MqttSettings, protocol: str, filters: Iterable[str], keep: Callable[[bytes], T]
) -> dict[str, T]:
    """Read what the broker retains, on a connection of its own; see `retained`.

    Its messages must not be taken for the intake's. Raises `BrokerError`.
    """
    async with connect(settings, prefer=protocol) as link:
        return await retained(link, *filters, keep=keep)


async def retained(link: Link, *filters: str, keep: Callable[[bytes], T]) -> dict[str, T]:
    """Return what the broker retains on some topics: topic to what ``keep`` makes of the payload.

    The connection must be one of its own: what arrives on it is taken. What is published meanwhile
    does not count: of a busy service the end would never come.
    """
    found: dict[str, T] = {}
    arrived = asyncio.Event()

    def take(topic: str, payload: bytes) -> None:
        if payload:
            found[topic] = keep(payload)
        arrived.set()

    # At once: they come faster than a queue is read, and thousands of payloads are megabytes.
    link.on_retained = take
    # QoS 0: of more than max_queued_messages (1000) QoS 1 ones Mosquitto drops the rest.
    await link.subscribe(*filters, qos=0, as_published=False)
    while True:
        arrived.clear()
        try:
            async with asyncio.timeout(SCAN_QUIET):
                await arrived.wait()
        except TimeoutError:
            return found


def digest(payload: str | bytes) -> str:
    """Return what a payload is recognised by."""
    data = payload.encode() if isinstance(payload, str) else payload
    return hashlib.blake2b(data, digest_size=12).hexdigest()
