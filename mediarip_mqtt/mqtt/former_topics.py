"""Clears what the service retained below an earlier base topic.

The store keeps the base topics in use: the broker does not say which ones were this service's.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.errors import SubscriptionError
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.presence import PresenceWatch, is_online
from mediarip_mqtt.store import Store

KEY: Final = "base_topics"  # in the store's table `config`
_AT_ONCE: Final = 20  # publications that wait for their acknowledgement

logger = logging.getLogger(__name__)


class FormerTopics:
    """Cleans up once after each change of the base topic."""

    def __init__(
        self, topics: Topics, store: Store, presence: PresenceWatch, clock: Callable[[], datetime]
    ) -> None:
        self._topics = topics
        self._store = store
        self._presence = presence
        self._clock = clock

    async def clear(self, link: Link) -> None:
        """Clear the topics below earlier base topics, unless another service now uses them.

        Raises `StoreError` or `LinkError`; then call it again.
        """
        known = await self._store.read(lambda tx: tx.config().get(KEY))
        bases = set(json.loads(known)) if known else set()
        await self._remember({*bases, self._topics.base}, known)
        for base in sorted(bases - {self._topics.base}):
            await self._clear(link, Topics(base))
        if bases - {self._topics.base}:
            await self._remember({self._topics.base}, None)

    async def _clear(self, link: Link, former: Topics) -> None:
        # The session at the broker has kept the subscriptions.
        await link.unsubscribe(*former.intake, *former.retained, former.presence)
        try:
            if await is_online(link, former) and await self._presence.ask(link, former):
                logger.info("mqtt: another service now uses the base topic %s", former.base)
                return
            retained = await link.read_retained(former.retained, len)
        except SubscriptionError as error:
            logger.warning(
                "mqtt: the retained topics below the former base topic %s stay: %s",
                former.base,
                error.message,
            )
            return
        # One base topic may be below the other.
        addresses = [one for one in retained if not one.startswith(f"{self._topics.base}/")]
        if addresses:
            logger.info(
                "mqtt: clearing %d retained topics below the former base topic %s",
                len(addresses),
                former.base,
            )
        for begin in range(0, len(addresses), _AT_ONCE):
            batch = addresses[begin : begin + _AT_ONCE]
            await asyncio.gather(*(link.offer(one, "", retain=True) for one in batch))

    async def _remember(self, bases: set[str], known: str | None) -> None:
        value = json.dumps(sorted(bases))
        if value != known:
            await self._store.write(lambda tx: tx.set_config(KEY, value, self._clock()))
