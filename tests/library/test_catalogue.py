"""A finished file becomes a title: classified, named, and independent of its job."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediarip_mqtt.contract.content import Classification, ContentType, ReviewReason
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.settings import PurgeSettings
from mediarip_mqtt.contract.titles import ClassificationSource, TitleState
from mediarip_mqtt.jobs.retention import Retention, Rule
from mediarip_mqtt.store import Store
from tests.library.conftest import NewShelf
from tests.support.engine import CONTENT
from tests.support.library import CHANNEL, NEVER_SURE, Shelf
from tests.support.steps import Bench

SERIES = {"series": "Tides", "season_number": 1, "episode_number": 2, "episode": "Low tide"}


async def test_an_episode_of_a_channel_is_filed_by_its_date(shelf: Shelf) -> None:
    job = await shelf.download("Low tide", **CHANNEL, timestamp=1767614400)  # 2026-01-05 12:00
    assert job.status is JobStatus.COMPLETED
    name = "Shows/Harbour TV/Season 2026/Harbour TV - s2026e010549 - Low tide [x1].mp4"
    assert (job.filename, shelf.files()) == (name, [name])
    assert (job.content_type, job.show) == (ContentType.TV, "Harbour TV")
    assert (job.season, job.episode, job.confidence) == (2026, 10549, 0.75)
    title = await shelf.title(job)
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, name)
    assert title.matched_episode == "S2026E010549"
    assert title.filesize == len(CONTENT)
    assert title.classification_source is ClassificationSource.CHANNEL
    assert (await shelf.events())[-2:] == ["completed", "organized"]


async def test_episodes_of_the_same_quarter_hour_get_the_next_slots(shelf: Shelf) -> None:
    jobs = [
        await shelf.download(f"part{number}", **CHANNEL, id=f"x{number}", upload_date="20260105")
        for number in range(3)
    ]
    assert [job.episode for job in jobs] == [10501, 10502, 10503]


async def test_an_episode_with_numbers_is_filed_by_its_season(shelf: Shelf) -> None:
    job = await shelf.download("page", **SERIES)
    assert job.filename == "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"
    assert (job.season, job.episode, job.confidence) == (1, 2, 0.95)


async def test_a_movie_has_a_folder_of_its_own(shelf: Shelf) -> None:
    job = await shelf.download("The Sea (2019)", duration=5400)
    assert job.filename == "Movies/The Sea (2019)/The Sea (2019).mp4"


async def test_what_is_nothing_else_goes_to_the_others(shelf: Shelf) -> None:
    job = await shelf.download("clip")
    assert job.filename == "Videos/clip [x1].mp4"
    assert job.content_type is ContentType.OTHER


async def test_the_download_says_what_it_is(shelf: Shelf) -> None:
    told = Classification(show="My show", season=3, episode=4)
    job = await shelf.download("clip", by_library=told, **CHANNEL)
    assert job.filename == "Shows/My show/Season 03/My show - S03E04 - clip.mp4"
    assert job.confidence == 1.0


async def test_a_folder_or_template_of_the_sender_stays(shelf: Shelf) -> None:
    job = await shelf.download("clip", by_folder="mine", by_output_template="%(title)s.%(ext)s")
    assert job.filename == "mine/clip.mp4"
    title = await shelf.title(job)
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, "mine/clip.mp4")


async def test_subtitles_have_the_stem_of_the_medium(shelf: Shelf) -> None:
    shelf.engine.subtitles = ("en",)
    await shelf.download("page", **SERIES)
    stem = "Shows/Tides/Season 01/Tides - S01E02 - Low tide"
    assert shelf.files() == [f"{stem}.en.srt", f"{stem}.mp4"]


async def test_a_channel_that_is_renamed_keeps_its_folder(shelf: Shelf) -> None:
    await shelf.download("one", **CHANNEL, upload_date="20260105")
    renamed = {**CHANNEL, "channel": "Harbour Television"}
    job = await shelf.download("two", **renamed, id="x2", upload_date="20260106")
    assert str(job.filename).startswith("Shows/Harbour TV/Season 2026/Harbour TV - s2026e0106")


async def test_two_channels_of_one_name_have_two_folders(shelf: Shelf) -> None:
    await shelf.download("one", **CHANNEL, upload_date="20260105")
    other = {**CHANNEL, "channel_id": "UC2"}
    job = await shelf.download("two", **other, id="x2", upload_date="20260105")
    assert str(job.filename).startswith("Shows/Harbour TV (2)/")


async def test_the_same_episode_again_is_kept_beside_the_first(shelf: Shelf) -> None:
    first = await shelf.download("page", **SERIES)
    second = await shelf.download("page", **SERIES)
    assert second.filename == "Shows/Tides/Season 01/Tides - S01E02 - Low tide (2).mp4"
    assert (await shelf.title(second)).title_index == 1
    assert (await shelf.title(first)).state is TitleState.COMPLETED


async def test_skip_does_not_keep_the_same_episode_again(new_shelf: NewShelf) -> None:
    shelf = new_shelf(conflict="skip")
    first = await shelf.download("page", **SERIES)
    second = await shelf.download("page", **SERIES)
    assert second.status is JobStatus.COMPLETED
    assert (second.filename, second.title_id) == (first.filename, first.title_id)
    assert "Not kept" in str(second.warning)
    assert len(shelf.files()) == 1


async def test_ask_lets_a_person_decide_on_the_same_episode(new_shelf: NewShelf) -> None:
    shelf = new_shelf(conflict="ask")
    await shelf.download("page", **SERIES)
    second = await shelf.download("page", **SERIES)
    assert second.status is JobStatus.REVIEW
    assert second.review_reason is ReviewReason.CONFLICT
    title = await shelf.answer(second, season=1, episode=3)
    assert title.organized_to == "Shows/Tides/Season 01/Tides - S01E03 - Low tide.mp4"


async def test_a_purge_leaves_the_title_and_its_file(shelf: Shelf, tmp_path: Path) -> None:
    job = await shelf.download("page", **SERIES)
    settings = PurgeSettings(files=True)
    retention = Retention(shelf.store, shelf.bench.jobs, settings, root=tmp_path, clock=shelf.clock)
    rule = Rule(before=shelf.clock())
    shelf.clock.advance(60)
    preview = await retention.preview(rule, files=True)
    assert (preview.files_removed, preview.freed) == (0, 0)
    purge = await retention.begin(rule, files=True)
    report = await shelf.store.write(lambda tx: retention.finish(tx, purge))
    assert (report.count, report.files) == (1, 0)
    title = await shelf.title(job)
    assert (title.state, title.job_id) == (TitleState.COMPLETED, None)
    assert shelf.files() == [title.organized_to]
    assert await shelf.store.read(lambda tx: len(tx.title_files(title.id))) == 1


async def test_a_new_file_with_the_name_of_a_file_that_is_gone_makes_its_title_missing(
    shelf: Shelf,
) -> None:
    first = await shelf.download("The Sea (2019)", duration=5400)
    (shelf.root / str(first.filename)).unlink()
    second = await shelf.download("The Sea (2019)", duration=5400)
    assert second.filename == first.filename
    assert (await shelf.title(first)).state is TitleState.MISSING
    assert (await shelf.title(second)).state is TitleState.COMPLETED


async def test_a_step_that_is_repeated_makes_one_title(shelf: Shelf) -> None:
    shelf.engine.fields = {"id": "x1", **SERIES}
    work = await shelf.bench.begin("page")
    await shelf.bench.run(work, "extract", "download")
    left = await shelf.store.read(lambda tx: tx.checkpoint(work.job.id, "extract"))
    assert left
    filed = [
        await shelf.store.write(
            lambda tx: shelf.catalogue.file(tx, work.job.id, {"id": "x1", **SERIES}, "mp4", 255)
        )
        for _ in range(2)
    ]
    assert filed[0] == filed[1]
    await shelf.bench.run(work, "place")
    (title,) = await shelf.titles()
    assert (title.state, title.episode) == (TitleState.COMPLETED, 2)


async def test_the_title_of_a_job_that_fails_gives_its_number_back(shelf: Shelf) -> None:
    shelf.engine.fields = {"id": "x1", **SERIES}
    work = await shelf.bench.begin("page")
    await shelf.bench.run(work, "extract", "download")
    await shelf.store.write(
        lambda tx: shelf.catalogue.file(tx, work.job.id, {"id": "x1", **SERIES}, "mp4", 255)
    )
    job = await shelf.bench.job(work.job.id)
    await shelf.store.write(lambda tx: shelf.bench.jobs.cancel(tx, job))
    await shelf.organizer.work()
    assert (await shelf.title(job)).state is TitleState.FAILED
    again = await shelf.download("page", **SERIES)
    assert again.filename == "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"


async def test_without_the_library_names_stay_and_there_is_no_title(
    store: Store, tmp_path: Path
) -> None:
    bench = Bench(store, tmp_path)
    work = await bench.begin("clip")
    await bench.run(work)
    job = await bench.job(work.job.id)
    assert (job.filename, job.title_id, job.content_type) == ("clip.mp4", None, None)
    assert await store.read(lambda tx: tx.count_titles()) == []


@pytest.mark.parametrize(
    ("title", "folder"),
    [("Subs", "Subs (show)"), ("Metadata", "Metadata (show)"), ("sample", "·sample")],
)
async def test_a_show_never_has_a_name_that_media_servers_ignore(
    title: str, folder: str, shelf: Shelf
) -> None:
    job = await shelf.download("x", series=title, season_number=1, episode_number=1)
    assert str(job.filename).startswith(f"Shows/{folder}/")


async def test_an_unsure_one_waits_in_the_unsorted_folder(new_shelf: NewShelf) -> None:
    shelf = new_shelf(**NEVER_SURE)
    job = await shelf.download("Low tide", **CHANNEL, upload_date="20260105")
    assert (job.status, job.filename) == (JobStatus.REVIEW, "Unsorted/Low tide [x1].mp4")
    assert job.review_reason is ReviewReason.LOW_CONFIDENCE
    assert job.completed_at is None
    assert (await shelf.title(job)).state is TitleState.REVIEW
    assert (await shelf.events())[-1] == "review_needed"
