"""Sessions come and go; nothing of them stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Store, Tx
from tests.support.stores import NOW, insert, job


async def test_what_is_kept_of_sessions_does_not_grow_with_their_number(store: Store) -> None:
    def come_and_go(tx: Tx) -> None:
        for number in range(20):
            each = job(number, session_id=f"s{number}")
            tx.insert(each)
            tx.update(each.id, status=JobStatus.CANCELLED)
            if number:
                tx.delete(each)
        tx.forget_sessions(NOW + timedelta(seconds=15))

    await store.write(come_and_go)
    with closing(sqlite3.connect(store.path)) as connection:
        counts = connection.execute("SELECT * FROM job_counts").fetchall()
        sessions = {row[0] for row in connection.execute("SELECT id FROM sessions")}
    assert counts == [("s0", "cancelled", 1)]
    assert sessions == {"s0", *(f"s{number}" for number in range(15, 20))}
    await insert(store, job(99, session_id="s1"))  # it comes again
