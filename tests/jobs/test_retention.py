"""What retention takes and what it leaves: by number and size, kept jobs, foreign files, bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.models import Job, JobFile, JobStatus
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import PurgeSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.jobs.retention import Retention, Rule
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.service import load_settings
from mediarip_mqtt.store import Store, Tx
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def finished(client: Client, media: MediaServer, name: str, **fields: object) -> str:
    job_id = client.download(media.url(name), **fields)
    client.wait_status(job_id, "completed", "failed")
    return job_id


@pytest.mark.slow
def test_the_newest_stay(service: Service, client: Client, media: MediaServer) -> None:
    ids = [finished(client, media, f"/bytes/1000/{name}.mp4") for name in "abcd"]
    assert client.request("purge", keep_newest=4)["removed"] == []
    preview = client.request("purge", keep_newest=2, files=True, dry_run=True)
    assert (preview["removed"], preview["freed"]) == (ids[:2], 2000)
    assert len(service.media()) == 4
    reply = client.request("purge", keep_newest=2, files=True)
    assert (reply["removed"], reply["count"], reply["freed"]) == (ids[:2], 2, 2000)
    assert service.media() == ["c.mp4", "d.mp4"]
    wait_for(lambda: client.events("purged"))
    told = {key: client.events("purged")[0][key] for key in ("count", "files", "freed", "kept")}
    assert told == {"count": 2, "files": 2, "freed": 2000, "kept": 0}


@pytest.mark.slow
def test_the_oldest_go_until_the_files_of_the_rest_fit(
    service: Service, client: Client, media: MediaServer
) -> None:
    old = finished(client, media, "/bytes/3000/a.mp4")
    failed = finished(client, media, "/status/404/b.mp4")
    finished(client, media, "/bytes/2000/c.mp4")
    finished(client, media, "/bytes/2048/d.mp4")
    assert client.request("purge", max_total_size="1G")["removed"] == []
    assert client.request("purge", max_total_size=7048)["removed"] == []
    reply = client.request("purge", max_total_size="4K")
    assert (reply["removed"], reply["freed"]) == ([old], 3000)
    assert service.media() == ["c.mp4", "d.mp4"]
    assert client.job(failed)["status"] == "failed"  # it takes no space
    for wrong in ("much", -1, "9" * 400):
        refused = client.request("purge", max_total_size=wrong)["error"]
        assert (refused["code"], refused["field"]) == ("invalid_payload", "max_total_size")


@pytest.mark.slow
def test_a_job_goes_if_any_rule_says_so_and_rules_not_named_say_nothing(
    service: Service, client: Client, media: MediaServer
) -> None:
    ids = [finished(client, media, f"/bytes/1000/{name}.mp4") for name in "abc"]
    both = client.request("purge", keep_newest=2, max_total_size=1500, dry_run=True)
    assert both["removed"] == ids[:2]
    assert client.request("purge", keep_newest=1, older_than=3600)["removed"] == ids[:2]
    assert client.request("purge", keep_newest=0, status="failed")["removed"] == []
    assert client.request("purge", keep_newest=0)["removed"] == ids[2:]
    assert len(service.media()) == 3  # without `files` they stay


@pytest.mark.slow
def test_a_playlist_counts_as_one_job_with_the_bytes_of_its_items(
    service: Service, client: Client, media: MediaServer
) -> None:
    feed = client.download(media.url("/feed/good.xml"))
    client.wait_status(feed, "completed")
    newest = finished(client, media, "/bytes/1000/z.mp4")
    assert client.request("purge", keep_newest=2)["removed"] == []
    reply = client.request("purge", max_total_size=90_000)
    assert (reply["removed"], reply["freed"]) == ([feed], 90_000)
    assert client.job(newest)["status"] == "completed"


def test_kept_jobs_are_purged_by_no_rule_nor_deleted_with_all(
    service: Service, client: Client, media: MediaServer
) -> None:
    kept = finished(client, media, "/bytes/1000/a.mp4", keep=True)
    later = finished(client, media, "/bytes/1000/b.mp4")
    other = finished(client, media, "/bytes/1000/c.mp4")
    client.publish("command/keep", later)
    wait_for(lambda: client.job(later)["keep"])
    reply = client.request("purge", older_than=0, keep_newest=0, max_total_size=0)
    assert (reply["removed"], reply["kept"]) == ([other], 2)
    assert client.request("delete", id="all", files=True)["job_ids"] == []
    assert service.media() == ["a.mp4", "b.mp4"]
    assert client.request("keep", id=later, keep=False)["job"]["keep"] is False
    assert client.request("purge", older_than=0, files=True)["removed"] == [later]
    assert client.request("delete", id=kept, files=True)["ok"]
    assert service.media() == []


def test_a_playlist_of_which_anything_is_kept_stays_whole(
    service: Service, client: Client, media: MediaServer
) -> None:
    feed = client.download(media.url("/feed/good.xml"))
    client.wait_status(feed, "completed")
    jobs = client.request("list")["jobs"]
    item = next(job for job in jobs if job["parent_id"] == feed)
    assert client.request("keep", id=item["id"])["ok"]
    assert client.request("purge", older_than=0, files=True)["removed"] == []
    assert client.request("delete", id="all", files=True)["count"] == 0
    assert len(service.media()) == 3
    assert client.request("keep", id=feed, keep=False)["ok"]  # with all its items
    assert client.request("purge", older_than=0, files=True)["removed"] == [feed]


def test_items_of_a_playlist_to_be_kept_are_kept(
    service: Service, client: Client, media: MediaServer
) -> None:
    feed = client.download(media.url("/feed/good.xml"), keep=True)
    client.wait_status(feed, "completed")
    assert all(job["keep"] for job in client.request("list")["jobs"])


@pytest.fixture
def odd(service: Service, client: Client, media: MediaServer) -> Iterator[Path]:
    """A folder with foreign things beside and instead of a service's files."""
    for name in "abc":
        finished(client, media, f"/bytes/1000/{name}.mp4", folder="shows/x")
    folder = service.root / "shows" / "x"
    (folder / "a person's.mp4").write_bytes(b"mine")
    outside = service.root / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_bytes(b"mine")
    (folder / "b.mp4").unlink()
    (folder / "b.mp4").symlink_to(outside / "kept.txt")
    (folder / "c.mp4").unlink()
    (folder / "c.mp4").mkdir()
    (folder / "c.mp4" / "inner.txt").write_bytes(b"mine")
    yield folder
    assert (outside / "kept.txt").read_bytes() == b"mine"


def test_what_the_service_did_not_write_stays(client: Client, odd: Path) -> None:
    reply = client.request("purge", older_than=0, files=True)
    assert (reply["count"], reply["freed"], reply["failed"]) == (3, 1000, 0)
    names = {str(one.relative_to(odd)) for one in odd.rglob("*")}
    assert names == {"a person's.mp4", "b.mp4", "c.mp4", "c.mp4/inner.txt"}
    assert (odd / "b.mp4").is_symlink()


def test_a_folder_that_became_a_link_is_not_followed(
    service: Service, client: Client, media: MediaServer
) -> None:
    finished(client, media, "/bytes/1000/a.mp4", folder="shows")
    (service.root / "shows").rename(service.root / "moved")
    (service.root / "shows").symlink_to(service.root / "moved")
    client.request("purge", older_than=0, files=True)
    assert service.media() == ["moved/a.mp4"]
    assert (service.root / "shows").is_symlink()


def test_the_file_of_a_newer_job_stays_when_an_older_one_with_its_name_goes(
    service: Service, client: Client, media: MediaServer
) -> None:
    old = finished(client, media, "/bytes/1000/a.mp4")
    (service.root / "a.mp4").unlink()
    new = finished(client, media, "/bytes/1000/a.mp4", keep=True)
    assert client.job(old)["filename"] == client.job(new)["filename"] == "a.mp4"
    reply = client.request("purge", older_than=0, files=True)
    assert (reply["removed"], reply["freed"]) == ([old], 0)
    assert service.media() == ["a.mp4"]


def test_a_size_that_frees_nothing_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDIARIP__PURGE__MAX_TOTAL_SIZE", "500G")
    with pytest.raises(ConfigError, match="has no effect without `files: true`"):
        load_settings.load()
    monkeypatch.setenv("MEDIARIP__PURGE__FILES", "true")
    assert load_settings.load().purge.max_total_size == 500 * 2**30


async def full_store(path: Path, count: int) -> Store:
    """A store with finished jobs, a second apart, each with a file of 10 bytes."""
    store = Store(path / "s.db", journal_mode="wal", exclusive=False)
    await store.open()

    def fill(tx: Tx) -> None:
        for number in range(count):
            moment = START + timedelta(seconds=number)
            tx.insert(
                Job(
                    id=f"job-{number:06}",
                    session_id="default",
                    url="https://example.com",
                    status=JobStatus.COMPLETED,
                    created_at=moment,
                    completed_at=moment,
                )
            )
            name = f"{number}.mp4"
            tx.plan_files(f"job-{number:06}", [JobFile(temp_path="t", filename=name, filesize=10)])
            tx.files_placed(f"job-{number:06}")

    await store.write(fill)
    return store


def retention(store: Store, root: Path, **purge: object) -> Retention:
    topics = Topics("mediarip")
    section = PurgeSettings.model_validate(purge)
    jobs = Jobs(topics, Preferences(Settings()))
    return Retention(store, jobs, section, root=root, clock=lambda: START)


async def test_by_the_clock_the_limits_of_the_settings_hold(tmp_path: Path) -> None:
    store = await full_store(tmp_path, 10)
    await store.write(lambda tx: tx.update("job-000000", keep=True))
    await retention(store, tmp_path, max_count=6).purge()
    left = await store.read(lambda tx: tx.jobs(newest_first=False))
    assert [job.id[-1] for job in left] == list("0456789")
    await retention(store, tmp_path, max_total_size=20, files=True).purge()
    left = await store.read(lambda tx: tx.jobs(newest_first=False))
    assert [job.id[-1] for job in left] == list("089")
    await retention(store, tmp_path).forget()  # START is before their end
    assert len(await store.read(lambda tx: tx.jobs())) == 3
    await store.close()


async def test_in_privacy_mode_kept_jobs_stay(tmp_path: Path) -> None:
    store = await full_store(tmp_path, 3)
    await store.write(lambda tx: tx.update("job-000001", keep=True))
    later = retention(store, tmp_path)
    later._clock = lambda: START + timedelta(days=1)  # noqa: SLF001 - the time it is for it
    await later.forget()
    assert [job.id for job in await store.read(lambda tx: tx.jobs())] == ["job-000001"]
    await store.close()


async def test_a_purge_that_was_killed_midway_is_ended_by_the_same_purge(tmp_path: Path) -> None:
    store = await full_store(tmp_path, 250)
    one, rule = retention(store, tmp_path), Rule(keep_newest=5)
    killed = await one.begin(rule, files=True)
    assert len(await store.read(lambda tx: tx.jobs(limit=1000))) == 50  # the last ones wait
    assert len(killed.rest) == 45
    purge = await one.begin(rule, files=True)
    report = await store.write(partial(one.finish, purge=purge))
    assert (report.count, report.failed) == (45, 0)
    assert len(await store.read(lambda tx: tx.jobs(limit=1000))) == 5
    await store.close()


async def test_a_job_that_is_kept_while_a_purge_is_under_way_stays(tmp_path: Path) -> None:
    store = await full_store(tmp_path, 3)
    one = retention(store, tmp_path)
    purge = await one.begin(Rule(keep_newest=0), files=False)
    await store.write(lambda tx: tx.update("job-000001", keep=True))
    report = await store.write(partial(one.finish, purge=purge))
    assert report.removed == ["job-000000", "job-000002"]
    await store.close()


@pytest.mark.slow
async def test_a_purge_of_very_many_jobs_lets_others_write_and_answers_briefly(
    tmp_path: Path,
) -> None:
    store = await full_store(tmp_path, 20_000)
    one = retention(store, tmp_path)
    waits: list[float] = []
    ended = asyncio.Event()

    async def write_meanwhile() -> None:
        while not ended.is_set():
            began = time.monotonic()
            await store.write(lambda tx: tx.set_config("key", "value", START))
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.01)

    other = asyncio.create_task(write_meanwhile())
    purge = await one.begin(Rule(keep_newest=5), files=False)
    report = await store.write(partial(one.finish, purge=purge))
    ended.set()
    await other
    assert (report.count, len(report.removed)) == (19_995, 1000)
    assert len(report.model_dump_json()) < 100_000
    assert len(waits) > 20
    assert max(waits) < 5  # all at once it would be the whole time; the machine is busy
    assert len(await store.read(lambda tx: tx.jobs())) == 5
    await store.close()


@pytest.mark.slow
def test_the_clock_applies_the_limits(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    purge = {"ENABLED": "true", "CRON": "* * * * *", "MAX_COUNT": "1", "FILES": "true"}
    settings = {f"PURGE__{key}": one for key, one in purge.items()}
    service = Service(tmp_path, mosquitto.port, **settings).start()  # type: ignore[arg-type] # strings all
    try:
        old = finished(client, media, "/bytes/1000/a.mp4")
        new = finished(client, media, "/bytes/1000/b.mp4")
        wait_for(lambda: not client.kept(f"job/{old}/state"), 75, "the minute's end")
        assert client.job(new)["status"] == "completed"
        report = wait_for(lambda: client.events("purged"))[0]
        assert (report["count"], report["freed"]) == (1, 1000)
    finally:
        service.stop()
