"""Announces the device to Home Assistant, and takes back what does not hold any more.

What was announced is remembered in the store, so that it can be taken back after a change of the
node id or the discovery prefix; and the broker is asked what it retains, so that entities of an
earlier version go as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from mediarip_mqtt.contract.errors import BrokerError, StoreError, SubscriptionError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import Topics, dumps
from mediarip_mqtt.homeassistant.entities import ORIGIN, device_config
from mediarip_mqtt.store import Store

KEY: Final = "discovery"  # of the store's table `config`
BIRTH: Final = b"online"
BIRTH_DELAY: Final = (0.1, 3.0)  # seconds; all services answer the same birth message

logger = logging.getLogger(__name__)


class Broker(Protocol):
    """The open connection to the broker, as far as discovery needs it."""

    protocol: str

    async def subscribe(self, *topics: str) -> None:
        """Subscribe; raise `SubscriptionError` where the broker refuses that."""

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        """Return once the broker has it; raise `LinkError` where the connection is lost."""


class Incoming(Protocol):
    """A message from the broker; ``retain`` is the packet's flag."""

    @property
    def topic(self) -> str:
        """Where it arrived."""

    @property
    def payload(self) -> bytes:
        """What it holds."""

    @property
    def retain(self) -> bool:
        """Whether it was retained before."""


class ReadRetained(Protocol):
    """Reads what the broker retains on some topics, on a connection of its own."""

    def __call__(
        self, protocol: str, filters: Iterable[str], keep: Callable[[bytes], dict[str, Any]]
    ) -> Awaitable[dict[str, dict[str, Any]]]:
        """Return topic to what ``keep`` makes of the payload; raise `BrokerError`."""


class Discovery:
    """Keeps Home Assistant's picture of the device true."""

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        settings: Settings,
        topics: Topics,
        store: Store,
        *,
        commands: Collection[str],
        extras: Callable[[], Mapping[str, Mapping[str, Any]]],
        read_retained: ReadRetained,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings.homeassistant
        self._mqtt = settings.mqtt
        self._topics = topics
        self._store = store
        self._commands = commands
        self._extras = extras
        self._read_retained = read_retained
        self._clock = clock
        self._born = asyncio.Event()

    @property
    def topic(self) -> str:
        """Where the device is announced."""
        return f"{self._settings.discovery_prefix}/device/{self._mqtt.node_id}/config"

    async def subscribe(self, link: Broker) -> None:
        """Subscribe to the birth message; go on without where the broker refuses that."""
        if self._settings.enabled:
            try:
                await link.subscribe(self._settings.birth_topic)
            except SubscriptionError as error:
                logger.warning("homeassistant: its starts are not noticed: %s", error.message)

    def take(self, message: Incoming) -> bool:
        """Take a message if it is the birth topic's; return whether it was."""
        if not self._settings.enabled or message.topic != self._settings.birth_topic:
            return False
        # A retained one is old news: the device is announced at every connection.
        if message.payload.strip() == BIRTH and not message.retain:
            self._born.set()
        return True

    def config(self) -> dict[str, Any]:
        """Return the discovery message."""
        return device_config(self._topics, self._mqtt.node_id, self._commands, self._extras())

    async def announce(self, link: Broker) -> None:
        """Announce the device, or take it back where discovery is off."""
        config = self.config() if self._settings.enabled else None
        remembered = await self._remembered()
        if config:
            await self._remember({*remembered, self.topic})
        found = await self._ours(link, remembered)
        before = found.pop(self.topic, {})
        for topic in {*found, *remembered} - {self.topic}:
            logger.info("homeassistant: taking back what was announced on %s", topic)
            await link.publish(topic, "", retain=True)
        if config:
            if farewell := _farewell(before, config):
                await self._publish(link, farewell)
            await self._publish(link, config)
        elif before or self.topic in remembered:
            await link.publish(self.topic, "", retain=True)
        await self._remember({self.topic} if config else set())

    async def follow_births(self, link: Broker, announced: Callable[[], None]) -> None:
        """Announce again whenever Home Assistant says that it has started."""
        while True:
            await self._born.wait()
            self._born.clear()
            await asyncio.sleep(random.uniform(*BIRTH_DELAY))  # noqa: S311 - spreads the load
            if self._settings.enabled:
                await self._publish(link, self.config())
                announced()

    async def _publish(self, link: Broker, config: dict[str, Any]) -> None:
        await link.publish(self.topic, dumps(config), retain=True)

    async def _ours(self, link: Broker, remembered: set[str]) -> dict[str, dict[str, Any]]:
        """Return what the broker retains of this device: topic to discovery message."""
        prefix, node = self._settings.discovery_prefix, self._mqtt.node_id
        filters = {self.topic, f"{prefix}/+/{node}/config", f"{prefix}/+/{node}/+/config"}
        try:
            found = await self._read_retained(link.protocol, sorted(filters | remembered), _parse)
        except BrokerError as error:
            logger.warning("homeassistant: old entities could not be looked for: %s", error.message)
            return {}
        return {
            topic: config
            for topic, config in found.items()
            if isinstance(origin := config.get("origin") or config.get("o"), dict)
            and origin.get("name") == ORIGIN
        }

    async def _remembered(self) -> set[str]:
        try:
            text = (await self._store.read(lambda tx: tx.config())).get(KEY)
        except StoreError:
            return set()
        return set(json.loads(text)) if text else set()

    async def _remember(self, topics: set[str]) -> None:
        value = json.dumps(sorted(topics)) if topics else None
        try:
            if value != (await self._store.read(lambda tx: tx.config())).get(KEY):
                await self._store.write(lambda tx: tx.set_config(KEY, value, self._clock()))
        except StoreError as error:
            logger.warning("homeassistant: what was announced could not be noted: %s", error)


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parts(config: dict[str, Any]) -> dict[str, str]:
    """Return the components of a discovery message: key to platform."""
    parts = config.get("components") or config.get("cmps")
    if not isinstance(parts, dict):
        return {}
    platforms = {
        key: part.get("platform") or part.get("p")
        for key, part in parts.items()
        if isinstance(part, dict)
    }
    return {key: one for key, one in platforms.items() if isinstance(one, str)}


def _farewell(before: dict[str, Any], config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the message that removes the entities that are gone; None where there are none.

    It adds nothing: a trigger with a new key would collide with the one that it replaces.
    """
    old, new = _parts(before), _parts(config)
    gone = {key: {"platform": one} for key, one in old.items() if new.get(key) != one}
    if not gone:
        return None
    logger.info("homeassistant: removing the entities %s", ", ".join(sorted(gone)))
    kept = {key: one for key, one in config["components"].items() if key in old and key not in gone}
    return {**config, "components": {**kept, **gone}}
