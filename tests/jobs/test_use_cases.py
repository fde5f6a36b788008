"""What a person does to a playlist holds for all in it, however deep: a channel has tabs."""

from __future__ import annotations

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Entry, Job, JobFile, JobStatus, MediaInfo, Priority
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from tests.support.broker import Client, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

GONE = DownloadError(ErrorCode.NOT_FOUND, "gone")


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(Topics("mediarip"), Preferences(Settings()))


def page(*urls: str) -> MediaInfo:
    entries = tuple(Entry(url=url, index=number) for number, url in enumerate(urls, start=1))
    return MediaInfo(url="https://e.com", is_playlist=True, entries=entries)


def begin(jobs: Jobs, tx: Tx, url: str) -> Job:
    """Take the job of a URL out of the queue."""
    others = [job.id for job in tx.queue(1000) if job.url != url]
    job = jobs.claim(tx, others, extracted=lambda _: False)
    assert job is not None
    return job


def channel(jobs: Jobs, tx: Tx) -> Job:
    """A channel with two tabs of two videos each, all of which wait."""
    top = jobs.add(tx, "channel", DownloadOptions(), session_id="default")
    jobs.expand(tx, begin(jobs, tx, "channel").id, page("one", "two"))
    for tab in ("one", "two"):
        jobs.expand(tx, begin(jobs, tx, tab).id, page(f"{tab}/a", f"{tab}/b"))
    return tx.job(top.id) or top


def by_url(tx: Tx) -> dict[str, Job]:
    return {job.url: job for job in tx.jobs(limit=1000)}


def statuses(tx: Tx) -> dict[str, str]:
    return {url: job.status.value for url, job in by_url(tx).items()}


def finish(jobs: Jobs, tx: Tx, url: str) -> Job:
    job = begin(jobs, tx, url)
    name = url.replace("/", "-")
    jobs.placing(tx, job.id, [JobFile(temp_path="t", filename=name, filesize=10)])
    done = jobs.complete(tx, job.id)
    assert done is not None
    return done


VIDEOS = ("one/a", "one/b", "two/a", "two/b")


async def test_a_cancelled_channel_leaves_nothing_in_the_queue(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        top = channel(jobs, tx)
        finish(jobs, tx, "one/a")
        jobs.cancel(tx, top)
        found = statuses(tx)
        assert found.pop("one/a") == "completed"
        assert set(found.values()) == {"cancelled"}

    await store.write(run)


async def test_a_channel_ends_with_its_last_video(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        channel(jobs, tx)
        for url in VIDEOS[:-1]:
            finish(jobs, tx, url)
        assert statuses(tx)["channel"] == "downloading"
        assert by_url(tx)["channel"].progress_percent == 75
        jobs.fail(tx, begin(jobs, tx, "two/b").id, GONE)
        assert statuses(tx)["channel"] == statuses(tx)["two"] == "completed"

    await store.write(run)


async def test_a_channel_is_deleted_and_purged_with_all_below_it_and_their_files(
    store: Store, jobs: Jobs
) -> None:
    def run(tx: Tx) -> None:
        top = channel(jobs, tx)
        for url in VIDEOS:
            finish(jobs, tx, url)
        assert len(tx.owned_files([top.id])) == 4
        assert [(one.id, one.size) for one in tx.ended({JobStatus.COMPLETED}, None)] == [
            (top.id, 40)
        ]
        everything = {job.id for job in tx.jobs()}
        tx.changes.jobs.clear()
        jobs.delete(tx, tx.job(top.id) or top)
        assert tx.jobs() == []
        assert tx.changes.jobs.keys() == everything  # their topics are cleared
        assert sum(tx.counts().values()) == 0

    await store.write(run)


async def test_a_channel_of_which_one_video_is_kept_stays_whole(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        top = channel(jobs, tx)
        for url in VIDEOS:
            finish(jobs, tx, url)
        jobs.keep(tx, by_url(tx)["one/a"], keep=True)
        assert tx.is_kept(top.id)
        assert tx.kept() == {job.id for job in tx.jobs()}
        assert tx.ended({JobStatus.COMPLETED}, None) == []
        assert tx.count_kept({JobStatus.COMPLETED}, None) == 1
        jobs.keep(tx, by_url(tx)["channel"], keep=False)
        assert not tx.is_kept(top.id)
        assert tx.kept() == set()

    await store.write(run)


async def test_a_channel_is_paused_prioritized_and_resumed_with_all_below_it(
    store: Store, jobs: Jobs
) -> None:
    def run(tx: Tx) -> None:
        top = channel(jobs, tx)
        finish(jobs, tx, "one/a")
        jobs.pause(tx, top)
        found = statuses(tx)
        assert found.pop("one/a") == "completed"
        assert set(found.values()) == {"paused"}
        jobs.prioritize(tx, by_url(tx)["channel"], Priority.HIGH)
        assert by_url(tx)["two/b"].priority is Priority.HIGH
        jobs.resume(tx, by_url(tx)["channel"])
        found = statuses(tx)
        assert {found[one] for one in ("channel", "one", "two")} == {"downloading"}
        assert {found[one] for one in VIDEOS[1:]} == {"queued"}

    await store.write(run)


async def test_a_channel_s_failed_videos_are_tried_again(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        channel(jobs, tx)
        for url in VIDEOS[:-1]:
            jobs.fail(tx, begin(jobs, tx, url).id, GONE)
        finish(jobs, tx, "two/b")
        assert statuses(tx) | {"one": "failed", "two": "completed"} == statuses(tx)
        jobs.retry(tx, by_url(tx)["channel"])
        found = statuses(tx)
        assert {found[one] for one in ("channel", "one", "two")} == {"downloading"}
        assert [found[one] for one in VIDEOS] == ["queued", "queued", "queued", "completed"]
        for url in VIDEOS[:-1]:
            finish(jobs, tx, url)
        assert set(statuses(tx).values()) == {"completed"}

    await store.write(run)


async def test_a_video_that_is_tried_again_opens_all_above_it(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        channel(jobs, tx)
        for url in VIDEOS:
            jobs.fail(tx, begin(jobs, tx, url).id, GONE)
        assert statuses(tx)["channel"] == "failed"
        jobs.retry(tx, by_url(tx)["one/b"])
        assert statuses(tx) | {"channel": "downloading", "one": "downloading"} == statuses(tx)
        assert statuses(tx)["two"] == "failed"
        finish(jobs, tx, "one/b")
        assert statuses(tx)["channel"] == statuses(tx)["one"] == "completed"

    await store.write(run)


def test_a_feed_of_feeds_goes_with_its_files_and_topics(
    service: Service, client: Client, media: MediaServer
) -> None:
    inner = media.feed("inner", [media.url(f"/bytes/1000/{name}.mp4") for name in "ab"])
    top = client.download(media.feed("outer", [inner, media.url("/bytes/1000/c.mp4")]))
    assert client.wait_status(top, "completed", "failed")["items"]["completed"] == 2
    assert len(service.media()) == 3
    assert client.request("delete", id=top, files=True)["ok"]
    assert service.media() == []
    wait_for(lambda: not [one for one in list(client.retained) if "/job/" in one])


@pytest.mark.parametrize("then", ["a restart", "a pause"])
async def test_a_playlist_without_items_that_is_tried_again_is_read_again(
    then: str, store: Store, jobs: Jobs
) -> None:
    def run(tx: Tx) -> None:
        top = jobs.add(tx, "list", DownloadOptions(), session_id="default")
        jobs.expand(tx, begin(jobs, tx, "list").id, page("gone"))
        jobs.fail(tx, begin(jobs, tx, "gone").id, GONE)
        jobs.delete(tx, by_url(tx)["gone"])
        assert statuses(tx) == {"list": "failed"}
        jobs.retry(tx, by_url(tx)["list"])
        begin(jobs, tx, "list")
        if then == "a restart":
            jobs.put_all_back(tx)
        else:
            jobs.resume(tx, jobs.pause(tx, by_url(tx)["list"]))
        assert statuses(tx) == {"list": "queued"}
        jobs.expand(tx, begin(jobs, tx, "list").id, page("again"))
        finish(jobs, tx, "again")
        assert tx.job(top.id) == by_url(tx)["list"]
        assert statuses(tx) == {"list": "completed", "again": "completed"}

    await store.write(run)


def limited(**downloads: int) -> Jobs:
    settings = Settings.model_validate({"downloads": downloads})
    return Jobs(Topics("mediarip"), Preferences(settings))


async def test_playlists_of_playlists_end_at_a_depth(store: Store, jobs: Jobs) -> None:
    def run(tx: Tx) -> None:
        jobs.add(tx, "0", DownloadOptions(), session_id="default")
        for depth in range(3):
            jobs.expand(tx, begin(jobs, tx, str(depth)).id, page(str(depth + 1)))
        jobs.expand(tx, begin(jobs, tx, "3").id, page("4"))
        deepest = by_url(tx)["3"]
        assert (deepest.status, deepest.error_code) == ("failed", "unsupported_url")
        assert "playlist" in (deepest.error_message or "")
        assert set(statuses(tx).values()) == {"failed"}
        assert len(statuses(tx)) == 4

    await store.write(run)


async def test_a_playlist_adds_no_more_items_than_may_wait_and_says_so(store: Store) -> None:
    jobs = limited(queue_limit=3)

    def run(tx: Tx) -> None:
        jobs.add(tx, "other", DownloadOptions(), session_id="default")
        jobs.add(tx, "list", DownloadOptions(), session_id="default")
        jobs.expand(tx, begin(jobs, tx, "list").id, page(*"abcd"))
        top = by_url(tx)["list"]
        assert top.items is not None
        assert (top.status, top.items.total) == ("downloading", 2)
        assert "2 of 4 items" in (top.warning or "")
        assert "queue_limit" in (top.warning or "")
        for url in "ab":
            finish(jobs, tx, url)
        assert statuses(tx)["list"] == "completed"
        assert by_url(tx)["list"].warning == top.warning

    await store.write(run)


async def test_a_playlist_of_which_no_item_may_wait_is_tried_again(store: Store) -> None:
    jobs = limited(queue_limit=2, max_attempts=2)

    def run(tx: Tx) -> None:
        for url in ("list", "other"):
            jobs.add(tx, url, DownloadOptions(), session_id="default")
        job = begin(jobs, tx, "list")
        jobs.add(tx, "another", DownloadOptions(), session_id="default")
        jobs.expand(tx, job.id, page("a"))
        waiting = by_url(tx)["list"]
        assert (waiting.status, waiting.error_code) == ("retrying", "queue_full")
        tx.update(job.id, status=JobStatus.EXTRACTING, attempt=2)
        jobs.expand(tx, job.id, page("a"))
        assert statuses(tx)["list"] == "failed"
        assert "a" not in statuses(tx)

    await store.write(run)


async def test_an_isolated_session_s_playlist_keeps_to_the_session_s_limit(store: Store) -> None:
    settings = Settings.model_validate({"session": {"session_queue_limit": 2}})
    jobs = Jobs(Topics("mediarip", isolated=True), Preferences(settings))

    def run(tx: Tx) -> None:
        jobs.add(tx, "list", DownloadOptions(), session_id="ann")
        jobs.add(tx, "bob's", DownloadOptions(), session_id="bob")
        jobs.expand(tx, begin(jobs, tx, "list").id, page(*"abc"))
        assert "session_queue_limit" in (by_url(tx)["list"].warning or "")
        assert sum(tx.counts("ann").values()) == 3

    await store.write(run)


async def test_a_feed_that_names_itself_leaves_room_for_others(store: Store) -> None:
    jobs = limited(queue_limit=40, playlist_limit=4)

    def run(tx: Tx) -> None:
        jobs.add(tx, "top", DownloadOptions(), session_id="default")
        jobs.expand(tx, begin(jobs, tx, "top").id, page(*(f"list {n}" for n in range(4))))
        for number in range(4):
            items = page(*(f"{number}.{n}" for n in range(4)))
            jobs.expand(tx, begin(jobs, tx, f"list {number}").id, items)
        assert tx.waiting_below(by_url(tx)["top"].id) == 10  # a quarter
        warnings = [by_url(tx)[f"list {n}"].warning or "" for n in range(4)]
        assert any(
            "queue_limit, of which playlists in one playlist get a quarter" in w for w in warnings
        )
        jobs.add(tx, "another", DownloadOptions(), session_id="default")

    await store.write(run)
