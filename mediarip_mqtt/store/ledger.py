"""The part of a transaction beside the jobs: replies, outbox, settings, logs, the lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from mediarip_mqtt.contract.events import Event, JobEvent
from mediarip_mqtt.contract.models import Job, utc_iso
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics
from mediarip_mqtt.fault_points import fault

OUTBOX_LIMIT: Final = 100_000  # rows kept for a broker that stays away; the oldest go beyond it
LOG_LIMIT: Final = 1000  # rows of the error log and of the unsupported URLs


@dataclass
class Changes:
    """What a transaction changed, by key: the publisher's dirty marks; ``jobs``: id to session."""

    jobs: dict[str, str] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)  # sessions whose list of jobs changed
    settings: set[str] = field(default_factory=set)
    queue: bool = False
    outbox: bool = False
    probes: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.settings or self.queue or self.outbox or self.probes)


@dataclass(frozen=True)
class Outgoing:
    """A row of the outbox."""

    id: int
    topic: str
    payload: str
    correlation: bytes | None


@dataclass(frozen=True)
class Probe:
    """An accepted probe that waits for its answer."""

    id: int
    url: str
    session_id: str
    request_id: str | None
    response_topic: str | None
    correlation: bytes | None


class Ledger:
    """What every transaction can do."""

    def __init__(self, connection: sqlite3.Connection, topics: Topics) -> None:
        self._connection = connection
        self._topics = topics
        self.changes = Changes()

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def _row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what happens inside where it raises, and keep the transaction."""
        self._connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO inner")
            self._connection.execute("RELEASE inner")
            raise
        self._connection.execute("RELEASE inner")

    # Requests, deliveries, probes, outbox

    def reply_to_request(self, session_id: str, request_id: str) -> str | None:
        """Return the reply that a request id of a session got."""
        row = self._row(
            "SELECT reply FROM requests WHERE session_id = ? AND request_id = ?",
            session_id,
            request_id,
        )
        return row["reply"] if row else None

    def reply_to_delivery(self, mid: int, digest: str) -> str | None:
        """Return the reply that a redelivered message got."""
        row = self._row("SELECT reply FROM deliveries WHERE mid = ? AND digest = ?", mid, digest)
        return row["reply"] if row else None

    def remember_request(self, session_id: str, request_id: str, reply: str, now: datetime) -> None:
        """Keep the reply to a request id."""
        self._connection.execute(
            "INSERT OR REPLACE INTO requests (session_id, request_id, reply, created_at) "
            "VALUES (?, ?, ?, ?)",
            (session_id, request_id, reply, utc_iso(now)),
        )

    def remember_delivery(self, mid: int, digest: str, reply: str, now: datetime) -> None:
        """Keep the reply to a message until its packet id is used again."""
        self._connection.execute(
            "INSERT OR REPLACE INTO deliveries (mid, digest, reply, created_at) "
            "VALUES (?, ?, ?, ?)",
            (mid, digest, reply, utc_iso(now)),
        )

    def forget_deliveries(self) -> None:
        """Drop the replies to packet ids: the broker has begun to count anew."""
        self._connection.execute("DELETE FROM deliveries")

    def forget_requests(self, before: datetime) -> None:
        """Drop replies that nobody asks for any more."""
        for table in ("requests", "deliveries"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE created_at < ?",  # noqa: S608 - two names of our own
                (utc_iso(before),),
            )

    def forget_sessions(self, before: datetime) -> None:
        """Drop sessions without jobs that were not seen any more."""
        self._connection.execute(
            "DELETE FROM sessions WHERE last_seen < ? "
            "AND NOT EXISTS (SELECT 1 FROM jobs WHERE session_id = sessions.id)",
            (utc_iso(before),),
        )

    def forget_errors(self, before: datetime) -> None:
        """Drop rows of the error log and of the unsupported URLs."""
        for table in ("error_log", "unsupported_urls"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE created_at < ?",  # noqa: S608 - two names of our own
                (utc_iso(before),),
            )

    def add_probe(self, probe: Probe, now: datetime) -> None:
        """Accept a probe."""
        self._connection.execute(
            "INSERT INTO probes (url, session_id, request_id, response_topic, correlation, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                probe.url,
                probe.session_id,
                probe.request_id,
                probe.response_topic,
                probe.correlation,
                utc_iso(now),
            ),
        )
        self.changes.probes = True

    def probes(self) -> list[Probe]:
        """Return the probes that wait, oldest first."""
        rows = self._rows(
            "SELECT id, url, session_id, request_id, response_topic, correlation FROM probes "
            "ORDER BY id"
        )
        return [Probe(**dict(row)) for row in rows]

    def end_probe(self, probe_id: int) -> None:
        """Remove an answered probe."""
        self._connection.execute("DELETE FROM probes WHERE id = ?", (probe_id,))

    def emit(self, event: Event, session_id: str = ROOT_SESSION) -> None:
        """Put an event in the outbox: a job's for its own session, else for ``session_id``."""
        whose = event.job.session_id if isinstance(event, JobEvent) else session_id
        topic = self._topics.of(whose).event
        self._post(topic, event.model_dump_json(), event.at, None, urgent=False)

    def reply(
        self, topic: str, payload: str, now: datetime, correlation: bytes | None = None
    ) -> None:
        """Put a reply in the outbox, before all events: somebody waits for it."""
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
        """Return the rows of the outbox that go next: replies, then events, each in order."""
        rows = self._rows(
            "SELECT id, topic, payload, correlation FROM outbox ORDER BY urgent DESC, id LIMIT ?",
            limit,
        )
        return [Outgoing(**dict(row)) for row in rows]

    def sent(self, ids: Collection[int]) -> None:
        """Remove what the broker has acknowledged."""
        fault("before-forget-sent")
        self._connection.executemany("DELETE FROM outbox WHERE id = ?", [(one,) for one in ids])

    # Settings and logs

    def config(self) -> dict[str, str]:
        """Return the kept settings, as JSON texts."""
        return {row["key"]: row["value"] for row in self._rows("SELECT key, value FROM config")}

    def set_config(self, key: str, value: str | None, now: datetime) -> None:
        """Keep a setting; None drops it."""
        if value is None:
            self._connection.execute("DELETE FROM config WHERE key = ?", (key,))
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO config (key, value, updated_at) VALUES (?, ?, ?)",
                (key, value, utc_iso(now)),
            )
        self.changes.settings.add(key)

    def log_error(self, job: Job, domain: str | None, now: datetime) -> None:
        """Add a failed job to the error log, and an unsupported URL to its list."""
        self._connection.execute(
            "INSERT INTO error_log (url, domain, error, error_code, format_id, media_type, "
            "session_id, job_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job.url,
                domain,
                job.error_message,
                job.error_code,
                job.format_id,
                job.media_type,
                job.session_id,
                job.id,
                utc_iso(now),
            ),
        )
        self._trim("error_log")
        if job.error_code == "unsupported_url":
            self._connection.execute(
                "INSERT INTO unsupported_urls (url, session_id, error, created_at) "
                "VALUES (?, ?, ?, ?)",
                (job.url, job.session_id, job.error_message, utc_iso(now)),
            )
            self._trim("unsupported_urls")

    def _trim(self, table: str) -> None:
        self._connection.execute(
            f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?",  # noqa: S608 - two names of our own
            (LOG_LIMIT,),
        )

    def errors(self, limit: int, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest rows of the error log."""
        return self._newest("error_log", limit, session_id)

    def unsupported(self, limit: int, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest unsupported URLs."""
        return self._newest("unsupported_urls", limit, session_id)

    def _newest(self, table: str, limit: int, session_id: str | None) -> list[dict[str, Any]]:
        whose = "" if session_id is None else "WHERE session_id = ? "
        rows = self._rows(
            f"SELECT * FROM {table} {whose}ORDER BY id DESC LIMIT ?",  # noqa: S608 - two names of our own
            *([session_id] if session_id is not None else []),
            limit,
        )
        return [dict(row) for row in rows]

    # Lease

    def lease(self) -> Mapping[str, str] | None:
        """Return who owns the store."""
        row = self._row("SELECT owner, host, boot_id, heartbeat_at FROM lease WHERE id = 1")
        return dict(row) if row else None

    def take_lease(self, owner: str, host: str, boot_id: str, now: datetime) -> None:
        """Become the owner, or stay it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO lease (id, owner, host, boot_id, heartbeat_at) "
            "VALUES (1, ?, ?, ?, ?)",
            (owner, host, boot_id, utc_iso(now)),
        )

    def drop_lease(self, owner: str) -> None:
        """Stop being the owner."""
        self._connection.execute("DELETE FROM lease WHERE owner = ?", (owner,))
