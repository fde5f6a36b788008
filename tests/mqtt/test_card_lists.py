"""`jobs/now`, `jobs/finished` and `jobs/failed`: bounded, private, and rarely published."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.media_options import MediaType
from mediarip_mqtt.contract.models import (
    Items,
    Job,
    JobStatus,
    PauseReason,
    Phase,
    Priority,
    Progress,
)
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.mqtt.card_lists import BURST, LIMIT, PROGRESS_INTERVAL, SOON, MessagePace
from mediarip_mqtt.mqtt.job_entry import entry
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.summaries import ServiceStatus
from mediarip_mqtt.store import Changes, Store, Tx
from tests.mqtt.test_publisher import Limit, connected, until
from tests.support.retained import NOW, Wire, card_lists, sources

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def job(number: int, status: JobStatus = JobStatus.QUEUED, **more: Any) -> Job:
    ended = status in {JobStatus.COMPLETED, JobStatus.FAILED}
    values = {
        "id": f"019a0000-0000-7000-8000-{number:012}",
        "session_id": ROOT_SESSION,
        "url": f"https://www.videos.example/watch/{number}?token=secret",
        "status": status,
        "title": f"An evening in the harbour, part {number}",
        "created_at": NOW,
        "started_at": None if status is JobStatus.QUEUED else NOW,
        "completed_at": NOW + timedelta(seconds=number) if ended else None,
    }
    return Job.model_validate(values | more)


def inserted(*jobs: Job) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        for one in jobs:
            tx.insert(one)

    return write


def progress(number: int, percent: float, seconds: float, **more: Any) -> Progress:
    """Return the progress of a download of 100,000 bytes in 100 s."""
    values: dict[str, Any] = {
        "id": job(number).id,
        "status": JobStatus.DOWNLOADING,
        "phase": Phase.VIDEO,
        "progress_percent": percent,
        "downloaded_bytes": round(percent * 1000),
        "total_bytes": 100_000,
        "speed": 1000.0,
        "eta": 100.0 - percent,
        "updated_at": NOW + timedelta(seconds=seconds),
    }
    return Progress.model_validate(values | more)


async def lists_of(store: Store) -> dict[str, dict[str, Any]]:
    """Return all three payloads, which are what their schemas say."""
    lists = card_lists(store, {})
    payloads = {
        "now": await lists.now(),
        "finished": await lists.finished(),
        "failed": await lists.failed(),
    }
    for name, payload in payloads.items():
        assert len(payload.encode()) <= LIMIT
        schema = json.loads((SCHEMAS / f"jobs.{name}.json").read_text("utf-8"))
        Draft202012Validator(schema).validate(json.loads(payload))
    return {name: json.loads(payload) for name, payload in payloads.items()}


def crowd(title: str) -> list[Job]:
    size = {"filesize": 734_003_200, "duration": 1830.0}
    return [
        *(job(number, title=title.format(number)) for number in range(200)),
        *(
            job(
                number,
                JobStatus.COMPLETED,
                title=title.format(number),
                filename=f"{title.format(number)[:60]}.mp4",
                **size,
            )
            for number in range(200, 400)
        ),
        *(
            job(
                number,
                JobStatus.FAILED,
                title=title.format(number),
                error_code="unavailable",
                error_message=title * 20,
            )
            for number in range(400, 600)
        ),
    ]


@pytest.mark.parametrize("title", ["ü" * 200, "🎬" * 200, '"\\' * 100, "a"])
async def test_each_list_stays_below_its_limit_and_fits_its_schema(
    title: str, store: Store
) -> None:
    await store.write(inserted(*crowd(title)))
    lists = await lists_of(store)
    assert lists["now"]["jobs"]
    waiting = [one for one in lists["now"]["jobs"] if one["status"] == "queued"]
    assert lists["now"]["more"] == 200 - len(waiting)
    assert len(lists["finished"]["finished"]) >= 10
    assert len(lists["failed"]["failed"]) >= 10


async def test_jobs_of_a_usual_size_fit_in_large_numbers(store: Store) -> None:
    await store.write(inserted(*crowd("An evening in the harbour, part {}")))
    lists = await lists_of(store)
    assert len(lists["now"]["jobs"]) >= 14  # five are finished
    assert len(lists["finished"]["finished"]) >= 30
    assert len(lists["failed"]["failed"]) >= 35
    assert lists["finished"]["finished"][0]["id"] == lists["finished"]["job_id"] == job(399).id


async def test_without_a_job_the_lists_are_empty_and_say_the_rest(store: Store) -> None:
    lists = await lists_of(store)
    assert lists["now"] == {
        "jobs": [],
        "more": 0,
        "pause_reason": None,
        "storage": "ok",
        "version": "1.2.3",
        "presets": ["best", "audio"],
        "media": None,
    }
    assert lists["finished"]["job_id"] is lists["failed"]["job_id"] is None


async def test_running_jobs_come_first_then_waiting_then_the_newest_finished(store: Store) -> None:
    finished = [job(number, JobStatus.COMPLETED) for number in range(10, 20)]
    await store.write(inserted(job(2), job(1, JobStatus.DOWNLOADING), *finished))
    jobs = (await lists_of(store))["now"]["jobs"]
    assert [one["id"] for one in jobs] == [job(number).id for number in (1, 2, 19, 18, 17, 16, 15)]


def test_an_entry_has_only_what_is_known() -> None:
    assert json.loads(entry(job(1)).model_dump_json(exclude_unset=True)) == {
        "id": job(1).id,
        "status": "queued",
        "title": "An evening in the harbour, part 1",
        "site": "videos.example",
        "kind": "video",
    }


@pytest.mark.parametrize(
    ("url", "title", "site"),
    [
        ("https://www.a.example/watch?v=1&token=secret", "www.a.example/watch", "a.example"),
        ("https://a.example/films/A%20film.mp4?sig=secret#secret", "A film.mp4", "a.example"),
        ("https://a.example/x%E2%80%AE%0Agpj.mp4", "x gpj.mp4", "a.example"),
        ("ytsearch1:harbour at night", "harbour at night", "search"),
        ("https://[bad", "?", "search"),
    ],
)
def test_a_job_without_a_title_is_named_after_its_url_but_not_by_it(
    url: str, title: str, site: str
) -> None:
    shown = entry(job(1, url=url, title=None))
    assert (shown.title, shown.site) == (title, site)
    assert "secret" not in shown.model_dump_json()


def test_a_playlist_and_a_sound_are_of_their_kind() -> None:
    assert entry(job(1, items=Items(total=3))).kind == "playlist"
    assert entry(job(1, media_type=MediaType.AUDIO, priority=Priority.HIGH)).kind == "audio"


async def test_other_sessions_jobs_are_not_listed_where_sessions_are_isolated(
    store: Store,
) -> None:
    await store.write(
        inserted(
            job(1, session_id="alice", title="Private"),
            job(2, JobStatus.DOWNLOADING, session_id="alice", title="Private"),
            job(3, JobStatus.COMPLETED, session_id="alice", title="Private"),
            job(4, JobStatus.FAILED, session_id="alice", title="Private"),
            job(5, title="Own"),
        )
    )
    lists = card_lists(store, {}, isolated=True)
    now = await lists.now()
    assert [one["title"] for one in json.loads(now)["jobs"]] == ["Own"]
    assert json.loads(now)["more"] == 0
    assert "Private" not in now + await lists.finished() + await lists.failed()
    shared = card_lists(store, {})
    assert "Private" in await shared.finished()


async def test_cleared_jobs_leave_the_list_and_stay_the_last_one(store: Store) -> None:
    await store.write(inserted(job(1, JobStatus.COMPLETED), job(2, JobStatus.COMPLETED)))
    await store.write(lambda tx: tx.clear(NOW, None, None))
    lists = await lists_of(store)
    assert lists["finished"]["finished"] == lists["now"]["jobs"] == []
    assert lists["finished"]["job_id"] == job(2).id


async def test_a_lost_storage_is_said_beside_the_last_known_jobs(store: Store) -> None:
    reasons: list[PauseReason | None] = [None]
    lists = card_lists(store, {}, lambda: ServiceStatus(pause_reason=reasons[-1]))
    store.suspend("not mounted")
    with pytest.raises(StoreError):
        await lists.now()
    await store.reopen()
    await store.write(inserted(job(1)))
    assert len(json.loads(await lists.now())["jobs"]) == 1
    store.suspend("not mounted")
    lists.changed()
    reasons.append(PauseReason.STORAGE_LOST)
    lost = json.loads(await lists.now())
    assert (lost["storage"], lost["pause_reason"], len(lost["jobs"])) == ("lost", "storage_lost", 1)
    await store.reopen()


# Progress


async def test_a_steady_download_is_told_once_and_calculated_by_its_readers(store: Store) -> None:
    live: dict[str, Progress] = {}
    await store.write(inserted(job(1, JobStatus.DOWNLOADING)))
    lists = card_lists(store, live)
    messages = 0
    for second in range(1, 96):
        newest = progress(1, float(second), float(second))
        live[newest.id] = newest
        if not messages or lists.due(newest) is not None:
            messages += 1
            (shown,) = json.loads(await lists.now())["jobs"]
            assert shown["eta"] == pytest.approx(100 - second, abs=1)
    assert messages == 1


async def test_progress_that_a_reader_can_not_guess_is_told_within_five_seconds(
    store: Store,
) -> None:
    live = {job(1).id: progress(1, 10, 10)}
    await store.write(inserted(job(1, JobStatus.DOWNLOADING)))
    lists = card_lists(store, live)
    await lists.now()
    lists.now_pace.sent()
    assert lists.due(progress(1, 20, 22)) is None  # 2 percent behind
    assert lists.due(progress(1, 20, 24)) == pytest.approx(PROGRESS_INTERVAL, abs=1)
    assert lists.due(progress(1, 20, 20, phase=Phase.AUDIO)) == pytest.approx(5, abs=1)
    assert lists.due(progress(2, 50, 50)) is None  # not in the list


async def test_a_download_that_stalls_stops_the_bar(store: Store) -> None:
    times = [NOW + timedelta(seconds=10)]
    live = {job(1).id: progress(1, 10, 10)}
    await store.write(inserted(job(1, JobStatus.DOWNLOADING)))
    lists = card_lists(store, live, clock=lambda: times[-1])
    (moving,) = json.loads(await lists.now())["jobs"]
    assert moving["eta"] == 90
    assert not lists.overdue()
    times.append(NOW + timedelta(seconds=30))
    assert lists.overdue()
    (stopped,) = json.loads(await lists.now())["jobs"]
    assert stopped["progress"] == 10
    assert not {"eta", "speed"} & stopped.keys()
    assert not lists.overdue()
    assert lists.due(progress(1, 10.1, 31)) is not None  # it moves again


async def test_the_bar_counts_the_whole_job_where_the_page_has_two_files(store: Store) -> None:
    """yt-dlp's own ETA is that of the first file, at whose end the job is at 85 percent."""
    live: dict[str, Progress] = {}
    await store.write(inserted(job(1, JobStatus.DOWNLOADING)))
    lists = card_lists(store, live)
    messages = 0
    for second in range(1, 100):
        newest = progress(
            1,
            second * 0.85,
            float(second),
            downloaded_bytes=second * 1000,
            eta=float(100 - second),
        )
        live[newest.id] = newest
        if not messages or lists.due(newest) is not None:
            messages += 1
            await lists.now()
    assert messages <= 3


async def test_progress_reads_nothing_from_the_store(store: Store) -> None:
    running = job(1, JobStatus.DOWNLOADING)
    await store.write(inserted(running, *(job(number) for number in range(2, 60))))
    publisher = Publisher(made := sources(store, Limit()))
    await made.lists.now()
    reads = 0
    read = store.read

    def counted(work: Callable[[Tx], Any]) -> Any:
        nonlocal reads
        reads += 1
        return read(work)

    store.read = counted  # type: ignore[method-assign,assignment] # counts
    for second in range(100):
        publisher.set_live(progress(1, float(second % 50), float(second)))
        await made.lists.now()
    assert reads == 0
    made.lists.changed()
    await made.lists.now()
    assert reads == 1


# Publication


async def test_a_job_that_begins_or_ends_is_told_at_once_and_its_steps_within_five_seconds(
    store: Store,
) -> None:
    await store.write(inserted(job(1, JobStatus.EXTRACTING)))
    lists = card_lists(store, {})
    began = Changes(jobs={job(1).id: ROOT_SESSION}, queue=True)
    assert lists.wait(began) == SOON
    await lists.now()
    lists.now_pace.sent()
    assert lists.wait(began) == pytest.approx(PROGRESS_INTERVAL, abs=1)
    assert lists.wait(Changes(jobs={job(1).id: ROOT_SESSION, job(2).id: ROOT_SESSION})) == SOON
    assert lists.wait(Changes(queue=True)) == SOON
    publisher = Publisher(sources(store, Limit()))
    publisher.drop_live(job(1).id)
    (timer,) = publisher._timers.values()  # noqa: SLF001 - when it is due
    assert timer.when() - asyncio.get_running_loop().time() <= SOON


def test_changes_follow_at_once_but_for_a_burst() -> None:
    times = [100.0]
    pace = MessagePace(lambda: times[-1])
    for _ in range(BURST):
        assert pace.soon() == SOON
        pace.sent()
    assert pace.soon() > 5
    times.append(111.0)
    assert pace.soon() == SOON


async def test_a_list_is_sent_again_only_if_it_changed_or_on_a_new_connection(
    store: Store,
) -> None:
    made = sources(store, Limit())
    publisher = Publisher(made)
    link = Wire()
    publisher.mark_all = lambda: None  # type: ignore[method-assign] # only the lists
    async with connected(publisher, link):
        publisher.changed(Changes(queue=True))
        await until(lambda: len(link.payloads("jobs/failed")) == 1)
        publisher.changed(Changes(queue=True))
        await until(lambda: not publisher._timers)  # noqa: SLF001 - nothing else tells
        await store.write(inserted(job(1, JobStatus.FAILED)))
        publisher.changed(Changes(queue=True))
        await until(lambda: len(link.payloads("jobs/failed")) == 2)
        await asyncio.sleep(0)
    assert len(link.payloads("jobs/finished")) == 1
    assert len(link.payloads("jobs/now")) == 2


async def test_states_that_follow_each_other_closely_are_one_message(store: Store) -> None:
    publisher = Publisher(sources(store, Limit()))
    link = Wire()
    async with connected(publisher, link):
        for status in (JobStatus.QUEUED, JobStatus.EXTRACTING, JobStatus.DOWNLOADING):
            if status is JobStatus.QUEUED:
                await store.write(inserted(job(1)))
            else:
                await store.write(lambda tx, to=status: tx.update(job(1).id, status=to))  # type: ignore[misc]
            publisher.changed(Changes(jobs={job(1).id: ROOT_SESSION}))
        await until(lambda: link.payloads("jobs/now"))
    (message,) = link.payloads("jobs/now")
    assert json.loads(message)["jobs"][0]["status"] == "downloading"


def test_a_message_has_times_that_a_browser_reads() -> None:
    shown = entry(job(1, JobStatus.COMPLETED))
    text = json.loads(shown.model_dump_json(exclude_unset=True))["completed_at"]
    assert datetime.fromisoformat(text) == NOW + timedelta(seconds=1)
