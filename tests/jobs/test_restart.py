"""What was going on when the service ended goes on, and every file is whole and there once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.broker import Client, wait_for
from tests.support.server import MediaServer, SilentListener
from tests.support.server import content as made_up
from tests.support.service import Service

pytestmark = pytest.mark.slow


SIZE = 600_000


def begun(service: Service, client: Client, url: str) -> str:
    """Return a slow download of which something lies on the volume."""
    job_id = client.download(url)
    wait_for(lambda: service.largest_temporary() > SIZE / 10)
    return job_id


def ended(client: Client, job_id: str) -> dict[str, Any]:
    job = client.wait_status(job_id, "completed", "failed", "cancelled", timeout=30)
    assert job["status"] == "completed", job
    return job


def seconds(path: Path) -> float:
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    return float(subprocess.run([*command, str(path)], capture_output=True, check=True).stdout)


@pytest.mark.parametrize("moved", [False, True], ids=["before the move", "after the move"])
def test_a_kill_between_the_download_and_its_end_makes_one_file(
    moved: bool,  # noqa: FBT001 - a parameter of the test
    service: Service,
    client: Client,
    media: MediaServer,
) -> None:
    job_id = begun(service, client, media.url(f"/slow/600000/bytes/{SIZE}/x.mp4"))
    service.kill()
    # What a kill at this moment leaves: the name is committed, and the file here or there.
    temp = service.root / ".mediarip" / "tmp" / job_id
    whole = temp / "media.mp4"
    next(temp.iterdir()).rename(whole)
    whole.write_bytes(b"whole")
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    with store:
        store.execute(
            "INSERT INTO files (job_id, filename, filesize, temp_path, main) VALUES (?,?,?,?,1)",
            (job_id, "a/final.mp4", 5, str(whole)),
        )
    store.close()
    if moved:
        (service.root / "a").mkdir()
        whole.rename(service.root / "a" / "final.mp4")
    requests = len(media.requests)
    service.start()
    assert ended(client, job_id)["filename"] == "a/final.mp4"
    assert service.media() == ["a/final.mp4"]
    assert (service.root / "a" / "final.mp4").read_bytes() == b"whole"
    assert len(media.requests) == requests
    wait_for(lambda: not service.temporary())


@pytest.mark.parametrize("path", ["hls/i.m3u8", "avhls/master.m3u8"])
def test_segments_that_were_under_way_at_a_kill_make_no_broken_file(
    path: str, service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url(f"/slowhls/0.05/{path}"))
    wait_for(lambda: any("003.ts" in one.path for one in media.requests))
    service.kill()
    service.start()
    job = ended(client, job_id)
    whole = seconds(media.media / "video.mp4")
    assert seconds(service.root / job["filename"]) == pytest.approx(whole, abs=0.3)
    assert len(service.media()) == 1


@pytest.mark.parametrize("length", [SIZE, SIZE + 1000], ids=["complete", "too long"])
def test_a_partial_file_that_has_nothing_to_fetch_any_more_does_not_end_in_failure(
    length: int, service: Service, client: Client, media: MediaServer
) -> None:
    job_id = begun(service, client, media.url(f"/slow/600000/bytes/{SIZE}/x.mp4"))
    service.kill()
    service.temporary()[0].write_bytes(made_up(0, length))
    service.start()
    job = ended(client, job_id)
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)


def test_a_body_that_breaks_off_again_and_again_is_put_together(
    service: Service, client: Client, media: MediaServer
) -> None:
    job = ended(client, client.download(media.url(f"/cut/250000/bytes/{SIZE}/x.mp4")))
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)
    assert media.ranges("x.mp4")


def test_a_body_of_unknown_length_is_taken_to_its_end(
    service: Service, client: Client, media: MediaServer
) -> None:
    job = ended(client, client.download(media.url(f"/unknown/bytes/{SIZE}/x.mp4")))
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)


def test_what_a_person_paused_stays_paused_after_a_kill(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = begun(service, client, media.url(f"/slow/600000/bytes/{SIZE}/x.mp4"))
    assert client.request("pause", id=job_id)["ok"]
    client.wait_status(job_id, "paused")
    wait_for(lambda: not media.open)
    assert client.request("pause")["ok"]
    service.kill()
    service.start()
    wait_for(lambda: client.json("state").get("uptime") is not None)
    assert client.request("get", id=job_id)["job"]["status"] == "paused"
    assert client.json("state")["paused"] is True
    assert client.request("resume", id=job_id)["ok"]
    assert client.request("resume")["ok"]
    job = ended(client, job_id)
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)
    assert media.ranges("x.mp4")


def test_the_service_ends_in_time_whatever_its_downloads_hang_in(
    service: Service, client: Client, media: MediaServer
) -> None:
    listener = SilentListener()
    assert client.request("settings", max_concurrent=4)["ok"]
    urls = [
        f"https://127.0.0.1:{listener.port}/x.mp4",  # a TLS handshake
        media.url("/silent/x.mp4"),
        media.url("/stall/100000/bytes/9000000/x.mp4"),
        media.url("/live/i.m3u8"),  # ffmpeg
    ]
    jobs = [client.download(url) for url in urls]
    wait_for(lambda: client.json("state").get("active") == 4)
    wait_for(lambda: any("/media/hls/s" in one.path for one in media.requests))
    process = psutil.Process(service.pid)
    children = process.children(recursive=True)
    assert service.stop() < 10
    assert not psutil.wait_procs(children, timeout=5)[1]  # idle readers end when the service has
    assert [client.job(job_id)["status"] for job_id in jobs] == ["queued"] * 4
    wait_for(lambda: client.kept("status") == "offline")
    wait_for(lambda: not media.open)
    assert "Traceback" not in service.log
    listener.stop()


def test_temporary_folders_of_jobs_that_are_gone_are_removed_at_the_start(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = begun(service, client, media.url(f"/slow/600000/bytes/{SIZE}/x.mp4"))
    service.stop()
    orphan = service.root / ".mediarip" / "tmp" / "01990000-0000-7000-8000-000000000000"
    shutil.copytree(orphan.parent / job_id, orphan)
    service.start()
    wait_for(lambda: not orphan.exists())
    job = ended(client, job_id)
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)


def test_a_folder_that_is_a_link_out_of_the_volume_takes_no_file(
    service: Service, client: Client, media: MediaServer, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (service.root / "out").symlink_to(tmp_path / "outside")
    job_id = client.download(media.url("/bytes/1000/x.mp4"), folder="out")
    job = client.wait_status(job_id, "failed", "completed")
    assert job["status"] == "failed"
    assert "a link or a file" in job["error_message"]
    assert not list((tmp_path / "outside").iterdir())


def test_cancelled_downloads_leave_no_thread_and_no_descriptor(
    service: Service, client: Client, media: MediaServer
) -> None:
    process = psutil.Process(service.pid)

    def hold() -> tuple[int, int]:
        paths = ["/stall/50000/bytes/900000/a.mp4", "/silent/b.mp4", "/live/i.m3u8"]
        jobs = [client.download(media.url(path)) for path in paths]
        for path in ("a.mp4", "b.mp4", "hls/s"):
            wait_for(lambda wanted=path: any(wanted in one.path for one in media.requests))  # type: ignore[misc] # bound in the loop
        assert client.request("cancel", id="all")["ok"]
        for job_id in jobs:
            client.wait_status(job_id, "cancelled")
        wait_for(lambda: not media.open)
        media.requests.clear()
        return process.num_threads(), process.num_fds()

    hold()
    threads, descriptors = hold()
    for _ in range(3):
        hold()
    wait_for(lambda: process.num_threads() <= threads and process.num_fds() <= descriptors)


@pytest.mark.parametrize("code", ["forbidden_by_site", "login_required", "postprocessing"])
def test_a_failed_job_goes_on_where_it_was_unless_its_files_may_be_what_failed(
    code: str, service: Service, client: Client, media: MediaServer
) -> None:
    job_id = begun(service, client, media.url(f"/slow/600000/bytes/{SIZE}/x.mp4"))
    service.kill()
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    with store:
        store.execute("UPDATE jobs SET status = 'failed', error_code = ?", (code,))
    store.close()
    service.start()
    wait_for(lambda: client.job(job_id)["status"] == "failed")
    kept = code != "postprocessing"
    assert bool(service.temporary()) is kept
    assert client.request("retry", id=job_id)["ok"]
    job = ended(client, job_id)
    assert (service.root / job["filename"]).read_bytes() == made_up(0, SIZE)
    assert bool(media.ranges("x.mp4")) is kept
