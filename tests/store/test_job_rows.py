"""Jobs are kept as they were given, found again, and deleted with all that belongs to them."""

from __future__ import annotations

from datetime import timedelta

from mediarip_mqtt.contract.models import Items, JobFile, JobStatus
from mediarip_mqtt.store import FinishedAt, Store, Tx
from tests.support.stores import NOW, OpenStore, insert, job


async def test_a_job_comes_back_as_it_was_kept(open_store: OpenStore) -> None:
    store = await open_store()
    kept = job(
        tags=("a", "ü"),
        not_before=NOW,
        duration=1.5,
        priority="high",
        keep=True,
        subtitles={"languages": ("de", "en*"), "embed": True},
        sponsorblock={"remove": ("sponsor",)},
        embed=("metadata", "chapters"),
        split_chapters=True,
        live_from_start=False,
    )
    await insert(store, kept)
    assert await store.read(lambda tx: tx.job(kept.id)) == kept
    await store.close()
    store = await open_store()
    assert await store.read(lambda tx: tx.job(kept.id)) == kept


async def test_the_filters_of_a_list_are_combined(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    await insert(
        store,
        job(1, parent_id=job(0).id, status=JobStatus.FAILED),
        job(2, session_id="bob", status=JobStatus.FAILED),
        job(3, status=JobStatus.FAILED),
        job(4),
    )

    async def ids(**filters: object) -> list[int]:
        jobs = await store.read(lambda tx: tx.jobs(**filters))  # type: ignore[arg-type] # its arguments
        return [int(each.id[-1]) for each in jobs]

    assert await ids() == [4, 3, 2, 1, 0]
    assert await ids(newest_first=False, limit=2) == [0, 1]
    assert await ids(statuses={JobStatus.FAILED}, session_id="default") == [3, 1]
    assert await ids(statuses={JobStatus.FAILED}, top_level=True) == [3, 2]
    assert await ids(parent_id=job(0).id) == [1]
    assert await ids(before=job(3)) == [2, 1, 0]
    assert await ids(before=job(3).created_at, session_id="bob") == [2]
    assert await ids(prefix="0199-0004") == [4]


async def test_pages_leave_no_job_out_that_was_created_in_the_same_moment(store: Store) -> None:
    jobs = [job(number, created_at=NOW) for number in range(5)]
    await insert(store, *jobs)
    first = await store.read(lambda tx: tx.jobs(limit=2))
    second = await store.read(lambda tx: tx.jobs(before=first[-1], limit=2))
    third = await store.read(lambda tx: tx.jobs(before=second[-1], limit=2))
    assert [*first, *second, *third] == jobs[::-1]


async def test_a_playlist_is_deleted_with_all_below_it_and_counted_no_more(store: Store) -> None:
    await insert(store, job(0), job(1, parent_id=job(0).id), is_playlist=True)
    await insert(store, job(2, parent_id=job(1).id), job(3))

    def delete(tx: Tx) -> set[str]:
        tx.plan_files(job(2).id, [JobFile(temp_path="t", filename="a.mp4", filesize=1)])
        tx.save_checkpoint(job(2).id, "step", "{}", NOW)
        tx.delete(job(0))
        return set(tx.changes.jobs)

    assert await store.write(delete) == {job(number).id for number in range(3)}
    assert await store.read(lambda tx: tx.jobs()) == [job(3)]
    assert sum((await store.read(Tx.counts)).values()) == 1
    assert await store.read(Tx.planned_jobs) == set()
    assert await store.read(lambda tx: tx.checkpoint(job(2).id, "step")) is None


async def test_a_playlist_has_the_counts_of_its_items(store: Store) -> None:
    await insert(store, job(0), is_playlist=True)
    statuses = ("completed", "completed", "failed", "cancelled", "downloading")
    items = [job(1 + n, parent_id=job(0).id, status=each) for n, each in enumerate(statuses)]
    await insert(store, *items)
    playlist = await store.read(lambda tx: tx.job(job(0).id))
    assert playlist
    assert playlist.items == Items(total=5, completed=2, failed=1, cancelled=1)


async def test_the_same_download_of_others_does_not_hide_one_s_own(store: Store) -> None:
    mine = job(0, session_id="bob", url="https://example.com/same")
    await insert(store, mine)
    await insert(
        store, *(job(1 + n, session_id="eve", url="https://example.com/same") for n in range(30))
    )
    duplicate = await store.read(lambda tx: tx.duplicate_of(mine.url, mine, "bob"))
    assert duplicate
    assert duplicate.id == mine.id


async def test_a_failed_download_or_one_with_other_options_is_no_duplicate(store: Store) -> None:
    await insert(store, job(1, status=JobStatus.FAILED), job(2, url=job(1).url, quality="720p"))
    assert await store.read(lambda tx: tx.duplicate_of(job(1).url, job(1))) is None
    assert await store.read(lambda tx: tx.duplicate_of(job(1).url, job(1, quality="720p")))


async def test_the_newest_finished_jobs_have_an_end(store: Store) -> None:
    """Jobs that an import gives the same time are told apart by their ids."""
    same = [job(number, status=JobStatus.COMPLETED, completed_at=NOW) for number in range(4)]
    later = job(4, status=JobStatus.FAILED, completed_at=NOW + timedelta(seconds=1))
    await insert(store, *same, later, job(5))
    assert await store.read(lambda tx: tx.oldest_of_newest(6)) is None
    oldest = await store.read(lambda tx: tx.oldest_of_newest(3))
    assert oldest == FinishedAt.of(same[2])
    kept = await store.read(lambda tx: tx.unfinished_or_since(oldest))
    assert kept == [same[2].id, same[3].id, later.id, job(5).id]
    assert await store.read(lambda tx: tx.finished_between(None, oldest)) == same[:2]
    assert await store.read(lambda tx: tx.finished_between(oldest, None)) == [*same[2:], later]
