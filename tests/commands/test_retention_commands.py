"""Retention: finished jobs go by age, with the files that the service wrote, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service


def finished(client: Client, media: MediaServer, name: str, **fields: str) -> str:
    job_id = client.download(media.url(name), **fields)
    client.wait_status(job_id, "completed", "failed")
    return job_id


def test_a_dry_run_tells_what_would_go_and_removes_nothing(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = finished(client, media, "/bytes/1000/a.mp4")
    reply = client.request("purge", older_than=0, files=True, dry_run=True)
    assert (reply["removed"], reply["dry_run"]) == ([job_id], True)
    assert len(service.media()) == 1
    assert client.job(job_id)["status"] == "completed"


def test_jobs_and_their_files_go_and_what_is_not_the_service_s_stays(
    service: Service, client: Client, media: MediaServer
) -> None:
    first = finished(client, media, "/bytes/1000/a.mp4", folder="shows/one")
    second = finished(client, media, "/bytes/1000/b.mp4", folder="shows/two")
    own = service.root / "shows" / "two" / "a person's.mp4"
    own.write_bytes(b"mine")
    running = client.download(media.url("/slow/2000/bytes/900000/c.mp4"))
    client.wait_status(running, "downloading")
    reply = client.request("purge", older_than=0, files=True)
    assert (reply["removed"], reply["count"], reply["dry_run"]) == ([first, second], 2, False)
    assert service.media() == ["shows/two/a person's.mp4"]
    assert not (service.root / "shows" / "one").exists()
    wait_for(
        lambda: not client.kept(f"job/{first}/state") and not client.kept(f"job/{second}/state")
    )
    wait_for(lambda: len(client.events("deleted")) == 2)
    assert client.job(running)["status"] == "downloading"


def test_without_files_they_stay_and_without_an_age_young_jobs_do(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = finished(client, media, "/bytes/1000/a.mp4")
    assert client.request("purge")["removed"] == []  # a month is the age by default
    assert client.request("purge", older_than=3600)["removed"] == []
    assert client.request("purge", older_than=0)["removed"] == [job_id]
    assert len(service.media()) == 1


def test_only_the_wanted_statuses_go(service: Service, client: Client, media: MediaServer) -> None:
    good = finished(client, media, "/bytes/1000/a.mp4")
    bad = finished(client, media, "/status/404/b.mp4")
    assert client.request("purge", older_than=0, status=["cancelled"])["removed"] == []
    assert client.request("purge", older_than=0, status="failed")["removed"] == [bad]
    assert client.job(good)["status"] == "completed"
    for wrong in ("queued", "nonsense", ["completed", "downloading"]):
        refused = client.request("purge", older_than=0, status=wrong)["error"]
        assert (refused["code"], refused["field"]) == ("invalid_payload", "status")
    assert client.request("purge", older_than=-1)["error"]["field"] == "older_than"
    assert service.running


def test_a_playlist_goes_with_all_its_items(
    service: Service, client: Client, media: MediaServer
) -> None:
    feed = client.download(media.url("/feed/good.xml"))
    client.wait_status(feed, "completed")
    assert len(service.media()) == 3
    assert client.request("purge", older_than=0, files=True)["removed"] == [feed]
    assert service.media() == []
    wait_for(lambda: not [one for one in list(client.retained) if "/job/" in one])


def test_a_repeated_request_purges_once(
    service: Service, client: Client, media: MediaServer
) -> None:
    first = finished(client, media, "/bytes/1000/a.mp4")
    assert client.request("purge", older_than=0, request_id="p")["removed"] == [first]
    second = finished(client, media, "/bytes/1000/b.mp4")
    client.publish("command/purge", {"request_id": "p", "older_than": 0, "files": True})
    wait_for(lambda: len(client.replies("p")) == 2)
    assert client.replies("p")[1]["removed"] == [first]
    assert client.job(second)["status"] == "completed"
    assert len(service.media()) == 2


@pytest.mark.slow
def test_old_jobs_go_by_the_clock_with_a_report(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    purge = {"ENABLED": "true", "CRON": "* * * * *", "MAX_AGE": "0", "FILES": "true"}
    settings = {f"PURGE__{key}": one for key, one in purge.items()}
    service = Service(tmp_path, mosquitto.port, **settings).start()  # type: ignore[arg-type] # strings all
    try:
        job_id = finished(client, media, "/bytes/1000/a.mp4")
        wait_for(lambda: not client.kept(f"job/{job_id}/state"), 75, "the minute's end")
        assert service.media() == []
        report = wait_for(lambda: client.events("purged"))[0]
        assert (report["count"], report["files"]) == (1, 1)
    finally:
        service.stop()


@pytest.mark.slow
def test_in_privacy_mode_nothing_is_kept_of_a_job_but_its_file(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, PURGE__PRIVACY_MODE="true").start()
    try:
        good = finished(client, media, "/bytes/1000/a.mp4")
        bad = finished(client, media, "/status/404/secret.mp4")
        for job_id in (good, bad):
            wait_for(lambda: not client.kept(f"job/{job_id}/state"), 100, "the forgetting")  # noqa: B023 - called at once
        assert len(service.media()) == 1
        wait_for(lambda: not client.request("errors")["errors"], 30)
        assert client.json("jobs")["finished"] == []
    finally:
        service.stop()
