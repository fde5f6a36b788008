"""Finds another service on the same base topic, and answers when one asks.

A store or a container that was copied has everything of the original, even its id. So each process
has an id of its own, which sorts by start. `status` says whether somebody may be there, and an
answer on the topic `presence` that it is so.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import SubscriptionError
from mediarip_mqtt.contract.models import new_id
from mediarip_mqtt.contract.topic_payloads import Presence
from mediarip_mqtt.contract.topics import ONLINE, Topics
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.connection_errors import RivalError

STATUS_TIME: Final = 0.2  # seconds for the retained `status` to arrive
ANSWER_TIME: Final = 2.0  # seconds for an answer
_LARGEST: Final = 16 * 1024  # bytes of a message that is read
_HEARD_LIMIT: Final = 16  # messages that wait for an answer; further ones are dropped

logger = logging.getLogger(__name__)


class PresenceWatch:
    """Speaks for one process on the topic `presence`."""

    def __init__(self, topics: Topics, node_id: str, storage_root: str) -> None:
        self._topics = topics
        self._instance = new_id()
        self._node_id = node_id
        self._storage_root = storage_root

    async def look(self, link: Link) -> RivalError | None:
        """Return an error that names the service at work on the base topic; None if none is."""
        if not await is_online(link, self._topics):
            return None
        answers = await self.ask(link, self._topics)
        return self._error(answers[0]) if answers else None

    async def ask(self, link: Link, topics: Topics) -> list[Presence]:
        """Return the first answer of another service below a base topic, or an empty list."""
        answers: list[Presence] = []
        answered = asyncio.Event()

        def hear(_: str, payload: bytes, retain: bool) -> None:  # noqa: FBT001 - the flag of the packet
            said = _parse(payload)
            if said and said.kind == "answer" and said.to == self._instance and not retain:
                answers.append(said)
                answered.set()

        with link.arrivals.diverted([topics.presence], hear):
            await _subscribe(link, topics)
            await link.offer(topics.presence, self._say("question"))
            try:
                async with asyncio.timeout(ANSWER_TIME):
                    await answered.wait()
            except TimeoutError:
                pass
            await link.unsubscribe(topics.presence)
        return answers

    async def serve(self, link: Link, contested: Callable[[], None]) -> None:
        """Answer questions; raise `RivalError` if a service that started earlier is online.

        ``contested`` is called if a later one was online: it may have changed retained topics.
        """
        heard: asyncio.Queue[Presence] = asyncio.Queue(_HEARD_LIMIT)

        def hear(_: str, payload: bytes, retain: bool) -> None:  # noqa: FBT001 - the flag of the packet
            said = _parse(payload)
            if said and said.instance != self._instance and not retain and not heard.full():
                heard.put_nowait(said)

        with link.arrivals.diverted([self._topics.presence], hear):
            try:
                await _subscribe(link, self._topics)
            except SubscriptionError as error:
                logger.debug("mqtt: another service would go unnoticed: %s", error.message)
                return
            await link.offer(self._topics.presence, self._say("online"))
            while True:
                await self._react(link, await heard.get(), contested)

    async def _react(self, link: Link, said: Presence, contested: Callable[[], None]) -> None:
        is_older = said.instance < self._instance
        if said.kind != "answer":
            answer = self._say("answer", to=said.instance)
            await link.offer(self._topics.presence, answer)
        elif said.to != self._instance:
            return
        if said.kind == "question":
            return  # the one who asks gives way
        if is_older:
            raise self._error(said)
        if said.kind == "online":
            logger.warning("mqtt: %s It is asked to give way.", _describe(said, self._topics))
            contested()

    def _say(self, kind: str, to: str | None = None) -> str:
        return Presence.model_validate(
            {
                "kind": kind,
                "instance": self._instance,
                "to": to,
                "node_id": self._node_id,
                "host": socket.gethostname(),
                "storage_root": self._storage_root,
            }
        ).model_dump_json()

    def _error(self, rival: Presence) -> RivalError:
        return RivalError(
            f"{_describe(rival, self._topics)} It goes on, and this one gives way. Stop one of "
            "them, or give this one its own mqtt.base_topic and mqtt.node_id."
        )


async def is_online(link: Link, topics: Topics) -> bool:
    """Whether the retained `status` below a base topic says `online`."""
    status = await link.read_retained(
        [topics.status], bytes, quiet=STATUS_TIME, enough=1, largest=_LARGEST
    )
    return status.get(topics.status) == ONLINE.encode()


async def _subscribe(link: Link, topics: Topics) -> None:
    # QoS 0: the broker keeps no question for a service that is offline.
    await link.subscribe(topics.presence, qos=0, own=False)


def _describe(said: Presence, topics: Topics) -> str:
    return (
        f"Another mediarip-mqtt is online below the base topic `{topics.base}`: on host "
        f"{said.host}, with the node id {said.node_id} and the storage {said.storage_root}."
    )


def _parse(payload: bytes) -> Presence | None:
    if len(payload) > _LARGEST:
        return None
    try:
        return Presence.model_validate_json(payload)
    except ValidationError:
        return None
