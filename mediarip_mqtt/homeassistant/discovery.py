"""Publishes the device for Home Assistant's MQTT discovery, and removes outdated entities.

The store keeps the discovery topics in use, so that they can be cleared after a change of the node
id or the discovery prefix. Retained messages are read, too, to remove entities of earlier versions.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from mediarip_mqtt.contract.errors import RefusedError, StoreError, SubscriptionError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import Topics, dumps
from mediarip_mqtt.homeassistant.discovery_payload import ORIGIN, device_config
from mediarip_mqtt.store import Store

KEY: Final = "discovery"  # in the store's table `config`
BIRTH: Final = b"online"
LARGEST: Final = 128 * 1024  # bytes of a discovery message that is read; ours has 16,000
MOST: Final = 500  # messages that are read
BIRTH_DELAY: Final = (0.1, 3.0)  # seconds, random: all services answer the same birth message

logger = logging.getLogger(__name__)


class Broker(Protocol):
    """An open connection to the broker."""

    async def subscribe(self, *topics: str) -> None:
        """Subscribe; raise `SubscriptionError` if the broker refuses."""

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        """Return once the broker has the message; raise `RefusedError` or `LinkError`."""

    async def read_retained(
        self,
        filters: Collection[str],
        keep: Callable[[bytes], dict[str, str] | None],
        *,
        largest: int,
        most: int,
    ) -> dict[str, dict[str, str] | None]:
        """Return ``keep(payload)`` by topic; raise `SubscriptionError` or another `LinkError`.

        Payloads above ``largest`` bytes, and messages above ``most``, are left out.
        """


class Incoming(Protocol):
    """A message from the broker."""

    @property
    def topic(self) -> str:
        """The topic."""

    @property
    def payload(self) -> bytes:
        """The payload."""

    @property
    def retain(self) -> bool:
        """The retain flag: the message was sent before this subscription."""


class Discovery:
    """Keeps the discovery messages up to date."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        settings: Settings,
        topics: Topics,
        store: Store,
        *,
        commands: Collection[str],
        extras: Callable[[], Mapping[str, Mapping[str, Any]]],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings.homeassistant
        self._mqtt = settings.mqtt
        self._library = settings.library.enabled
        self._topics = topics
        self._store = store
        self._commands = commands
        self._extras = extras
        self._clock = clock
        self._born = asyncio.Event()

    @property
    def topic(self) -> str:
        """The device's discovery topic."""
        return f"{self._settings.discovery_prefix}/device/{self._mqtt.node_id}/config"

    async def subscribe(self, link: Broker) -> None:
        """Subscribe to the birth message; continue without it if the broker refuses."""
        if self._settings.enabled:
            try:
                await link.subscribe(self._settings.birth_topic)
            except SubscriptionError as error:
                logger.warning(
                    "homeassistant: restarts of Home Assistant go unnoticed: %s", error.message
                )

    def take(self, message: Incoming) -> bool:
        """Handle a message on the birth topic; return whether it was one."""
        if not self._settings.enabled or message.topic != self._settings.birth_topic:
            return False
        # Ignore a retained one: the device is published at every connection anyway.
        if message.payload.strip() == BIRTH and not message.retain:
            self._born.set()
        return True

    def config(self) -> dict[str, Any]:
        """Return the discovery payload."""
        return device_config(
            self._topics,
            self._mqtt.node_id,
            self._commands,
            self._extras(),
            library=self._library,
            language=self._settings.language,
            subscriptions=self._settings.subscription_switches,
        )

    async def announce(self, link: Broker) -> None:
        """Publish the device and remove outdated entities; remove all if discovery is off."""
        config = self.config() if self._settings.enabled else None
        remembered = await self._remembered()
        if config:
            await self._remember({*remembered, self.topic})
        retained = await self._own_messages(link, remembered)
        previous = retained.pop(self.topic, None)
        for topic in {*retained, *remembered} - {self.topic}:
            logger.info("homeassistant: clearing the outdated discovery topic %s", topic)
            await self._publish(link, topic, "")
        if config:
            if previous and (removal := _removal(previous, config)):
                await self._publish(link, self.topic, dumps(removal))
            await self._publish(link, self.topic, dumps(config))
        elif previous is not None or self.topic in remembered:
            await self._publish(link, self.topic, "")
        await self._remember({self.topic} if config else set())

    async def follow_births(self, link: Broker, announced: Callable[[], None]) -> None:
        """Publish the device again whenever Home Assistant has started."""
        while True:
            await self._born.wait()
            self._born.clear()
            await asyncio.sleep(random.uniform(*BIRTH_DELAY))  # noqa: S311 - jitter, not a secret
            if self._settings.enabled:
                await self._publish(link, self.topic, dumps(self.config()))
                announced()

    async def _publish(self, link: Broker, topic: str, payload: str) -> None:
        try:
            await link.publish(topic, payload, retain=True)
        except RefusedError as error:  # logged once by the link; the service works without
            logger.debug("homeassistant: %s", error.message)

    async def _own_messages(self, link: Broker, remembered: set[str]) -> dict[str, dict[str, str]]:
        """Return this device's retained discovery messages: topic to `_own_platforms`."""
        prefix, node = self._settings.discovery_prefix, self._mqtt.node_id
        filters = {self.topic, f"{prefix}/+/{node}/config", f"{prefix}/+/{node}/+/config"}
        try:
            retained = await link.read_retained(
                sorted(filters | remembered), _own_platforms, largest=LARGEST, most=MOST
            )
        except SubscriptionError as error:
            logger.warning("homeassistant: could not look for outdated entities: %s", error.message)
            return {}
        return {topic: platforms for topic, platforms in retained.items() if platforms is not None}

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
            logger.warning("homeassistant: could not store the discovery topic: %s", error)


def _own_platforms(payload: bytes) -> dict[str, str] | None:
    """Return the components' platforms in a discovery message; None if it is not this program's.

    Anybody may have left the message: nothing else of it is kept.
    """
    try:
        config = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(config, dict):
        return None
    origin = config.get("origin") or config.get("o")
    if not isinstance(origin, dict) or origin.get("name") != ORIGIN:
        return None
    return _platforms(config)


def _platforms(config: dict[str, Any]) -> dict[str, str]:
    """Return the platform of each component of a discovery message, by its key."""
    components = config.get("components") or config.get("cmps")
    if not isinstance(components, dict):
        return {}
    platforms = {
        key: component.get("platform") or component.get("p")
        for key, component in components.items()
        if isinstance(component, dict)
    }
    return {key: platform for key, platform in platforms.items() if isinstance(platform, str)}


def _removal(old: dict[str, str], config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the message that removes outdated entities; None if there are none.

    ``old`` has the platforms of the retained message's components.

    It adds no entity: a trigger with a new key would collide with the one that it replaces.
    """
    new = _platforms(config)
    gone = {
        key: {"platform": platform} for key, platform in old.items() if new.get(key) != platform
    }
    if not gone:
        return None
    logger.info("homeassistant: removing the entities %s", ", ".join(sorted(gone)))
    kept = {
        key: component
        for key, component in config["components"].items()
        if key in old and key not in gone
    }
    return {**config, "components": {**kept, **gone}}
