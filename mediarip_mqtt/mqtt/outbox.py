"""The outbox: replies and events stay until the broker has acknowledged or refused them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from mediarip_mqtt.contract.errors import RefusedError
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.broker_limits import packet_size
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.store_retry import until_store_answers
from mediarip_mqtt.store import Changes, Outgoing, Store, Tx

BATCH: Final = 200  # rows
TRIES: Final = 5  # of a row that the broker may take later
TRY_INTERVAL: Final = 5.0  # seconds at most between two of them
UNSTORED_LIMIT: Final = 1000  # rows; then the oldest are dropped

logger = logging.getLogger(__name__)


class Outbox:
    """Sends the rows in order, each at least once, until the broker takes or refuses it.

    ``shorten`` makes a shorter payload, of at most so many bytes, for a row that the broker does
    not take for its size; it returns None if there is none. ``may_send`` tells whether a row's
    topic is one of replies or events: others can only come from a store that somebody changed.
    """

    def __init__(
        self,
        store: Store,
        shorten: Callable[[str, int], str | None],
        may_send: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._shorten = shorten
        self._may_send = may_send
        self._sending = asyncio.Lock()
        self._tries: dict[int, int] = {}  # row id to refused attempts to send it
        self._sent: set[int] = set()  # ids of finished rows that are not yet deleted
        self._unstored: deque[Outgoing] = deque(maxlen=UNSTORED_LIMIT)
        self._unstored_id = 0  # negative
        self._wake = asyncio.Event()
        self._unstored_wake = asyncio.Event()

    def changed(self, changes: Changes) -> None:
        """Send the rows that a transaction posted."""
        if changes.outbox:
            self._wake.set()

    def post_unstored(self, topic: str, payload: str, correlation: bytes | None = None) -> None:
        """Send a message while the store can't be used; it is lost if the process ends before."""
        self._unstored_id -= 1
        self._unstored.append(Outgoing(self._unstored_id, topic, payload, correlation))
        self._unstored_wake.set()

    def restart(self) -> None:
        """Start over with the rows in the store; it may be an older copy that reuses row ids."""
        self._sent.clear()
        self._wake.set()

    async def run(self, link: Link) -> None:
        """Send rows as they are posted; raise a group of `LinkError` if the connection is lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_stored(link), name="outbox-stored")
            group.create_task(self._run_unstored(link), name="outbox-unstored")

    async def _run_stored(self, link: Link) -> None:
        while True:
            self._wake.clear()
            await until_store_answers(partial(self._send_stored, link), "outbox")
            await self._wake.wait()

    async def _run_unstored(self, link: Link) -> None:
        while True:
            self._unstored_wake.clear()
            await self._send_unstored(link)
            await self._unstored_wake.wait()

    async def send(self, link: Link) -> None:
        """Return once no row is left; raise `LinkError` or `StoreError`."""
        await self._send_unstored(link)
        await self._send_stored(link)

    async def _send_unstored(self, link: Link) -> None:
        while self._unstored:
            row = self._unstored[0]
            shorter = await self._send(link, row)
            if self._unstored and self._unstored[0] is row:  # not dropped meanwhile
                if row.id in self._sent:
                    self._unstored.popleft()
                elif shorter is not None:
                    self._unstored[0] = replace(row, payload=shorter)
                else:
                    await asyncio.sleep(TRY_INTERVAL)
            self._sent.discard(row.id)

    async def _send_stored(self, link: Link) -> None:
        async with self._sending:  # `run` and the shutdown must not send a row twice
            try:
                await self._send_rows(link)
            except asyncio.CancelledError:
                self._sent.clear()  # the transaction that deletes them still completes
                raise

    async def _send_rows(self, link: Link) -> None:
        while rows := await self._store.read(partial(Tx.outbox, limit=BATCH)):
            unsent = [row for row in rows if row.id not in self._sent]
            # The link sends in the order of the calls; the acknowledgements are awaited together.
            results = await asyncio.gather(
                *(self._send(link, row) for row in unsent), return_exceptions=True
            )
            if done := frozenset(row_id for row_id in self._sent if row_id > 0):
                # After a power cut they are sent once more.
                await self._store.write(partial(Tx.sent, ids=done), durable=False)
                self._sent -= done
            for row, result in zip(unsent, results, strict=True):
                if isinstance(result, BaseException):
                    raise result
                if result is not None:
                    await self._store.write(
                        partial(Tx.replace_payload, row_id=row.id, payload=result)
                    )
            if self._tries.keys() & {row.id for row in unsent}:
                await asyncio.sleep(TRY_INTERVAL)

    async def _send(self, link: Link, row: Outgoing) -> str | None:
        """Send a row; return the payload to send instead if the broker does not take its own."""
        fault("before-send")
        if not self._may_send(row.topic):
            logger.warning("mqtt: the store has a message for %.100r; it is not sent", row.topic)
            self._sent.add(row.id)
            return None
        try:
            await link.publish(row.topic, row.payload, correlation=row.correlation)
        except RefusedError as error:
            frame = packet_size(row.topic, b"", None, row.correlation)
            if error.room > frame and (shorter := self._shorten(row.payload, error.room - frame)):
                return shorter
            tries = self._tries.get(row.id, 0) + 1
            if error.transient and tries < TRIES:
                self._tries[row.id] = tries
                return None
            logger.debug("mqtt: dropped a reply or event: %s", error.message)
        self._tries.pop(row.id, None)
        self._sent.add(row.id)
        return None
