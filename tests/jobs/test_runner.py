"""The runner takes due jobs, runs their steps in order, and goes on from what is in the store.

Everything but the engine and the broker is real.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobStatus, PauseReason
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import DownloadSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.jobs import runner as runner_module
from mediarip_mqtt.jobs import work_threads
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.progress import MessageLimit
from mediarip_mqtt.jobs.runner import Runner
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.store import Store, Tx
from tests.support.engine import CONTENT, FakeControl, FakeEngine, make
from tests.support.retained import sources

TOPICS = Topics("mediarip")


class Bench:
    """A queue, and runners on it, one after the other as in restarts."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store = store
        self.root = root
        self.temp = root / ".mediarip" / "tmp"
        self.engine = FakeEngine()
        self.preferences = Preferences(Settings())
        self.jobs = Jobs(TOPICS, self.preferences, retry_delay=0.05)
        self.max_concurrent(2)

    def max_concurrent(self, count: int) -> None:
        self.preferences.restore({f"{PREFIX}max_concurrent": str(count)})

    @asynccontextmanager
    async def running(self, hold: PauseReason | None = None) -> AsyncIterator[Runner]:
        runner = Runner(
            self.store,
            self.jobs,
            self.engine,
            Publisher(sources(self.store, MessageLimit())),
            self.preferences,
            TOPICS,
            root=self.root,
            temp=self.temp,
            downloads=DownloadSettings(output_template="%(title)s.%(ext)s"),
            limits=Limits(self.preferences, {}),
            answer_probe=lambda *_: None,
            clock=lambda: datetime.now(UTC),
        )
        runner.hold = hold
        self.store.on_commit(runner.changed)
        await runner.recover()
        task = asyncio.ensure_future(runner.run())
        try:
            yield runner
        finally:
            await runner.shutdown(5)
            task.cancel()
            await asyncio.wait({task})

    async def add(self, title: str, **more: Any) -> str:
        url = f"https://e.com/{title}"
        options = DownloadOptions()
        add = lambda tx: self.jobs.add(tx, url, options, session_id="default", **more)  # noqa: E731 - used once
        return (await self.store.write(add)).id

    async def job(self, job_id: str) -> Job:
        job = await self.store.read(lambda tx: tx.job(job_id))
        assert job is not None
        return job

    async def wait(self, job_id: str, *statuses: JobStatus) -> Job:
        await until(lambda: self._is(job_id, statuses))
        return await self.job(job_id)

    async def _is(self, job_id: str, statuses: tuple[JobStatus, ...]) -> bool:
        return (await self.job(job_id)).status in statuses

    async def checkpoints(self) -> int:
        return await self.store.read(lambda tx: tx._rows("SELECT count(*) FROM checkpoints")[0][0])  # noqa: SLF001 - of all jobs

    def media(self) -> list[str]:
        found = [one.relative_to(self.root) for one in self.root.rglob("*") if one.is_file()]
        return sorted(str(one) for one in found if one.parts[0] != ".mediarip")

    def temporary(self) -> list[str]:
        return sorted(one.name for one in self.temp.iterdir()) if self.temp.exists() else []


async def until(done: Callable[[], Awaitable[bool] | bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = done()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / ".mediarip").mkdir()
    store = Store(tmp_path / ".mediarip" / "store.db", journal_mode="wal", exclusive=False)
    await store.open()
    yield Bench(store, tmp_path)
    await store.close()


def waits(_: Task, control: FakeControl) -> None:
    control.wait()


DONE = (JobStatus.COMPLETED, JobStatus.FAILED)


async def test_jobs_are_taken_in_their_order_and_leave_nothing_but_files(bench: Bench) -> None:
    bench.max_concurrent(1)
    jobs = [await bench.add(title) for title in ("a", "b", "c")]
    async with bench.running():
        for job_id in jobs:
            assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED
        await until(lambda: not bench.temporary())
    assert bench.engine.downloaded == ["a", "b", "c"]
    assert bench.media() == ["a.mp4", "b.mp4", "c.mp4"]
    assert await bench.checkpoints() == 0


async def test_a_job_that_is_not_due_waits_for_its_time(bench: Bench) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    job_id = await bench.add("later", not_before=soon)
    async with bench.running():
        await bench.wait(job_id, JobStatus.COMPLETED)
    assert datetime.now(UTC) >= soon


async def test_no_more_download_at_once_than_may(bench: Bench) -> None:
    release = threading.Event()
    titles = [f"film-{number}" for number in range(8)]
    for title in titles:
        bench.engine.on_download[title] = lambda *_: release.wait(10)
    jobs = [await bench.add(title) for title in titles]
    async with bench.running():
        await until(lambda: len(bench.engine.downloaded) == 2)
        # The pages of the next two are read meanwhile; one more may begin while one of them ends.
        await until(lambda: len(bench.engine.extracted) >= 4)
        await asyncio.sleep(0.1)
        assert len(bench.engine.downloaded) == 2
        assert len(bench.engine.extracted) <= 6
        release.set()
        for job_id in jobs:
            await bench.wait(job_id, JobStatus.COMPLETED)
    assert sorted(bench.engine.extracted) == titles  # each page once


async def test_no_page_is_read_ahead_of_downloads_that_end_soon(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "AHEAD_AFTER", 60.0)
    bench.max_concurrent(1)
    jobs = [await bench.add(f"film-{number}") for number in range(5)]
    seen: list[int] = []
    bench.engine.on_download.update(
        {
            f"film-{number}": lambda *_: seen.append(len(bench.engine.extracted))
            for number in range(5)
        }
    )
    async with bench.running():
        for job_id in jobs:
            await bench.wait(job_id, JobStatus.COMPLETED)
    assert seen == [1, 2, 3, 4, 5]


async def test_a_page_read_ahead_that_expired_is_read_again_once_its_turn_comes(
    bench: Bench,
) -> None:
    bench.max_concurrent(1)
    release = threading.Event()
    bench.engine.on_download["first"] = lambda *_: release.wait(10)
    await bench.add("first")
    async with bench.running() as runner:
        await until(lambda: bench.engine.downloaded == ["first"])
        bench.engine.age = -1
        job_id = await bench.add("next")
        await until(lambda: bench.engine.extracted.count("next") == 1)
        for _ in range(20):
            runner.wake()
            await asyncio.sleep(0.01)
        assert bench.engine.extracted.count("next") == 1  # not while it waits
        bench.engine.age = 600
        release.set()
        assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED
    assert bench.engine.extracted.count("next") == 2


@pytest.mark.parametrize("step", ["extract", "download"])
async def test_a_cancelled_job_is_stopped_and_leaves_no_file(step: str, bench: Bench) -> None:
    at_work = bench.engine.on_extract if step == "extract" else bench.engine.on_download

    def work(task: Task, control: FakeControl) -> None:
        (task.temp_dir / "media.mp4.part").write_bytes(b"half")
        control.wait()

    at_work["film"] = work
    job_id = await bench.add("film")
    async with bench.running():
        await until(lambda: bool(list(bench.temp.glob("*/*.part"))))
        await bench.store.write(lambda tx: bench.jobs.cancel(tx, _job(tx, job_id)))
        await until(lambda: not bench.temporary())
    assert (await bench.job(job_id)).status is JobStatus.CANCELLED
    assert bench.media() == []
    assert await bench.checkpoints() == 0


async def test_a_paused_job_goes_on_when_it_is_resumed(bench: Bench) -> None:
    bench.engine.on_download["film"] = waits
    job_id = await bench.add("film")
    async with bench.running():
        await until(lambda: bench.engine.downloaded == ["film"])
        await bench.store.write(lambda tx: bench.jobs.pause(tx, _job(tx, job_id)))
        assert (await bench.wait(job_id, JobStatus.PAUSED)).attempt == 0
        bench.engine.on_download.clear()
        await bench.store.write(lambda tx: bench.jobs.resume(tx, _job(tx, job_id)))
        assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED


async def test_nothing_begins_while_the_queue_is_on_hold(bench: Bench) -> None:
    job_id = await bench.add("film")
    async with bench.running(hold=PauseReason.USER) as runner:
        await asyncio.sleep(0.2)
        assert (await bench.job(job_id)).status is JobStatus.QUEUED
        assert bench.engine.extracted == []
        runner.hold = None
        runner.wake()
        await bench.wait(job_id, JobStatus.COMPLETED)


async def test_one_bad_job_does_not_end_the_others(bench: Bench) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError

    def gone(*_: object) -> None:
        raise DownloadError(ErrorCode.NOT_FOUND, "There is nothing.")

    bench.engine.on_extract["bug"] = bug
    bench.engine.on_download["gone"] = gone
    jobs = {title: await bench.add(title) for title in ("bug", "gone", "good")}
    async with bench.running():
        codes = {title: (await bench.wait(one, *DONE)).error_code for title, one in jobs.items()}
    assert codes == {"bug": "internal", "gone": "not_found", "good": None}
    assert bench.media() == ["good.mp4"]


async def test_a_failed_attempt_is_repeated_from_the_page_on(bench: Bench) -> None:
    tries: list[int] = []

    def flaky(*_: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise DownloadError(ErrorCode.NETWORK, "It broke off.", transient=True)

    bench.engine.on_download["film"] = flaky
    job_id = await bench.add("film")
    async with bench.running():
        job = await bench.wait(job_id, *DONE)
    assert (job.status, job.attempt) == (JobStatus.COMPLETED, 2)
    assert bench.engine.extracted == ["film", "film"]


async def test_what_runs_at_the_end_goes_back_to_the_queue_and_on_at_the_next_start(
    bench: Bench,
) -> None:
    bench.engine.on_download["film"] = waits
    job_id = await bench.add("film")
    async with bench.running():
        await until(lambda: bench.engine.downloaded == ["film"])
    job = await bench.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 0)
    bench.engine.on_download.clear()
    async with bench.running():
        assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED


# A restart goes on from the last checkpoint that can be used.


async def interrupted(bench: Bench, *steps: str, **made: Any) -> str:
    """Return a job whose service was killed after the commits of some steps."""
    job_id = await bench.add("film")
    folder = bench.temp / job_id
    folder.mkdir(parents=True)
    files = make(folder, **made)

    def begin(tx: Tx) -> None:
        bench.jobs.claim(tx, [], extracted=lambda _: False)
        tx.update(job_id, status=JobStatus.DOWNLOADING)
        for step, data in (
            ("extract", '{"host": "e.com", "fields": {"title": "as it was"}}'),
            ("download", files.model_dump_json()),
        ):
            if step in steps:
                bench.jobs.save_checkpoint(tx, job_id, step, data)

    await bench.store.write(begin)
    return job_id


async def test_a_restart_behind_the_page_reads_it_again(bench: Bench) -> None:
    job_id = await interrupted(bench, "extract")
    async with bench.running():
        assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED
    assert bench.engine.extracted == ["film"]
    assert bench.media() == ["film.mp4"]


async def test_a_restart_behind_the_download_only_moves_the_files(bench: Bench) -> None:
    job_id = await interrupted(bench, "extract", "download", warning="Something is missing.")
    async with bench.running():
        job = await bench.wait(job_id, *DONE)
        await until(lambda: not bench.temporary())
    assert (job.status, job.attempt, job.warning) == (
        JobStatus.COMPLETED,
        1,
        "Something is missing.",
    )
    assert bench.engine.extracted == bench.engine.downloaded == []
    assert bench.media() == ["as it was.mp4"]
    assert await bench.checkpoints() == 0


@pytest.mark.parametrize("damage", ["gone", "shorter"])
async def test_a_restart_with_files_that_are_not_whole_downloads_again(
    damage: str, bench: Bench
) -> None:
    job_id = await interrupted(bench, "extract", "download")
    medium = bench.temp / job_id / "media.mp4"
    medium.unlink() if damage == "gone" else medium.write_bytes(CONTENT[:2])
    async with bench.running():
        assert (await bench.wait(job_id, *DONE)).status is JobStatus.COMPLETED
    assert bench.engine.downloaded == ["film"]
    assert (bench.root / "film.mp4").read_bytes() == CONTENT


# Threads


async def test_a_thread_that_ignores_its_stop_is_given_up_and_its_slot_replaced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_threads, "LOST_AFTER", 0.05)
    bench.max_concurrent(1)
    release = threading.Event()

    def deaf(*_: object) -> None:
        release.wait(20)
        raise Stopped

    bench.engine.on_download["deaf"] = deaf
    deaf_id, next_id = await bench.add("deaf"), await bench.add("next")
    async with bench.running() as runner:
        await until(lambda: bench.engine.downloaded == ["deaf"])
        await bench.store.write(lambda tx: bench.jobs.cancel(tx, _job(tx, deaf_id)))
        await bench.wait(next_id, JobStatus.COMPLETED)
        assert runner.lost_threads == 1
        # It may still write: its folder stays, and it does not run a second time.
        await until(lambda: bench.temporary() == [deaf_id])
        await bench.store.write(lambda tx: bench.jobs.retry(tx, _job(tx, deaf_id)))
        await asyncio.sleep(0.1)
        assert (await bench.job(deaf_id)).status is JobStatus.QUEUED
        bench.engine.on_download.clear()
        release.set()
        await bench.wait(deaf_id, JobStatus.COMPLETED)
        assert runner.lost_threads == 0


def _job(tx: Tx, job_id: str) -> Job:
    job = tx.job(job_id)
    assert job is not None
    return job
