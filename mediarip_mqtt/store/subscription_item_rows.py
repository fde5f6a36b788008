"""The part of a transaction about the items of subscriptions.

Tables: reads and writes `subscription_items`; triggers of the schema keep `subscription_counts`,
and make items follow their jobs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.subscription_models import ItemState, SubscriptionItem
from mediarip_mqtt.store.rows import Rows, marks

_FIELDS: Final = tuple(SubscriptionItem.model_fields)
# A next try farther away than any can be: the clock was set back since.
FARTHEST_TRY: Final = timedelta(days=8)


class SubscriptionItemRows(Rows):
    """The items that were seen in subscriptions; a key is there once in each."""

    def insert_items(self, subscription_id: str, items: Iterable[SubscriptionItem]) -> None:
        """Add items; one whose key is there already is left as it is."""
        columns = ("subscription_id", *_FIELDS)
        self._connection.executemany(
            f"INSERT OR IGNORE INTO subscription_items ({', '.join(columns)}) "  # noqa: S608 - our own column names
            f"VALUES ({marks(columns)})",
            [(subscription_id, *_encode(dict(item)).values()) for item in items],
        )

    def update_item(self, subscription_id: str, item_key: str, **values: Any) -> None:
        """Change fields of an item."""
        columns = _encode(values)
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._connection.execute(
            f"UPDATE subscription_items SET {assignments} "  # noqa: S608 - our own column names
            "WHERE subscription_id = ? AND item_key = ?",
            (*columns.values(), subscription_id, item_key),
        )

    def item(self, subscription_id: str, item_key: str) -> SubscriptionItem | None:
        """Return an item by its key."""
        found = self._items("subscription_id = ? AND item_key = ?", subscription_id, item_key)
        return found[0] if found else None

    def items_of_keys(
        self, subscription_id: str, keys: Collection[str]
    ) -> dict[str, SubscriptionItem]:
        """Return the items with these keys that are known, by key."""
        found = self._items(
            "subscription_id = ? AND item_key IN (SELECT value FROM json_each(?))",
            subscription_id,
            json.dumps(list(keys)),
        )
        return {item.item_key: item for item in found}

    def item_keys(self, subscription_id: str) -> frozenset[str]:
        """Return the keys of all items of a subscription."""
        sql = "SELECT item_key FROM subscription_items WHERE subscription_id = ?"
        return frozenset(row["item_key"] for row in self._rows(sql, subscription_id))

    def newest_rank(self, subscription_id: str) -> int:
        """Return the rank of the newest item, 0 if there is none."""
        sql = "SELECT max(rank) AS rank FROM subscription_items WHERE subscription_id = ?"
        row = self._row(sql, subscription_id)
        return int(row["rank"] or 0) if row else 0

    def items_in(
        self,
        subscription_id: str,
        states: Collection[ItemState] = (),
        limit: int = 100,
        *,
        oldest_first: bool = False,
        before: int | None = None,
    ) -> list[SubscriptionItem]:
        """Return items with these states, or all; ``before`` is the last rank of a page."""
        clause, values = "subscription_id = ?", [subscription_id, *states]
        if states:
            clause += f" AND state IN ({marks(states)})"
        if before is not None:
            clause += f" AND rank {'>' if oldest_first else '<'} ?"
            values.append(before)  # type: ignore[arg-type] # a number beside texts
        order = "ASC" if oldest_first else "DESC"
        return self._items(f"{clause} ORDER BY rank {order} LIMIT ?", *values, limit)

    def items_waiting_for(
        self, subscription_id: str, reason: str, limit: int, *, oldest_first: bool
    ) -> list[SubscriptionItem]:
        """Return waiting items that have a reason, in the order in which they are wanted."""
        order = "ASC" if oldest_first else "DESC"
        return self._items(
            "subscription_id = ? AND state = 'waiting' AND reason = ? "
            f"ORDER BY rank {order} LIMIT ?",
            subscription_id,
            reason,
            limit,
        )

    def count_items(self, subscription_id: str, state: ItemState) -> int:
        """Return how many items of a subscription have a state."""
        row = self._row(
            "SELECT n FROM subscription_counts WHERE subscription_id = ? AND state = ?",
            subscription_id,
            state,
        )
        return int(row["n"]) if row else 0

    def items_to_try(self, now: datetime, limit: int) -> list[tuple[str, SubscriptionItem]]:
        """Return (subscription id, item) of what is tried again now, the longest due first."""
        rows = self._rows(
            "SELECT subscription_items.* FROM subscription_items JOIN subscriptions "
            "ON subscriptions.id = subscription_id AND enabled = 1 WHERE next_try_at IS NOT NULL "
            "AND (next_try_at <= ? OR next_try_at > ?) ORDER BY next_try_at LIMIT ?",
            utc_iso(now),
            utc_iso(now + FARTHEST_TRY),
            limit,
        )
        return [(row["subscription_id"], _decode(row)) for row in rows]

    def subscriptions_with_room(self, queue_ahead: int) -> list[str]:
        """Return the ids of subscriptions with items that wait, and fewer queued ones."""
        rows = self._rows(
            "SELECT waiting.subscription_id FROM subscription_counts AS waiting "
            "LEFT JOIN subscription_counts AS queued "
            "ON queued.subscription_id = waiting.subscription_id AND queued.state = 'queued' "
            "JOIN subscriptions ON subscriptions.id = waiting.subscription_id AND enabled = 1 "
            "WHERE waiting.state = 'waiting' AND waiting.n > 0 AND ifnull(queued.n, 0) < ?",
            queue_ahead,
        )
        return [row["subscription_id"] for row in rows]

    def publication_times(self, subscription_id: str, limit: int) -> list[datetime]:
        """Return when the newest items were published, or else found, the newest first.

        When the first ones were found says nothing.
        """
        rows = self._rows(
            "SELECT ifnull(published_at, first_seen_at) AS at FROM subscription_items "
            "WHERE subscription_id = ?1 AND (published_at IS NOT NULL OR first_seen_at > "
            "(SELECT created_at FROM subscriptions WHERE id = ?1)) ORDER BY rank DESC LIMIT ?2",
            subscription_id,
            limit,
        )
        return sorted((datetime.fromisoformat(row["at"]) for row in rows), reverse=True)

    def expire_older(self, subscription_id: str, keep_last: int) -> None:
        """Give up what waits and is older than the newest items that retention keeps."""
        self._connection.execute(
            "UPDATE subscription_items SET state = 'expired', reason = 'keep_last', "
            "next_try_at = NULL WHERE subscription_id = ?1 AND state IN ('waiting', 'failed') "
            "AND rank <= (SELECT rank FROM subscription_items WHERE subscription_id = ?1 "
            "AND state IN ('waiting', 'queued', 'done', 'failed') "
            "ORDER BY rank DESC LIMIT 1 OFFSET ?2)",
            (subscription_id, keep_last),
        )

    def expire_before(self, subscription_id: str, published: datetime) -> None:
        """Give up what waits and was published before a time."""
        self._connection.execute(
            "UPDATE subscription_items SET state = 'expired', reason = 'keep_days', "
            "next_try_at = NULL WHERE subscription_id = ? AND state IN ('waiting', 'failed') "
            "AND published_at < ?",
            (subscription_id, utc_iso(published)),
        )

    def items_beyond(
        self,
        subscription_id: str,
        *,
        keep_last: int | None = None,
        done_before: datetime | None = None,
        published_before: datetime | None = None,
    ) -> list[SubscriptionItem]:
        """Return the downloaded items that are not among the newest, or older than a time."""
        conditions: list[str] = []
        values: list[Any] = []
        if keep_last is not None:
            conditions.append(
                "rank <= (SELECT rank FROM subscription_items WHERE subscription_id = ? "
                "AND state = 'done' ORDER BY rank DESC LIMIT 1 OFFSET ?)"
            )
            values += [subscription_id, keep_last]
        for column, moment in (
            ("done_at", done_before),
            ("ifnull(published_at, done_at)", published_before),
        ):
            if moment is not None:
                conditions.append(f"{column} < ?")
                values.append(utc_iso(moment))
        if not conditions:
            return []
        either = " OR ".join(conditions)
        return self._items(
            f"subscription_id = ? AND state = 'done' AND ({either}) ORDER BY rank LIMIT 100",
            subscription_id,
            *values,
        )

    def note_absence(self, subscription_id: str, listed: Collection[str], now: datetime) -> int:
        """Note which items a whole list does not have; return how many now have disappeared.

        That takes two lists. One that is there again has not.
        """
        keys, moment = json.dumps(list(listed)), utc_iso(now)
        self._connection.execute(
            "UPDATE subscription_items SET absent_since = NULL, gone_at = NULL "
            "WHERE subscription_id = ? AND absent_since IS NOT NULL "
            "AND item_key IN (SELECT value FROM json_each(?))",
            (subscription_id, keys),
        )
        gone = self._connection.execute(
            "UPDATE subscription_items SET gone_at = ?, "
            "state = CASE WHEN state = 'waiting' THEN 'gone' ELSE state END "
            "WHERE subscription_id = ? AND absent_since IS NOT NULL AND gone_at IS NULL",
            (moment, subscription_id),
        )
        self._connection.execute(
            "UPDATE subscription_items SET absent_since = ? WHERE subscription_id = ? "
            "AND absent_since IS NULL AND item_key NOT IN (SELECT value FROM json_each(?))",
            (moment, subscription_id, keys),
        )
        return gone.rowcount

    def items_of_job(self, job_id: str) -> list[tuple[str, SubscriptionItem]]:
        """Return (subscription id, item) of the items that a job downloads."""
        rows = self._rows("SELECT * FROM subscription_items WHERE job_id = ?", job_id)
        return [(row["subscription_id"], _decode(row)) for row in rows]

    def ignore_items_of(self, job_ids: Collection[str]) -> None:
        """Note that a person deleted what these jobs have downloaded."""
        self._connection.execute(
            "UPDATE subscription_items SET state = 'ignored', reason = 'deleted', "
            "next_try_at = NULL WHERE job_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(job_ids)),),
        )

    def last_found(self, limit: int, session_id: str | None) -> list[tuple[str, SubscriptionItem]]:
        """Return (subscription id, item) of new items of the subscriptions with the newest ones."""
        clause = "" if session_id is None else "AND session_id = ? "
        values = [] if session_id is None else [session_id]
        rows = self._rows(
            "SELECT id FROM subscriptions WHERE last_new_at IS NOT NULL "  # noqa: S608 - a fixed clause
            f"{clause}ORDER BY last_new_at DESC LIMIT ?",
            *values,
            limit,
        )
        states = (ItemState.QUEUED, ItemState.WAITING, ItemState.DONE, ItemState.FAILED)
        found = [(row["id"], item) for row in rows for item in self.items_in(row["id"], states, 5)]
        return sorted(found, key=lambda pair: pair[1].first_seen_at, reverse=True)[:limit]

    def _items(self, clause: str, *values: Any) -> list[SubscriptionItem]:
        rows = self._rows(f"SELECT * FROM subscription_items WHERE {clause}", *values)  # noqa: S608 - fixed clauses, values are bound
        return [_decode(row) for row in rows]


def _encode(values: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            columns[name] = utc_iso(value)
        else:
            columns[name] = str(value) if isinstance(value, StrEnum) else value
    return columns


def _decode(row: sqlite3.Row) -> SubscriptionItem:
    return SubscriptionItem(**{name: row[name] for name in _FIELDS})
