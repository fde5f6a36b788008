"""Takes over what waits in the MQTT session of a former client id: nothing is lost, or done twice.

First the new session subscribes. Then a marker is published, which both sessions get: what comes
before it is taken from the former session, and what comes after it from the new one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from mediarip_mqtt.contract.errors import RefusedError
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.incoming import Message

QUIET: Final = 5.0  # seconds without a message that end the former session if there is no marker
_Key = tuple[str, bytes, str | None, bytes | None]

logger = logging.getLogger(__name__)


class FormerSession:
    """Empties the former session, and knows what the new one delivers again."""

    def __init__(self, topics: Topics) -> None:
        self._markers = topics.command_for("moved-")  # how they all begin
        self._marker = ""
        self._taken: Counter[_Key] = Counter()

    async def empty(self, link: Link, take: Callable[[Message], Awaitable[None]]) -> None:
        """Take all messages that were sent before the marker; raise `LinkError`."""
        self._marker = f"{self._markers}{secrets.token_hex(8)}"
        try:
            await link.publish(self._marker, "")
        except RefusedError as error:
            logger.debug("mqtt: no marker: %s", error.message)
        messages = link.messages()
        while True:
            try:
                async with asyncio.timeout(QUIET):
                    message = await anext(messages)
            except TimeoutError:
                return
            if message.topic.startswith(self._markers):
                link.ack(message)
                if message.topic == self._marker:
                    break
                continue
            self._taken[_key(message)] += 1
            await take(message)
        count = self._taken.total()
        logger.info("mqtt: took over %d messages of the session of the former client id", count)

    def has_taken(self, message: Message) -> bool:
        """Whether a message of the new session was taken from the former one, or is the marker."""
        if message.topic.startswith(self._markers):
            if message.topic == self._marker:
                self._taken.clear()
            return True
        if not self._taken:
            return False
        key = _key(message)
        if not self._taken[key]:
            return False
        self._taken[key] -= 1
        return True


def _key(message: Message) -> _Key:
    return message.topic, message.payload, message.response_topic, message.correlation
