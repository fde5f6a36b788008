"""How often progress is published; and a job without progress does not hold its slot for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediarip_mqtt.contract.models import Job, JobStatus, Phase
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.engine.protocol import Report
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.jobs.progress import MESSAGE_WINDOW, MESSAGES, MessageLimit, ProgressTracker
from mediarip_mqtt.jobs.running_job import Slot
from mediarip_mqtt.mqtt.publisher import Publisher
from mediarip_mqtt.mqtt.retained_topics import (
    PROGRESS_DELAY,
    JobProgressTopic,
    JobStateTopic,
    RetainedTopic,
)
from mediarip_mqtt.store import Store
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.retained import NOW, sources
from tests.support.server import MediaServer
from tests.support.service import Service

MESSAGES_PER_SECOND = 5


@pytest.fixture
def impatient(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Service]:
    one = Service(
        tmp_path, mosquitto.port, DOWNLOADS__STALL_TIMEOUT="1.5", DOWNLOADS__MAX_ATTEMPTS="2"
    ).start()
    yield one
    one.stop()


def test_a_limit_counts_any_window_and_each_job_for_itself() -> None:
    now = 100.0
    limit = MessageLimit(clock=lambda: now)
    for _ in range(MESSAGES):
        assert limit.wait("a") == 0
        limit.sent("a")
        now += 0.1
    assert limit.wait("a") == pytest.approx(MESSAGE_WINDOW - MESSAGES * 0.1)
    assert limit.wait("b") == 0
    now = 100.0 + MESSAGE_WINDOW
    assert limit.wait("a") == 0
    limit.sent("a")
    assert limit.wait("a") == pytest.approx(0.1)  # the window slides


class Tracked:
    """A job whose thread reports, and what is marked for publication then."""

    def __init__(self, store: Store, folder: Path) -> None:
        job = Job(id="a", session_id=ROOT_SESSION, url="https://a.example/a", created_at=NOW)
        self.publisher = Publisher(sources(store, MessageLimit()))
        self.slot = Slot(job, WorkControl(SecuritySettings()))
        self.tracker = ProgressTracker(
            store,
            self.publisher,
            {"a": self.slot},
            temp=folder,
            stall_timeout=0,
            ending=asyncio.Event(),
            clock=lambda: NOW,
        )
        self.report = self.tracker.reporter(self.slot)

    async def marked(self, phase: Phase, percent: float, received: int) -> set[type[RetainedTopic]]:
        self.report(Report(phase, percent, received))
        await self.tracker.save(self.slot)
        return {type(topic) for topic in self.take_marks()}

    def take_marks(self) -> list[RetainedTopic]:
        marks = list(self.publisher._dirty)  # noqa: SLF001 - what waits to be published
        self.publisher._dirty.clear()  # noqa: SLF001 - the same
        return marks


async def running(store: Store, folder: Path) -> Tracked:
    job = Tracked(store, folder)
    row = job.slot.job.model_copy(update={"status": JobStatus.DOWNLOADING})
    await store.write(lambda tx: tx.insert(row))
    return job


async def test_a_job_that_ends_soon_says_no_phase_in_between(store: Store, tmp_path: Path) -> None:
    job = await running(store, tmp_path)
    assert not await job.marked(Phase.VIDEO, 1, 0) & {JobStateTopic, JobProgressTopic}
    job.tracker.stopped(job.slot)
    assert JobProgressTopic in map(type, job.take_marks())
    await asyncio.sleep(PROGRESS_DELAY * 2)
    assert not set(map(type, job.take_marks())) & {JobStateTopic, JobProgressTopic}


async def test_a_job_s_state_says_a_new_phase_soon_and_its_bytes_follow(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.PROGRESS_DELAY", 0)
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.STATE_INTERVAL", 0.2)
    job = await running(store, tmp_path)
    assert JobStateTopic in await job.marked(Phase.VIDEO, 1, 0)
    assert JobStateTopic not in await job.marked(Phase.VIDEO, 1, 5)
    assert JobStateTopic in await job.marked(Phase.CONVERTING, 1, 5)
    assert JobStateTopic not in await job.marked(Phase.CONVERTING, 1, 7)
    async with asyncio.timeout(5):
        while JobStateTopic not in map(type, job.take_marks()):  # noqa: ASYNC110 - nothing more is reported
            await asyncio.sleep(0.01)


async def test_progress_of_a_job_that_was_just_paused_is_not_published_as_it_is_not_saved(
    store: Store, tmp_path: Path
) -> None:
    job = Tracked(store, tmp_path)
    await store.write(lambda tx: tx.insert(job.slot.job))  # it is `queued`
    assert not await job.marked(Phase.VIDEO, 10, 100)
    assert not job.publisher._sources.live  # noqa: SLF001 - what would be published


async def test_progress_is_published_after_a_step_or_where_it_is_old_and_bytes_arrive(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.PROGRESS_DELAY", 0)
    job = await running(store, tmp_path)
    assert JobProgressTopic in await job.marked(Phase.VIDEO, 10, 100)
    assert JobProgressTopic not in await job.marked(Phase.VIDEO, 10.9, 109)
    assert JobProgressTopic in await job.marked(Phase.VIDEO, 11, 110)
    assert JobProgressTopic in await job.marked(Phase.AUDIO, 11, 110)
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.PUBLISH_AGE", 0.0)
    assert JobProgressTopic in await job.marked(Phase.AUDIO, 11, 111)
    assert JobProgressTopic not in await job.marked(Phase.AUDIO, 11, 111)


async def test_small_steps_are_saved_together_and_the_last_one_once_it_is_old(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.SAVE_INTERVAL", 0.01)
    monkeypatch.setattr("mediarip_mqtt.jobs.progress.PUBLISH_AGE", 0.4)
    job = await running(store, tmp_path)
    saving = asyncio.create_task(job.tracker.save_continuously())

    async def saved(received: int) -> None:
        async with asyncio.timeout(5):
            while job.slot.saved is None or job.slot.saved.downloaded_bytes != received:  # noqa: ASYNC110 - the task saves
                await asyncio.sleep(0.005)

    job.report(Report(Phase.VIDEO, 10, 100))
    await saved(100)
    job.report(Report(Phase.VIDEO, 10.4, 104))
    await asyncio.sleep(0.1)
    assert job.slot.saved
    assert job.slot.saved.downloaded_bytes == 100  # too small a step
    job.report(Report(Phase.VIDEO, 10.5, 105))
    await saved(105)
    job.report(Report(Phase.VIDEO, 10.6, 106))  # the last one
    await saved(106)
    assert job.slot.published
    assert job.slot.published.downloaded_bytes == 106
    saving.cancel()
    await asyncio.wait({saving})


def test_a_job_sends_at_most_five_progress_messages_in_any_second_and_always_its_last_one(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__MAX_CONCURRENT="4").start()
    mp3 = {"media_type": "audio", "output_format": "mp3"}
    try:
        jobs = [
            client.download(media.url("/media/avhls/master.m3u8")),  # two streams, merged
            client.download(media.url("/media/video.mp4"), **mp3),  # converted
            client.download(media.url("/bytes/1000/a.mp4")),
            client.download(media.url("/slow/400000/bytes/800000/b.mp4")),
        ]
        for _ in range(5):  # each makes the last job begin anew, with all its phases
            client.publish("command/pause", jobs[-1], wait=False)
            client.publish("command/resume", jobs[-1], wait=False)
            client.wait_status(jobs[-1], "downloading")
        for job_id in jobs:
            client.wait_status(job_id, "completed")
            wait_for(lambda: client.json(f"job/{job_id}/progress").get("progress_percent") == 100)  # noqa: B023 - called at once
    finally:
        service.stop()  # publishes what it still holds back
    for job_id in jobs:
        times, payloads = zip(*client.arrivals(f"job/{job_id}/progress"), strict=True)
        crowded = [
            later - first
            for first, later in zip(times, times[MESSAGES_PER_SECOND:], strict=False)
            if later - first < 1
        ]
        assert not crowded, (job_id, payloads)
        percents = [json.loads(payload)["progress_percent"] for payload in payloads]
        assert percents == sorted(percents)
        assert json.loads(payloads[-1])["status"] == "completed"


def test_a_topic_that_is_cleared_waits_for_no_progress_message(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port).start()
    try:
        job_id = client.download(media.url("/media/avhls/master.m3u8"))
        client.wait_status(job_id, "completed")
        assert client.request("delete", id=job_id)["ok"]
        wait_for(lambda: client.arrivals(f"job/{job_id}/progress")[-1][1] == "", 0.7)
    finally:
        service.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/silent/page.html", "/stall/100000/bytes/9000000/x.mp4"],
    ids=["extraction", "transfer"],
)
def test_an_attempt_without_progress_is_ended_retried_and_failed_with_a_reason(
    path: str, impatient: Service, client: Client, media: MediaServer
) -> None:
    job = client.wait_status(client.download(media.url(path)), "failed", timeout=30)
    assert job["error_code"] == "timeout"
    assert "Nothing moved" in job["error_message"]
    assert job["attempt"] == 2
    assert client.events("retrying")
    wait_for(lambda: not media.open)
    assert impatient.running


@pytest.mark.slow
def test_a_slow_download_that_moves_is_left_alone(
    impatient: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/20000/bytes/100000/x.mp4"))
    assert client.wait_status(job_id, "completed", "failed", timeout=30)["status"] == "completed"
    assert client.job(job_id)["attempt"] == 1
    assert impatient.running
