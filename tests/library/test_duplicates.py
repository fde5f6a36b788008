"""What the library has is not downloaded again, nor kept twice without a person's answer."""

from __future__ import annotations

from typing import Any

import pytest

from mediarip_mqtt.contract.content import ReviewReason
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.titles import TitleFile, TitleState
from mediarip_mqtt.library.archive import archive
from mediarip_mqtt.library.duplicates import ENDS, Suspect, equal_content
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, Shelf

YOUTUBE = {"extractor_key": "Youtube", "id": "dQw4w9WgXcQ"}
REUSE = {"by_on_duplicate": "reuse"}


@pytest.fixture
def shelf(new_shelf: NewShelf) -> Shelf:
    return new_shelf(meets_rivals=True)


async def again(shelf: Shelf, **fields: Any) -> Job:
    """Download the same medium of the site from another URL."""
    return await shelf.download("again", **{**YOUTUBE, **REUSE, **fields})


async def test_what_the_library_has_is_used(shelf: Shelf) -> None:
    first = await shelf.download("Low tide", **YOUTUBE)
    title = await shelf.title(first)
    job = await again(shelf)
    assert (job.status, job.title_id) == (JobStatus.COMPLETED, title.id)
    assert job.filename == title.organized_to
    assert "the library has it" in str(job.warning)
    assert len(shelf.files()) == 1
    assert (await shelf.events())[-1] == "completed"


async def test_case_of_the_site_s_name_does_not_matter(shelf: Shelf) -> None:
    await shelf.download("Low tide", **YOUTUBE)
    assert (await again(shelf, extractor_key="youtube")).warning
    other = await again(shelf, id="another", by_on_duplicate="again")
    assert not other.warning


async def test_by_default_it_is_downloaded_again(shelf: Shelf) -> None:
    await shelf.download("Low tide", **YOUTUBE)
    await again(shelf, by_on_duplicate="again")
    assert len(shelf.files()) == 2


async def test_archived_and_missing_titles_are_known(shelf: Shelf) -> None:
    first = await shelf.download("Low tide", **YOUTUBE)
    title = await shelf.title(first)
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, title))
    await shelf.organizer.work()
    job = await again(shelf)
    assert (job.status, job.filename) == (JobStatus.COMPLETED, None)
    assert "archive" in str(job.warning)
    await shelf.store.write(lambda tx: shelf.catalogue.lost(tx, title.id))
    job = await again(shelf)
    assert "its file is gone" in str(job.warning)
    assert shelf.files() == []


async def test_a_deleted_title_may_be_downloaded_again(shelf: Shelf) -> None:
    first = await shelf.download("Low tide", **YOUTUBE)
    await shelf.store.write(lambda tx: shelf.catalogue.deleted(tx, [first.id]))
    assert not (await again(shelf)).warning


async def test_an_imported_archive_counts_as_known(shelf: Shelf) -> None:
    await shelf.store.write(
        lambda tx: tx.add_known("youtube", "dQw4w9WgXcQ", "default", shelf.clock())
    )
    job = await again(shelf)
    assert "imported archive" in str(job.warning)
    assert shelf.files() == []
    assert not (await again(shelf, by_on_duplicate="again")).warning


async def test_equal_content_is_asked_about(shelf: Shelf) -> None:
    first = await shelf.download("Low tide", id="x1")
    job = await shelf.download("Low tide again", id="x2")
    assert (job.status, job.review_reason) == (JobStatus.REVIEW, ReviewReason.DUPLICATE)
    assert str(job.filename).startswith("Unsorted/")
    both = [await shelf.title(one) for one in (first, job)]
    assert both[0].content_hash == both[1].content_hash
    assert str(both[0].content_hash).startswith("blake2b:")
    assert both[0].state is TitleState.COMPLETED


async def test_a_duplicate_is_kept_or_discarded_by_the_answer(shelf: Shelf) -> None:
    await shelf.download("Low tide", id="x1")
    for number, discard in enumerate((False, True)):
        job = await shelf.download("again", id=f"y{number}")
        await shelf.answer(job, discard=discard)
    assert shelf.files() == ["Videos/Low tide [x1].mp4", "Videos/again [y0].mp4"]


async def test_other_content_of_the_same_size_is_no_duplicate(shelf: Shelf) -> None:
    await shelf.download("Low tide", id="x1")
    shelf.engine.content = bytes(reversed(shelf.engine.content))
    job = await shelf.download("High tide", id="x2")
    assert job.status is JobStatus.COMPLETED


@pytest.mark.parametrize("settings", [{"conflict": "skip"}, {}])
async def test_with_skip_or_reuse_the_new_file_is_not_kept(
    settings: dict[str, str], new_shelf: NewShelf
) -> None:
    shelf = new_shelf(meets_rivals=True, **settings)
    await shelf.download("Low tide", id="x1")
    job = await shelf.download("again", id="x2", **({} if settings else REUSE))
    assert job.status is JobStatus.COMPLETED
    assert "content" in str(job.warning)
    assert job.filename == "Videos/Low tide [x1].mp4"
    assert len(shelf.files()) == 1


async def test_a_file_with_a_folder_of_its_own_is_not_asked_about(shelf: Shelf) -> None:
    await shelf.download("Low tide", id="x1")
    job = await shelf.download("again", id="x2", by_folder="mine")
    assert job.status is JobStatus.COMPLETED


@pytest.mark.parametrize("place", [0, ENDS + 5, 3 * ENDS - 1])
async def test_a_difference_anywhere_makes_no_duplicate(shelf: Shelf, place: int) -> None:
    content = bytearray(3 * ENDS)
    (shelf.root / "old").write_bytes(content)
    other = Suspect("t", TitleFile(id=1, filename="old", filesize=len(content), main=True))
    new = shelf.root / "new"
    new.write_bytes(content)
    found = equal_content(shelf.root, new, [other], lambda: False)
    assert found is not None
    assert equal_content(shelf.root, new, [other], lambda: True) is None
    content[place] = 1
    new.write_bytes(content)
    assert equal_content(shelf.root, new, [other], lambda: False) is None


EPISODE = {**CHANNEL, "series": "Tides", "season_number": 1, "episode_number": 2}


async def test_overwrite_archives_the_other_title_first(new_shelf: NewShelf) -> None:
    shelf = new_shelf(meets_rivals=True, conflict="overwrite")
    first = await shelf.download("Low tide", id="x1", **EPISODE)
    old = (shelf.root / shelf.files()[0]).read_bytes()
    shelf.engine.content = bytes(reversed(shelf.engine.content))
    job = await shelf.download("Low tide", id="x2", **EPISODE)
    name = "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"
    assert (job.status, job.filename, shelf.files()) == (JobStatus.COMPLETED, name, [name])
    replaced, new = await shelf.title(first), await shelf.title(job)
    assert (replaced.state, new.state) == (TitleState.ARCHIVED, TitleState.COMPLETED)
    assert (new.season, new.episode, new.title_index) == (1, 2, 0)
    assert (shelf.root / str(replaced.organized_to)).read_bytes() == old


async def test_a_title_that_can_not_be_archived_stays_beside_the_new_one(
    new_shelf: NewShelf,
) -> None:
    shelf = new_shelf(meets_rivals=True, conflict="overwrite")
    first = await shelf.download("Low tide", id="x1", **EPISODE)
    await shelf.store.write(lambda tx: shelf.catalogue.lost(tx, str(first.title_id)))
    shelf.engine.content = bytes(reversed(shelf.engine.content))
    job = await shelf.download("High tide", id="x2", **EPISODE)
    assert job.status is JobStatus.COMPLETED
    assert len(shelf.files()) == 2


async def test_an_answer_with_overwrite_archives_the_other_title(new_shelf: NewShelf) -> None:
    shelf = new_shelf(meets_rivals=True, conflict="ask")
    first = await shelf.download("Low tide", id="x1", **EPISODE)
    shelf.engine.content = bytes(reversed(shelf.engine.content))
    job = await shelf.download("Low tide", id="x2", **EPISODE)
    assert job.review_reason is ReviewReason.CONFLICT
    title = await shelf.answer(job, conflict="overwrite")
    assert title.organized_to == "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"
    assert (await shelf.title(first)).state is TitleState.ARCHIVED
    assert shelf.files() == [title.organized_to]
