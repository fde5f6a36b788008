"""The part of a transaction about the outbox: events and replies not yet acknowledged.

Tables: reads and writes `outbox`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mediarip_mqtt.contract.events import Event, JobEvent, TitleEvent
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store.rows import Rows

OUTBOX_LIMIT: Final = 100_000  # rows; while the broker stays away the oldest rows are dropped


@dataclass(frozen=True)
class Outgoing:
    """A row of the outbox."""

    id: int
    topic: str
    payload: str
    correlation: bytes | None


class OutboxRows(Rows):
    """The events and replies to send."""

    def emit(self, event: Event, session_id: str = ROOT_SESSION) -> None:
        """Queue an event: one about a job or title goes to its session."""
        receiver = session_id
        if isinstance(event, JobEvent):
            receiver = event.job.session_id
        elif isinstance(event, TitleEvent):
            receiver = event.title.session_id
        topic = self._topics.of(receiver).event
        self._post(topic, event.model_dump_json(), event.at, None, urgent=False)

    def reply(
        self, topic: str, payload: str, now: datetime, correlation: bytes | None = None
    ) -> None:
        """Queue a reply; it is sent before all events, as its receiver waits for it."""
        self._post(topic, payload, now, correlation, urgent=True)

    def _post(
        self, topic: str, payload: str, now: datetime, correlation: bytes | None, *, urgent: bool
    ) -> None:
        row_id = self._connection.execute(
            "INSERT INTO outbox (topic, payload, correlation, created_at, urgent) "
            "VALUES (?, ?, ?, ?, ?)",
            (topic, payload, correlation, utc_iso(now), int(urgent)),
        ).lastrowid
        if row_id and row_id > OUTBOX_LIMIT:
            self._connection.execute("DELETE FROM outbox WHERE id <= ?", (row_id - OUTBOX_LIMIT,))
        self.changes.outbox = True

    def outbox(self, limit: int) -> list[Outgoing]:
        """Return the rows to send next: replies, then events, each the oldest first."""
        rows = self._rows(
            "SELECT id, topic, payload, correlation FROM outbox ORDER BY urgent DESC, id LIMIT ?",
            limit,
        )
        return [Outgoing(**dict(row)) for row in rows]

    def replace_payload(self, row_id: int, payload: str) -> None:
        """Give a row another payload: the broker does not take its own."""
        self._connection.execute("UPDATE outbox SET payload = ? WHERE id = ?", (payload, row_id))

    def sent(self, ids: Collection[int]) -> None:
        """Delete rows that the broker has acknowledged."""
        fault("before-forget-sent")
        self._connection.executemany(
            "DELETE FROM outbox WHERE id = ?", [(row_id,) for row_id in ids]
        )
