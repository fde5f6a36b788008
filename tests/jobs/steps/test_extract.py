"""`extract` reads a page once, and leaves in the store what names may use of it, and no more."""

from __future__ import annotations

import json

import pytest

from mediarip_mqtt.contract.errors import Stopped
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.jobs.read_ahead import LIMIT
from mediarip_mqtt.store import Tx
from tests.support.steps import Bench


async def kept(bench: Bench, job_id: str) -> str | None:
    return await bench.store.read(lambda tx: tx.checkpoint(job_id, "extract"))


async def test_the_page_s_data_are_committed_with_the_title(bench: Bench) -> None:
    bench.engine.fields = {"uploader": "Someone", "tags": ["a", "b"], "duration": 61.0}
    work = await bench.begin("film")
    assert await bench.run(work, "extract")
    job = await bench.job(work.job.id)
    assert (job.title, job.status) == ("film", JobStatus.DOWNLOADING)
    fields = {"title": "film", "uploader": "Someone", "tags": ["a", "b"], "duration": 61.0}
    assert json.loads(await kept(bench, job.id) or "") == {"host": "e.com", "fields": fields}
    assert work.extraction is not None


async def test_a_playlist_ends_the_attempt_and_leaves_no_checkpoint(bench: Bench) -> None:
    bench.engine.playlists["list"] = ("https://e.com/a", "https://e.com/b")
    work = await bench.begin("list")
    assert not await bench.run(work)
    job = await bench.job(work.job.id)
    assert job.items is not None
    assert job.items.total == 2
    assert await kept(bench, job.id) is None
    assert bench.engine.downloaded == []


async def test_a_page_read_ahead_waits_in_memory_and_is_not_read_again(bench: Bench) -> None:
    bench.slot_is_free = False
    work = await bench.begin("film")
    assert not await bench.run(work)
    job = await bench.job(work.job.id)
    assert (job.status, job.attempt, job.title) == (JobStatus.QUEUED, 0, "film")
    assert bench.ahead.has_fresh(job.id)
    bench.slot_is_free = True
    work = await claimed_again(bench)
    assert await bench.run(work, "extract")
    assert bench.engine.extracted == ["film"]
    assert await kept(bench, job.id) is not None
    assert not bench.ahead.has(job.id)


async def test_a_page_whose_urls_may_have_expired_is_read_and_committed_again(
    bench: Bench,
) -> None:
    bench.slot_is_free = False
    bench.engine.age = -1
    work = await bench.begin("film")
    await bench.run(work)
    assert bench.ahead.has(work.job.id)
    assert not bench.ahead.has_fresh(work.job.id)
    bench.slot_is_free = True
    bench.engine.fields = {"uploader": "Someone else"}
    work = await claimed_again(bench)
    assert await bench.run(work, "extract")
    assert bench.engine.extracted == ["film", "film"]
    assert "Someone else" in (await kept(bench, work.job.id) or "")


async def test_only_some_pages_are_kept(bench: Bench) -> None:
    bench.slot_is_free = False
    jobs = []
    for number in range(LIMIT + 1):
        work = await bench.begin(f"film-{number}")
        await bench.run(work)
        jobs.append(work.job.id)
        await bench.store.write(lambda tx, work=work: tx.update(work.job.id, priority="low"))  # type: ignore[misc] # bound in the loop
    assert len([one for one in jobs if bench.ahead.has(one)]) == LIMIT


async def test_a_job_that_was_cancelled_meanwhile_keeps_no_checkpoint(bench: Bench) -> None:
    work = await bench.begin("film")
    await bench.store.write(lambda tx: bench.jobs.cancel(tx, work.job))
    with pytest.raises(Stopped):
        await bench.run(work, "extract")
    assert await bench.checkpoints(work.job.id) == set()


async def test_a_page_that_is_read_again_makes_the_files_of_an_earlier_one_worthless(
    bench: Bench,
) -> None:
    work = await bench.begin("film")
    await bench.run(work, "extract", "download")
    assert await bench.checkpoints(work.job.id) == {"extract", "download"}
    await bench.run(work, "extract")
    assert await bench.checkpoints(work.job.id) == {"extract"}


async def claimed_again(bench: Bench):  # type: ignore[no-untyped-def] # noqa: ANN201 - a `Work`
    def claim(tx: Tx) -> object:
        return bench.jobs.claim(tx, [], extracted=bench.ahead.has_fresh)

    job = await bench.store.write(claim)
    return bench.work(job)  # type: ignore[arg-type] # there is one
