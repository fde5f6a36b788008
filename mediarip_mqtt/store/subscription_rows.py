"""The part of a transaction about subscriptions, requests for them, and stopped sites.

Tables: reads and writes `subscriptions`, `subscription_requests` and `site_stops`; reads
`subscription_counts`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.subscription_models import (
    MAX_INTERVAL,
    CheckMemory,
    ItemState,
    Subscription,
    SubscriptionLibrary,
    WantedDownload,
)
from mediarip_mqtt.store.login_rows import LoginRows
from mediarip_mqtt.store.rows import marks, only

_FIELDS: Final = tuple(name for name in Subscription.model_fields if name != "counts")
_BOOLEANS: Final = frozenset({"enabled"})
# A plan farther away than any can be: the clock was set back since.
FARTHEST_CHECK: Final = timedelta(seconds=MAX_INTERVAL * 1.5)
CLOCK_SLACK: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class SubscriptionRequest:
    """A `subscribe` that is answered once its list was read."""

    id: int
    subscription: Subscription
    dry_run: bool
    session_id: str
    request_id: str | None
    response_topic: str | None
    correlation: bytes | None
    login: str | None = field(default=None, repr=False)  # `user:password` for the URL


@dataclass(frozen=True)
class SiteStop:
    """A site whose checks are stopped; ``stops`` counts those in a row."""

    site: str
    stops: int
    until: datetime


class SubscriptionRows(LoginRows):
    """The subscriptions."""

    def insert_subscription(
        self,
        subscription: Subscription,
        memory: CheckMemory | None = None,
        login: str | None = None,
    ) -> None:
        """Add a subscription."""
        columns = _encode({name: getattr(subscription, name) for name in _FIELDS})
        columns |= _encode(dict(memory or CheckMemory()))
        columns["login"] = self._seal(login) if login else None
        self._connection.execute(
            f"INSERT INTO subscriptions ({', '.join(columns)}) VALUES ({marks(columns)})",  # noqa: S608 - our own column names
            tuple(columns.values()),
        )
        self.changes.subscriptions[subscription.id] = subscription.session_id

    def update_subscription(self, subscription_id: str, **values: Any) -> Subscription:
        """Change fields of a subscription, or of its memory; return it as it is now.

        Raises `LookupError` if there is no such subscription.
        """
        columns = _encode(values)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._connection.execute(
            f"UPDATE subscriptions SET {assignments} WHERE id = ?",  # noqa: S608 - our own column names
            (*columns.values(), subscription_id),
        )
        subscription = self.subscription(subscription_id)
        if subscription is None:
            raise LookupError(subscription_id)
        self.changes.subscriptions[subscription_id] = subscription.session_id
        return subscription

    def touch_subscription(self, subscription: Subscription) -> None:
        """Mark a subscription as changed, as its items have."""
        self.changes.subscriptions[subscription.id] = subscription.session_id

    def delete_subscription(self, subscription: Subscription) -> None:
        """Delete a subscription with its items; its jobs and titles stay."""
        self._connection.execute("DELETE FROM subscriptions WHERE id = ?", (subscription.id,))
        self.changes.subscriptions[subscription.id] = subscription.session_id

    def set_subscription_login(self, subscription_id: str, login: str | None) -> None:
        """Replace the user name and password of a subscription's URL."""
        sealed = self._seal(login) if login else None
        self._connection.execute(
            "UPDATE subscriptions SET login = ? WHERE id = ?", (sealed, subscription_id)
        )

    def subscription_login(self, subscription_id: str) -> str | None:
        """Return the user name and password of a subscription's URL."""
        row = self._row("SELECT login FROM subscriptions WHERE id = ?", subscription_id)
        return self._unseal(row["login"]) if row and row["login"] else None

    def subscription(self, subscription_id: str) -> Subscription | None:
        """Return a subscription by its full id."""
        found = self._subscriptions("id = ?", subscription_id)
        return found[0] if found else None

    def check_memory(self, subscription_id: str) -> CheckMemory:
        """Return what the next check needs to know of earlier ones."""
        row = self._row("SELECT * FROM subscriptions WHERE id = ?", subscription_id)
        if row is None:
            return CheckMemory()
        return CheckMemory(**{name: row[name] for name in CheckMemory.model_fields})

    def subscriptions(self, session_id: str | None = None) -> list[Subscription]:
        """Return all subscriptions, or those of a session, the oldest first."""
        clause, values = only(session_id=session_id)
        return self._subscriptions(f"true{clause} ORDER BY created_at, id", *values)

    def subscriptions_by_prefix(
        self, prefix: str, session_id: str | None, limit: int
    ) -> list[Subscription]:
        """Return subscriptions whose ids begin with a text."""
        clause, values = only(session_id=session_id)
        return self._subscriptions(
            f"id >= ? AND id < ?{clause} ORDER BY id LIMIT ?",
            prefix,
            prefix + "\x7f",
            *values,
            limit,
        )

    def subscription_of_url(self, url: str, session_id: str) -> Subscription | None:
        """Return a session's subscription of a URL."""
        found = self._subscriptions("url = ? AND session_id = ? LIMIT 1", url, session_id)
        return found[0] if found else None

    def declared_subscriptions(self) -> dict[str, Subscription]:
        """Return the subscriptions of the configuration file, by their names there."""
        found = self._subscriptions("declared IS NOT NULL")
        return {str(subscription.declared): subscription for subscription in found}

    def count_subscriptions(self, session_id: str | None = None) -> int:
        """Return how many subscriptions and requests for them there are, or a session has."""
        row = self._row(
            "SELECT (SELECT count(*) FROM subscriptions WHERE ?1 IS NULL OR session_id = ?1) + "
            "(SELECT count(*) FROM subscription_requests WHERE dry_run = 0 "
            "AND (?1 IS NULL OR session_id = ?1)) AS n",
            session_id,
        )
        return int(row["n"]) if row else 0

    def due_subscriptions(self, now: datetime, limit: int) -> list[Subscription]:
        """Return the subscriptions to check, the longest due first.

        One that was checked, or planned, in a future that a wrong clock has made is due.
        """
        return self._subscriptions(
            "enabled = 1 AND (next_check_at IS NULL OR next_check_at <= ? OR next_check_at > ? "
            "OR last_checked_at > ?) ORDER BY next_check_at, id LIMIT ?",
            utc_iso(now),
            utc_iso(now + FARTHEST_CHECK),
            utc_iso(now + CLOCK_SLACK),
            limit,
        )

    def postpone_checks(self, plans: Mapping[str, datetime]) -> None:
        """Change when subscriptions are checked next, by their ids."""
        for subscription_id, moment in plans.items():
            self.update_subscription(subscription_id, next_check_at=moment)

    def subscriptions_with_retention(self) -> list[Subscription]:
        """Return the subscriptions that do not keep everything."""
        return self._subscriptions(
            "keep_last IS NOT NULL OR keep_days IS NOT NULL OR after_watched_days IS NOT NULL"
        )

    # Requests

    def add_subscription_request(self, request: SubscriptionRequest, now: datetime) -> None:
        """Accept a request; its ``id`` is ignored, the store assigns one."""
        self._connection.execute(
            "INSERT INTO subscription_requests (subscription, login, dry_run, session_id, "
            "request_id, response_topic, correlation, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.subscription.model_dump_json(exclude={"counts"}),
                self._seal(request.login) if request.login else None,
                int(request.dry_run),
                request.session_id,
                request.request_id,
                request.response_topic,
                request.correlation,
                utc_iso(now),
            ),
        )
        self.changes.checks = True

    def subscription_requests(self) -> list[SubscriptionRequest]:
        """Return the requests to answer, the oldest first."""
        rows = self._rows("SELECT * FROM subscription_requests ORDER BY id")
        return [
            SubscriptionRequest(
                id=row["id"],
                subscription=Subscription.model_validate_json(row["subscription"]),
                dry_run=bool(row["dry_run"]),
                session_id=row["session_id"],
                request_id=row["request_id"],
                response_topic=row["response_topic"],
                correlation=row["correlation"],
                login=self._unseal(row["login"]) if row["login"] else None,
            )
            for row in rows
        ]

    def end_subscription_request(self, request_id: int) -> bool:
        """Delete an answered request; False if it was answered already."""
        done = self._connection.execute(
            "DELETE FROM subscription_requests WHERE id = ?", (request_id,)
        )
        return done.rowcount > 0

    # Sites

    def site_stops(self) -> dict[str, SiteStop]:
        """Return the sites whose checks are or were stopped, by name."""
        rows = self._rows("SELECT * FROM site_stops")
        stops = [
            SiteStop(row["site"], row["stops"], datetime.fromisoformat(row["until"]))
            for row in rows
        ]
        return {stop.site: stop for stop in stops}

    def stop_site(self, stop: SiteStop) -> None:
        """Note until when a site's checks are stopped."""
        self._connection.execute(
            "INSERT OR REPLACE INTO site_stops (site, stops, until) VALUES (?, ?, ?)",
            (stop.site, stop.stops, utc_iso(stop.until)),
        )

    def forget_site_stop(self, site: str) -> None:
        """Forget that a site's checks were stopped."""
        self._connection.execute("DELETE FROM site_stops WHERE site = ?", (site,))

    # Internal

    def _subscriptions(self, clause: str, *values: Any) -> list[Subscription]:
        rows = self._rows(f"SELECT * FROM subscriptions WHERE {clause}", *values)  # noqa: S608 - fixed clauses, values are bound
        if len(rows) <= 1:
            counted = {row["id"]: self._item_counts(row["id"]) for row in rows}
        else:
            counted = self._all_item_counts()
        return [_decode(row, counted.get(row["id"], {})) for row in rows]

    def _item_counts(self, subscription_id: str) -> dict[ItemState, int]:
        sql = "SELECT * FROM subscription_counts WHERE subscription_id = ? AND n > 0"
        return {ItemState(row["state"]): row["n"] for row in self._rows(sql, subscription_id)}

    def _all_item_counts(self) -> dict[str, dict[ItemState, int]]:
        counted: dict[str, dict[ItemState, int]] = {}
        for row in self._rows("SELECT * FROM subscription_counts WHERE n > 0"):
            counted.setdefault(row["subscription_id"], {})[ItemState(row["state"])] = row["n"]
        return counted


def _encode(values: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            columns[name] = utc_iso(value)
        elif isinstance(value, date):
            columns[name] = value.isoformat()
        elif isinstance(value, Frozen):
            columns[name] = value.model_dump_json(exclude_defaults=True)
        elif name in {"interval", "backfill"} or isinstance(value, StrEnum):
            columns[name] = str(value)
        elif isinstance(value, bool):
            columns[name] = int(value)
        else:
            columns[name] = value
    return columns


def _decode(row: sqlite3.Row, counts: Mapping[ItemState, int]) -> Subscription:
    values = {name: row[name] for name in _FIELDS}
    values |= {name: bool(values[name]) for name in _BOOLEANS}
    for name in ("interval", "backfill"):
        values[name] = int(row[name]) if row[name].isdecimal() else row[name]
    values["wanted"] = WantedDownload.model_validate_json(row["wanted"])
    if row["library"] is not None:
        values["library"] = SubscriptionLibrary.model_validate_json(row["library"])
    return Subscription(**values, counts=dict(counts))
