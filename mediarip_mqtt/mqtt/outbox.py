"""The outbox: replies and events stay in the store until the broker has acknowledged them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.store_retry import until_store_answers
from mediarip_mqtt.store import Changes, Outgoing, Store, Tx

BATCH: Final = 200  # rows
TRIES: Final = 5  # connections that a row may break before it is dropped

logger = logging.getLogger(__name__)


class Outbox:
    """Sends the rows in order, each at least once.

    ``probe`` publishes a harmless message, to verify a connection before a failed row is tried
    again on it.
    """

    def __init__(self, store: Store, probe: Callable[[Link], Awaitable[None]]) -> None:
        self._store = store
        self._probe = probe
        self._sending = asyncio.Lock()
        self._tries: dict[int, int] = {}  # row id to failed attempts to send it
        self._sent: set[int] = set()  # ids of acknowledged rows that are not yet deleted
        self._wake = asyncio.Event()

    def changed(self, changes: Changes) -> None:
        """Send the rows that a transaction posted."""
        if changes.outbox:
            self._wake.set()

    def restart(self) -> None:
        """Start over with the rows in the store; it may be an older copy that reuses row ids."""
        self._sent.clear()
        self._wake.set()

    async def run(self, link: Link) -> None:
        """Send rows as they are posted; raise `LinkError` if the connection is lost."""
        while True:
            self._wake.clear()
            await until_store_answers(partial(self.send, link), "outbox")
            await self._wake.wait()

    async def send(self, link: Link) -> None:
        """Return once no row is left; raise `LinkError` or `StoreError`."""
        async with self._sending:  # `run` and the shutdown must not send a row twice
            try:
                await self._send_rows(link)
            except asyncio.CancelledError:
                self._sent.clear()  # the transaction that deletes them still completes
                raise

    async def _send_rows(self, link: Link) -> None:
        acknowledged = False  # whether the broker has acknowledged anything on this connection
        while rows := await self._store.read(
            # One at a time while a row is suspected of ending connections.
            partial(Tx.outbox, limit=1 if self._tries else BATCH)
        ):
            if self._tries and not acknowledged:
                await self._probe(link)
            for row in rows:
                self._count_try(row)
            unsent = [row for row in rows if row.id not in self._sent]
            # paho sends in the order of the calls; the acknowledgements are awaited together.
            results = await asyncio.gather(
                *(self._send(link, row) for row in unsent), return_exceptions=True
            )
            acknowledged = True
            if done := frozenset(self._sent):
                await self._store.write(partial(Tx.sent, ids=done))
                self._sent -= done
            for error in results:
                if error is not None:
                    raise error
        self._tries.clear()

    def _count_try(self, row: Outgoing) -> None:
        """Count an attempt to send a row; treat the row as sent after too many.

        The first attempt does not count: the connection is not verified then, and other rows are
        sent together with it.
        """
        if row.id in self._sent:
            return
        tries = self._tries.get(row.id, -1) + 1
        self._tries[row.id] = tries
        if tries > TRIES:
            self._sent.add(row.id)
            logger.error(
                "mqtt: dropped a message for %s: the broker closed %d connections on which it was "
                "sent",
                row.topic[:100],
                TRIES,
            )

    async def _send(self, link: Link, row: Outgoing) -> None:
        fault("before-send")
        await link.publish(row.topic, row.payload, correlation=row.correlation)
        self._sent.add(row.id)
        self._tries.pop(row.id, None)
