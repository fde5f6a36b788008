"""A volume that gets full: recordings end well and stay, other jobs say `disk_full` and go."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.live import LiveServer
from tests.support.mounts import mount
from tests.support.server import MediaServer
from tests.support.service import Service

FILM = 6_000_000  # bytes


@contextmanager
def running(tmp_path: Path, mosquitto: Mosquitto, **settings: Any) -> Iterator[Service]:
    service = Service(tmp_path, mosquitto.port, **settings).start()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def film(media_folder: Path) -> str:
    """Return the name of a film that may be copied into another container."""
    path = media_folder / "big.mp4"
    if not path.exists():
        source = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=6"]
        rate = ["-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "8M"]
        codec = ["-c:v", "libx264", "-preset", "ultrafast", *rate, "-nal-hrd", "cbr"]
        command = ["ffmpeg", "-loglevel", "error", "-y", *source, *codec, "-pix_fmt", "yuv420p"]
        subprocess.run([*command, "-f", "mp4", str(path)], check=True)
    assert path.stat().st_size > FILM / 2
    return "media/big.mp4"


def test_a_recording_ends_well_at_the_floor_of_free_space(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, live: LiveServer
) -> None:
    mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto, STORAGE__MIN_FREE="4000000") as service:
        job_id = client.download(live.url("live.m3u8"))
        wait_for(lambda: service.largest_temporary() > 40_000, 20)
        filler = mount_point / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(mount_point).free - 3_900_000))
        job = client.wait_status(job_id, "completed", "failed", timeout=30)
        assert job["status"] == "completed", job
        assert "storage.min_free" in job["warning"]
        assert job["error_code"] == "disk_full"
        assert (service.root / job["filename"]).stat().st_size > 40_000


def test_a_download_that_is_told_no_length_ends_before_min_free_is_used_up(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    mount("-t", "tmpfs", "-o", "size=120m", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto, STORAGE__MIN_FREE="60000000") as service:
        least = shutil.disk_usage(mount_point).free
        paths = ("/slow/20e6/unknown/bytes/900000000/a.mp4", "/slow/20e6/bytes/900000000/b.mp4")
        jobs = [client.download(media.url(path)) for path in paths]
        ended: list[dict[str, Any]] = []
        while len(ended) < len(jobs):
            least = min(least, shutil.disk_usage(mount_point).free)
            states = [client.job(job_id) for job_id in jobs]
            ended = [job for job in states if job["status"] in {"failed", "completed"}]
        assert {job["error_code"] for job in ended} == {"disk_full"}
        assert least > 20_000_000  # two were written at once, and are looked at twice a second
        wait_for(lambda: not service.temporary())
        small = client.download(media.url("/bytes/1000/small.mp4"))
        client.wait_status(small, "completed")


def test_a_volume_too_small_for_the_store_s_reserve_leaves_no_job_at_work(
    tmp_path: Path, mount_point: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto) as service:
        assert not (mount_point / ".mediarip" / "reserve").exists()
        for _ in range(2):
            job_id = client.download(media.url("/unknown/bytes/30000000/big.mp4"))
            job = client.wait_status(job_id, "failed", "completed", timeout=30)
            assert job["error_code"] == "disk_full"
        small = client.download(media.url("/bytes/1000/small.mp4"))
        client.wait_status(small, "completed")
        wait_for(lambda: not service.temporary())


@pytest.mark.parametrize(
    "options",
    [{"embed": ["metadata"]}, {"output_format": "mkv"}],
    ids=["metadata", "mkv"],
)
def test_a_volume_that_fills_while_ffmpeg_works_is_full_and_the_film_is_not_broken(
    options: dict[str, Any],
    tmp_path: Path,
    mount_point: Path,
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
    film: str,
) -> None:
    """yt-dlp/yt-dlp#5201: "Postprocessing: Conversion failed!", and the disk was full."""
    size = (media.media / film.removeprefix("media/")).stat().st_size
    mount("-t", "tmpfs", "-o", f"size={size + 6 * 2**20}", "tmpfs", str(mount_point))
    with running(tmp_path, mosquitto) as service:
        for _ in range(2):  # the second one finds no reserve of the store
            job_id = client.download(media.url(f"/{film}"), **options)
            job = client.wait_status(job_id, "failed", "completed", timeout=40)
            assert job["error_code"] == "disk_full", job
        wait_for(lambda: not service.temporary())


def test_a_full_folder_for_unfinished_downloads_is_full_although_the_volume_is_not(
    tmp_path: Path,
    mount_point: Path,
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
    film: str,
) -> None:
    """rembo10/headphones#2619: the file can't be converted, and /tmp, a ramfs, was full."""
    size = (media.media / film.removeprefix("media/")).stat().st_size
    mount("-t", "tmpfs", "-o", f"size={size + 2**20}", "tmpfs", str(mount_point))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    settings: dict[str, Any] = {
        "STORAGE__TEMP_DIR": str(mount_point),
        "STORAGE__ROOT": str(folder / "volume"),
    }
    with running(tmp_path, mosquitto, **settings):
        job_id = client.download(media.url(f"/{film}"), embed=["metadata"])
        job = client.wait_status(job_id, "failed", "completed", timeout=40)
        assert job["error_code"] == "disk_full", job
