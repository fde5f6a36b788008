"""How fast, how many at once and when: per job, per site, in quiet hours, and before a premiere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from yt_dlp.utils import ExtractorError

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import DownloadSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.error_classes import classify
from mediarip_mqtt.jobs import job_reference
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> Iterator[Run]:
    begun: list[Service] = []

    def run(**settings: str) -> Service:
        begun.append(Service(tmp_path, mosquitto.port, fresh=False, **settings).start())
        return begun[-1]

    yield run
    for one in begun:
        one.stop()


def limits(**downloads: object) -> Limits:
    found = DownloadSettings.model_validate(downloads)
    return Limits(Preferences(Settings(downloads=found)), found.sites)


def job(url: str, rate_limit: int | None = None) -> Job:
    return Job(id="x", session_id="default", url=url, rate_limit=rate_limit, created_at=NOW)


def local(clock: str) -> datetime:
    hour, minute = clock.split(":")
    return datetime.now().astimezone().replace(hour=int(hour), minute=int(minute))


@pytest.mark.parametrize(
    ("hours", "clock", "end"),
    [
        ("22:30-07:00", "23:00", "07:00"),
        ("22:30-07:00", "06:59", "07:00"),
        ("01:00-05:15", "01:00", "05:15"),
        ("22:30-07:00", "07:00", None),
        ("", "23:00", None),
    ],
)
def test_it_is_known_when_the_quiet_hours_end(hours: str, clock: str, end: str | None) -> None:
    now = local(clock)
    ends = limits(quiet_hours=hours).rest_ends(now)
    assert (ends and f"{ends.astimezone():%H:%M}") == end
    assert ends is None or timedelta() < ends - now < timedelta(hours=12)
    assert limits(quiet_hours=hours, quiet_rate_limit=1000).rest_ends(now) is None


@pytest.mark.slow
def test_one_download_can_be_slowed_by_its_sender(
    service: Service, client: Client, media: MediaServer
) -> None:
    slow = client.download(media.url("/bytes/3000000/slow.mp4"), rate_limit="200K")
    fast = client.download(media.url("/bytes/3000000/fast.mp4"))
    client.wait_status(fast, "completed")
    assert client.job(slow)["status"] == "downloading"
    assert client.job(slow)["rate_limit"] == 200 * 1024
    client.request("cancel", id=slow)
    assert service.running


@pytest.mark.slow
def test_a_new_rate_limit_is_that_of_running_downloads_too(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.request("settings", rate_limit=20_000)
    job_id = client.download(media.url("/bytes/3000000/x.mp4"))  # 150 s at this rate
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes"))
    client.request("settings", rate_limit=0)
    client.wait_status(job_id, "completed", timeout=30)
    assert service.media() == ["x.mp4"]


@pytest.mark.slow
def test_a_site_has_its_own_number_of_downloads_at_once(
    run: Run, client: Client, media: MediaServer
) -> None:
    run(DOWNLOADS__SITES=json.dumps({"127.0.0.1": {"max_concurrent": 1}}))
    many = [
        client.download(media.url(f"/stall/9000/bytes/9000000/{number}.mp4")) for number in range(3)
    ]
    other = client.download(media.url("/bytes/9000/other.mp4", "localhost"))
    client.wait_status(other, "completed")
    wait_for(lambda: client.job(many[0]).get("status") == "downloading")
    assert [client.job(one)["status"] for one in many[1:]] == ["queued", "queued"]
    client.request("cancel", id=many[0])
    wait_for(lambda: client.job(many[1])["status"] == "downloading")
    client.request("cancel", id="all")


@pytest.mark.slow
def test_a_site_has_a_pause_from_one_download_to_the_next(
    run: Run, client: Client, media: MediaServer
) -> None:
    run(DOWNLOADS__SITES=json.dumps({"127.0.0.1": {"pause": 2}}))
    ids = [client.download(media.url(f"/bytes/9000/{number}.mp4")) for number in range(3)]
    done = [client.wait_status(one, "completed") for one in ids]
    began = sorted(datetime.fromisoformat(one["started_at"]) for one in done)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]
    assert all(gap > 1.9 for gap in gaps), gaps


@pytest.mark.slow
def test_downloads_rest_in_the_quiet_hours_and_go_on_after_them(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/1000000/bytes/4000000/x.mp4"))
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes", 0) > 500_000)
    client.publish("setting/quiet_hours/set", "00:00-23:59")
    wait_for(lambda: client.json("state").get("pause_reason") == "quiet_hours", 20)
    wait_for(lambda: client.job(job_id)["status"] == "queued")
    assert not service.media()
    client.publish("setting/quiet_hours/set", "")
    client.wait_status(job_id, "completed", timeout=30)
    assert media.ranges("x.mp4")
    assert client.json("state")["pause_reason"] is None


@pytest.mark.parametrize(
    ("hours", "clock", "quiet"),
    [
        ("22:30-07:00", "23:00", True),
        ("22:30-07:00", "06:59", True),
        ("22:30-07:00", "07:00", False),
        ("22:30-07:00", "12:00", False),
        ("12:00-13:00", "12:00", True),
        ("12:00-13:00", "13:00", False),
        ("", "03:00", False),
    ],
)
def test_quiet_hours_may_go_over_midnight(
    hours: str,
    clock: str,
    quiet: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert limits(quiet_hours=hours).is_quiet(local(clock)) is quiet


def test_the_least_of_all_rate_limits_counts() -> None:
    sites = {"slow.example": {"rate_limit": "50K"}}
    mine = limits(rate_limit="200K", quiet_hours="22:00-07:00", quiet_rate_limit="10K", sites=sites)
    day, night = local("12:00"), local("23:00")
    assert mine.rate(job("https://a.example/x"), day) == 200 * 1024
    assert mine.rate(job("https://a.example/x", 100_000), day) == 100_000
    assert mine.rate(job("https://a.example/x", 10**9), day) == 200 * 1024
    assert mine.rate(job("https://www.slow.example/x"), day) == 50 * 1024
    assert mine.rate(job("https://www.slow.example/x"), night) == 10 * 1024
    assert not mine.rests(night)
    assert limits(quiet_hours="22:00-07:00").rests(night)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Premieres in 3 hours", 3600.0),  # looked at once an hour at least
        ("This live event will begin in 20 minutes.", 1200.0),
        ("This live event will begin in a few moments.", 600.0),
        ("This live event will begin in 0 minutes.", 60.0),
    ],
)
async def test_a_premiere_is_waited_for_without_using_up_attempts(
    store: Store, text: str, seconds: float
) -> None:
    clock = [NOW]
    jobs = Jobs(
        Topics("mediarip"),
        Preferences(Settings()),
        upcoming_wait=86400,
        clock=lambda: clock[0],
        jitter=lambda: 0,
    )
    url = "https://example.com/x"
    one = await store.write(lambda tx: jobs.add(tx, url, DownloadOptions(), session_id="default"))
    for _ in range(5):
        await store.write(lambda tx: jobs.claim(tx, [], extracted=lambda _: False))
        error = classify(ExtractorError(text, expected=True))
        waiting = await store.write(partial(jobs.fail, job_id=one.id, error=error))
        assert waiting is not None
        assert (waiting.status, waiting.attempt, waiting.error_code) == (
            "retrying",
            0,
            "not_yet_live",
        )
        assert waiting.next_retry_at == clock[0] + timedelta(seconds=seconds)
        clock[0] += timedelta(hours=1)
    clock[0] += timedelta(days=1)
    await store.write(lambda tx: jobs.claim(tx, [], extracted=lambda _: False))
    failed = await store.write(lambda tx: jobs.fail(tx, one.id, error))
    assert failed is not None
    assert failed.status == "failed"


async def test_a_premiere_is_waited_for_again_after_a_retry_of_an_old_job(store: Store) -> None:
    clock = [NOW]
    jobs = Jobs(
        Topics("mediarip"), Preferences(Settings()), upcoming_wait=86400, clock=lambda: clock[0]
    )
    soon = classify(ExtractorError("Premieres in 3 hours", expected=True))
    url = "https://example.com/x"
    one = await store.write(lambda tx: jobs.add(tx, url, DownloadOptions(), session_id="default"))
    await store.write(lambda tx: jobs.cancel(tx, one))
    clock[0] += timedelta(days=30)
    await store.write(lambda tx: jobs.retry(tx, job_reference.find(tx, one.id)))
    began = await store.write(lambda tx: jobs.claim(tx, [], extracted=lambda _: False))
    assert began is not None
    assert began.started_at == clock[0]
    waiting = await store.write(lambda tx: jobs.fail(tx, one.id, soon))
    assert waiting is not None
    assert waiting.status == "retrying"


async def test_a_site_below_a_busy_one_that_has_limits_of_its_own_is_not_held_up(
    store: Store,
) -> None:
    jobs = Jobs(Topics("mediarip"), Preferences(Settings()))
    mine = limits(
        sites={
            "a.example": {"max_concurrent": 1},
            "b.a.example": {"max_concurrent": 2},
            "c.b.a.example": {"max_concurrent": 1},
        }
    )
    running = [job("https://www.a.example/1"), job("https://c.b.a.example/1")]
    for host in ("a.example", "x.a.example", "c.b.a.example", "B.a.example", "xa.example"):
        url = f"https://{host}/2"
        await store.write(lambda tx: jobs.add(tx, url, DownloadOptions(), session_id="default"))  # noqa: B023 - awaited in the loop
    busy = mine.busy_sites(running)
    due = await store.read(lambda tx: tx.due(datetime.now(UTC), [], 9, busy_sites=busy))
    assert [one.url for one in due] == ["https://B.a.example/2", "https://xa.example/2"]


async def test_a_channel_that_is_not_live_is_not_waited_for() -> None:
    assert not classify(ExtractorError("The channel is not currently live", expected=True)).begins
