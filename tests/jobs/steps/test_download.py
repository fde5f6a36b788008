"""`download` leaves which files were made, and these are used until they are no longer whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume import files as volume_files
from tests.support.engine import CONTENT
from tests.support.steps import Bench


async def test_what_was_made_is_committed_with_sizes_kinds_and_warning(bench: Bench) -> None:
    bench.engine.subtitles, bench.engine.warning = ("en",), "Some subtitles are missing."
    work = await bench.begin()
    assert await bench.run(work, "extract", "download")
    data = await bench.store.read(lambda tx: tx.checkpoint(work.job.id, "download"))
    folder = work.task.temp_dir
    assert json.loads(data or "") == {
        "files": [
            {"kind": "medium", "path": str(folder / "media.mp4"), "size": len(CONTENT)},
            {
                "kind": "subtitles",
                "path": str(folder / "media.en.srt"),
                "size": len(CONTENT),
                "language": "en",
            },
        ],
        "warning": "Some subtitles are missing.",
        "ended_by": None,
    }
    assert [report.percent for report in bench.reports] == [50.0]


async def test_files_are_on_the_disk_before_the_checkpoint_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the commit must not leave files with holes that count as made."""
    synced: list[str] = []
    work = await bench.begin()
    await bench.run(work, "extract")

    def sync(path: Path) -> None:
        synced.append(path.name)
        raise OSError("the disk is gone")

    monkeypatch.setattr(volume_files, "sync", sync)
    with pytest.raises(OSError, match="gone"):
        await bench.run(work, "download")
    assert synced == ["media.mp4"]
    assert await bench.checkpoints(work.job.id) == {"extract"}


async def test_a_download_never_begins_without_the_page_of_the_same_attempt(bench: Bench) -> None:
    work = await bench.begin()
    assert not await bench.steps["download"].can_begin(work)
    with pytest.raises(DownloadError):
        await bench.run(work, "download")


async def test_a_job_that_is_paused_at_the_end_of_its_download_keeps_it(bench: Bench) -> None:
    work = await bench.begin()
    bench_job = work.job
    await bench.run(work, "extract")
    await bench.store.write(lambda tx: bench.jobs.pause(tx, tx.job(bench_job.id) or bench_job))
    with pytest.raises(Stopped):
        await bench.run(work, "download")
    assert (await bench.job(bench_job.id)).status is JobStatus.PAUSED
    assert await bench.steps["place"].can_begin(work)


async def test_a_job_that_is_cancelled_at_the_end_of_its_download_keeps_nothing(
    bench: Bench,
) -> None:
    work = await bench.begin()
    await bench.run(work, "extract")
    await bench.store.write(lambda tx: bench.jobs.cancel(tx, tx.job(work.job.id) or work.job))
    with pytest.raises(Stopped):
        await bench.run(work, "download")
    assert await bench.checkpoints(work.job.id) == set()


@pytest.mark.parametrize("code", [ErrorCode.NETWORK, ErrorCode.POSTPROCESSING, ErrorCode.DISK_FULL])
async def test_a_failed_attempt_leaves_no_checkpoint(code: ErrorCode, bench: Bench) -> None:
    work = await bench.begin()
    await bench.run(work, "extract", "download")
    await bench.store.write(
        lambda tx: bench.jobs.fail(tx, work.job.id, DownloadError(code, "x", transient=True))
    )
    assert await bench.checkpoints(work.job.id) == set()


async def test_a_volume_that_was_away_costs_no_second_download(bench: Bench) -> None:
    lost = DownloadError(ErrorCode.STORAGE_UNAVAILABLE, "gone")
    work = await bench.begin()
    await bench.run(work, "extract", "download")
    await bench.store.write(lambda tx: bench.jobs.fail(tx, work.job.id, lost))
    await bench.store.write(lambda tx: bench.jobs.retry(tx, tx.job(work.job.id) or work.job))
    assert await bench.steps["place"].can_begin(work)


async def test_checkpoints_go_with_their_job(bench: Bench) -> None:
    work = await bench.begin()
    await bench.run(work, "extract", "download")

    def end(tx: Tx) -> None:
        lost = DownloadError(ErrorCode.STORAGE_UNAVAILABLE, "gone")
        failed = bench.jobs.fail(tx, work.job.id, lost)
        assert failed is not None
        bench.jobs.delete(tx, failed)

    assert await bench.checkpoints(work.job.id) == {"extract", "download"}
    await bench.store.write(end)
    assert await bench.checkpoints(work.job.id) == set()
