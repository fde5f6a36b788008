"""Times that a wrong clock stamped are corrected; other times stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from mediarip_mqtt.contract.models import Job, utc_iso
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.store.clock_rows import STAMPS
from tests.support.stores import NOW, insert, job

YEAR = timedelta(days=365)


def ended(number: int, at: datetime, **fields: object) -> Job:
    """Return a job that took a minute."""
    begun = at - timedelta(minutes=1)
    return job(
        number,
        **{
            "status": "completed",
            "attempt": 1,
            "created_at": begun,
            "started_at": begun,
            "completed_at": at,
            **fields,
        },
    )


async def ends(store: Store) -> list[datetime | None]:
    jobs = await store.read(lambda tx: tx.jobs())
    return [each.completed_at for each in sorted(jobs, key=lambda each: each.id)]


async def test_what_was_stamped_while_the_clock_was_wrong_moves_and_is_published(
    store: Store,
) -> None:
    await insert(store, ended(1, NOW), ended(2, NOW - YEAR))

    def shift(tx: Tx) -> set[str]:
        tx.shift_times(NOW - YEAR - timedelta(hours=1), NOW - YEAR + timedelta(hours=1), YEAR)
        return set(tx.changes.jobs)

    assert await store.write(shift) == {job(2).id}
    assert await ends(store) == [NOW, NOW]
    moved = await store.read(lambda tx: tx.job(job(2).id))
    assert moved is not None
    assert moved.created_at == moved.started_at == NOW - timedelta(minutes=1)


async def test_every_table_s_times_move(store: Store) -> None:
    def fill(tx: Tx) -> None:
        for table, columns in STAMPS.items():
            if table != "jobs":
                given = {row["name"]: row for row in tx._rows(f"PRAGMA table_info({table})")}  # noqa: SLF001 - any table
                needed = [name for name, row in given.items() if row["notnull"]]
                values = [utc_iso(NOW) if name in columns else name for name in needed]
                names, places = ", ".join(needed), ", ".join("?" * len(needed))
                tx._rows(f"INSERT INTO {table} ({names}) VALUES ({places})", *values)  # noqa: SLF001, S608 - the same

    def times(tx: Tx) -> set[str]:
        return {
            row[0]
            for table, columns in STAMPS.items()
            for column in columns
            for row in tx._rows(f"SELECT {column} FROM {table}")  # noqa: SLF001, S608 - the same
        }

    await store.write(fill)
    await store.write(lambda tx: tx.shift_times(NOW, NOW, YEAR))
    assert await store.read(times) == {utc_iso(NOW + YEAR)}


async def test_an_end_before_an_earlier_job_s_creation_is_not_believed(store: Store) -> None:
    later = NOW + timedelta(days=40)
    await insert(store, ended(1, NOW), ended(2, NOW - YEAR), ended(3, later))
    assert await store.write(lambda tx: tx.correct_ends(later)) == 1
    assert await ends(store) == [NOW, later, later]
    assert await store.write(lambda tx: tx.correct_ends(later + YEAR)) == 0


async def test_nothing_is_corrected_by_a_clock_that_is_behind_itself(store: Store) -> None:
    await insert(store, ended(1, NOW), ended(2, NOW - YEAR))
    assert await store.write(lambda tx: tx.correct_ends(NOW - YEAR + timedelta(hours=1))) == 0
    assert await ends(store) == [NOW, NOW - YEAR]


async def test_imported_jobs_are_old_and_a_clock_set_back_a_little_is_right(store: Store) -> None:
    imported = ended(2, NOW - YEAR, attempt=0)
    await insert(store, ended(1, NOW), imported, ended(3, NOW - timedelta(seconds=30)))
    assert await store.write(lambda tx: tx.correct_ends(NOW + YEAR)) == 0
