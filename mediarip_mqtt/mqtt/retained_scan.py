"""Reads the broker's retained messages on a separate connection."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import Link, connect

T = TypeVar("T")
SCAN_QUIET: Final = 0.5  # seconds without a retained message that end a scan


async def read_retained(
    settings: MqttSettings, protocol: str, filters: Iterable[str], keep: Callable[[bytes], T]
) -> dict[str, T]:
    """Read retained messages on a separate connection; see `retained`.

    On the session's connection the messages would reach the intake. Raises `BrokerError`.
    """
    async with connect(settings, prefer=protocol) as link:
        return await retained(link, *filters, keep=keep)


async def retained(link: Link, *filters: str, keep: Callable[[bytes], T]) -> dict[str, T]:
    """Return the retained messages that match the filters: topic to ``keep(payload)``.

    It takes all messages of the connection, which must not be used for anything else. Messages
    published meanwhile are ignored, so that the scan ends even while a service is busy. Raises
    `LinkError`.
    """
    kept: dict[str, T] = {}
    arrived = asyncio.Event()

    def take(topic: str, payload: bytes) -> None:
        if payload:
            kept[topic] = keep(payload)
        arrived.set()

    # No queue: thousands of payloads arrive faster than they are read, and take megabytes.
    link.on_retained = take
    # QoS 0: Mosquitto drops QoS 1 messages beyond max_queued_messages (1000).
    await link.subscribe(*filters, qos=0, as_published=False)
    while True:
        arrived.clear()
        try:
            async with asyncio.timeout(SCAN_QUIET):
                await arrived.wait()
        except TimeoutError:
            return kept


def digest(payload: str | bytes) -> str:
    """Return a short hash for comparing payloads."""
    data = payload.encode() if isinstance(payload, str) else payload
    return hashlib.blake2b(data, digest_size=12).hexdigest()
