"""A person says what a title is; its files follow, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.titles import ClassificationSource, TitleState
from mediarip_mqtt.jobs.leftovers import Leftovers
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.store import Tx
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, NEVER_SURE, Shelf

BY_DATE = "Shows/Harbour TV/Season 2026/Harbour TV - s2026e010501 - Low tide [x1].mp4"


@pytest.fixture
def shelf(new_shelf: NewShelf) -> Shelf:
    return new_shelf(**NEVER_SURE)


@pytest.fixture
async def waiting(shelf: Shelf) -> Job:
    shelf.engine.subtitles = ("en",)
    return await shelf.download("Low tide", **CHANNEL, upload_date="20260105")


async def test_accepting_moves_the_files_and_completes_the_job(shelf: Shelf, waiting: Job) -> None:
    title = await shelf.answer(waiting)
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, BY_DATE)
    assert shelf.files() == [BY_DATE.replace(".mp4", ".en.srt"), BY_DATE]
    job = await shelf.job(waiting)
    assert (job.status, job.filename) == (JobStatus.COMPLETED, BY_DATE)
    assert (job.show, job.season, job.review_reason) == ("Harbour TV", 2026, None)
    assert job.completed_at is not None
    assert not (shelf.root / "Unsorted").exists()
    assert (await shelf.events())[-2:] == ["completed", "organized"]


async def test_another_candidate_can_be_chosen(shelf: Shelf, waiting: Job) -> None:
    title = await shelf.answer(waiting, choice=2)
    assert (title.content_type, title.organized_to) == (
        ContentType.OTHER,
        "Videos/Low tide [x1].mp4",
    )


async def test_a_correction_counts_more_than_the_guesses(shelf: Shelf, waiting: Job) -> None:
    title = await shelf.answer(waiting, content_type="movie", title="Tides", year=2020)
    assert title.organized_to == "Movies/Tides (2020)/Tides (2020).mp4"
    assert title.classification_source is ClassificationSource.COMMAND
    assert (await shelf.job(waiting)).confidence == 1.0


async def test_a_discarded_file_goes_and_its_job_is_cancelled(shelf: Shelf, waiting: Job) -> None:
    title = await shelf.answer(waiting, discard=True)
    assert title.state is TitleState.DISCARDED
    assert shelf.files() == []
    job = await shelf.job(waiting)
    assert (job.status, job.filename) == (JobStatus.CANCELLED, None)


async def test_cancelling_a_job_in_review_discards_its_file(shelf: Shelf, waiting: Job) -> None:
    await shelf.store.write(lambda tx: shelf.bench.jobs.cancel(tx, waiting))
    await shelf.organizer.work()
    assert (await shelf.title(waiting)).state is TitleState.DISCARDED
    assert shelf.files() == []


async def test_a_remembered_answer_is_used_for_the_next_of_the_channel(
    shelf: Shelf, waiting: Job, new_shelf: NewShelf
) -> None:
    await shelf.answer(waiting, show="Tides", numbering="season", season=2, remember=True)
    sure = new_shelf()
    job = await sure.download("High tide", **CHANNEL, id="x2", upload_date="20260106")
    assert (job.status, job.show, job.confidence) == (JobStatus.COMPLETED, "Tides", 0.95)
    title = await sure.title(job)
    assert title.classification_source is ClassificationSource.REMEMBERED


async def test_an_answer_without_a_channel_can_not_be_remembered(shelf: Shelf) -> None:
    job = await shelf.download("clip")
    with pytest.raises(CommandError) as caught:
        await shelf.answer(job, content_type="movie", remember=True)
    assert caught.value.field == "remember"
    assert (await shelf.title(job)).state is TitleState.REVIEW


async def test_after_the_time_limit_the_likeliest_guess_counts(shelf: Shelf, waiting: Job) -> None:
    await shelf.organizer.work()
    assert (await shelf.title(waiting)).state is TitleState.REVIEW
    shelf.clock.advance(7 * 86400)
    await shelf.organizer.work()
    assert (await shelf.job(waiting)).filename == BY_DATE


async def test_a_taken_number_is_refused_until_it_is_said_what_to_do(
    new_shelf: NewShelf,
) -> None:
    shelf = new_shelf(**NEVER_SURE, conflict="ask")
    numbers: dict[str, Any] = {"show": "Tides", "season": 1, "episode": 1}
    first = await shelf.answer(await shelf.download("one"), **numbers)
    job = await shelf.download("two", id="x2")
    with pytest.raises(CommandError) as caught:
        await shelf.answer(job, **numbers)
    assert caught.value.code is ErrorCode.CONFLICT
    title = await shelf.answer(job, **numbers, conflict="rename")
    assert (title.title_index, first.title_index) == (1, 0)
    assert len(shelf.files()) == 2


async def test_a_completed_title_can_be_corrected(shelf: Shelf, waiting: Job) -> None:
    await shelf.answer(waiting)
    title = await shelf.answer(waiting, show="Tides", season=1, episode=7)
    assert title.organized_to == "Shows/Tides/Season 01/Tides - S01E07 - Low tide.mp4"
    assert (await shelf.job(waiting)).filename == title.organized_to
    assert len(shelf.files()) == 2


async def test_a_file_of_another_program_is_not_replaced(shelf: Shelf, waiting: Job) -> None:
    (shelf.root / BY_DATE).parent.mkdir(parents=True)
    (shelf.root / BY_DATE).write_bytes(b"not ours")
    title = await shelf.answer(waiting)
    assert title.organized_to == BY_DATE.replace(".mp4", " (2).mp4")
    assert (shelf.root / BY_DATE).read_bytes() == b"not ours"


async def test_a_file_that_was_removed_while_it_waited_fails_the_job(
    shelf: Shelf, waiting: Job
) -> None:
    (shelf.root / str(waiting.filename)).unlink()
    title = await shelf.answer(waiting)
    assert title.state is TitleState.MISSING
    job = await shelf.job(waiting)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "not_found")


async def test_a_file_is_not_missing_because_its_volume_is_away(
    shelf: Shelf, waiting: Job, tmp_path: Path
) -> None:
    await shelf.answer(waiting, organize=False)
    volume = shelf.organizer
    shelf.organizer = Organizer(shelf.store, shelf.catalogue, tmp_path / "not-mounted")
    with pytest.raises(OSError, match="not mounted"):
        await shelf.organizer.work()
    assert (await shelf.title(waiting)).state is TitleState.ORGANIZING
    shelf.organizer = volume
    await shelf.organizer.work()
    assert (await shelf.title(waiting)).organized_to == BY_DATE


async def test_a_show_keeps_its_numbering(shelf: Shelf, waiting: Job) -> None:
    await shelf.answer(waiting)
    show = await shelf.store.read(lambda tx: tx.show_of_channel(ContentType.TV, "Youtube", "UC1"))
    assert show is not None
    assert show.numbering is Numbering.DATE


async def test_a_title_waits_on_when_its_playlist_is_deleted(shelf: Shelf, waiting: Job) -> None:
    parent = await shelf.bench.begin("list")

    def adopt(tx: Tx) -> None:
        tx.update(parent.job.id, is_playlist=True)
        tx.update(waiting.id, parent_id=parent.job.id)
        job = tx.job(parent.job.id)
        assert job is not None
        tx.delete(job)

    await shelf.store.write(adopt)
    await shelf.organizer.work()
    assert len(shelf.files()) == 2
    title = await shelf.answer(waiting)
    assert (title.state, title.job_id) == (TitleState.COMPLETED, None)
    assert len(shelf.files()) == 2


async def test_a_job_in_review_leaves_no_temporary_files(shelf: Shelf, waiting: Job) -> None:
    temp = shelf.bench.temp / waiting.id
    (temp / "rest.part").write_bytes(b"x")
    leftovers = Leftovers(
        shelf.store,
        tuple(shelf.bench.steps.values()),
        shelf.bench.temp,
        in_use=lambda _: False,
        cleaned=lambda: None,
        ending=asyncio.Event(),
    )
    await leftovers._clean_up(waiting.id)  # noqa: SLF001 - what `run` does for a changed job
    assert not temp.exists()
    assert len(shelf.files()) == 2
