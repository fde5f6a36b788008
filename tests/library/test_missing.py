"""Files that are gone are noticed, not mistaken; files that a person moved are found."""

from __future__ import annotations

from typing import Any

import pytest

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.titles import Title, TitleState
from mediarip_mqtt.library.missing import MissingLook
from tests.support.library import CHANNEL, Shelf

DAY = 86400
EPISODE: dict[str, Any] = {**CHANNEL, "upload_date": "20260105"}


@pytest.fixture
async def episode(shelf: Shelf) -> Job:
    shelf.engine.subtitles = ("en",)
    await shelf.download("High tide", **CHANNEL, id="x2", upload_date="20260106")
    return await shelf.download("Low tide", **EPISODE)


async def look(shelf: Shelf, job: Job, after: float = DAY) -> Title:
    shelf.clock.advance(after)
    await MissingLook(shelf.store, shelf.catalogue, shelf.root).look()
    return await shelf.title(job)


async def test_a_file_that_is_gone_twice_makes_its_title_missing(
    shelf: Shelf, episode: Job
) -> None:
    (shelf.root / str(episode.filename)).unlink()
    title = await look(shelf, episode)
    assert title.state is TitleState.COMPLETED
    first = title.missing_since
    assert first == shelf.clock()
    assert (await look(shelf, episode, 60)).state is TitleState.COMPLETED  # a restart, say
    title = await look(shelf, episode)
    assert (title.state, title.missing_since) == (TitleState.MISSING, first)
    assert (await shelf.events())[-1] == "missing"
    others = [one.state for one in await shelf.titles() if one.id != title.id]
    assert others == [TitleState.COMPLETED]


async def test_a_file_that_is_back_was_never_missing(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / str(episode.filename)
    away = medium.rename(shelf.root / "away")
    assert (await look(shelf, episode)).missing_since is not None
    away.rename(medium)
    assert (await look(shelf, episode)).missing_since is None
    medium.unlink()
    assert (await look(shelf, episode)).state is TitleState.COMPLETED


async def test_a_missing_title_that_comes_back_is_completed(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / str(episode.filename)
    content = medium.read_bytes()
    medium.unlink()
    await look(shelf, episode)
    assert (await look(shelf, episode)).state is TitleState.MISSING
    medium.write_bytes(content)
    title = await look(shelf, episode)
    assert (title.state, title.missing_since) == (TitleState.COMPLETED, None)
    assert title.organized_to == episode.filename


async def test_moved_files_are_found_with_all_that_went_along(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / str(episode.filename)
    folder = shelf.root / "Shows" / "Mine"
    folder.mkdir()
    medium.rename(folder / "tide.mp4")
    medium.with_suffix(".en.srt").rename(folder / "tide.en.srt")
    title = await look(shelf, episode)
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, "Shows/Mine/tide.mp4")
    assert title.missing_since is None
    files = await shelf.store.read(lambda tx: tx.title_files(title.id))
    assert [file.filename for file in files] == ["Shows/Mine/tide.mp4", "Shows/Mine/tide.en.srt"]
    assert (await shelf.job(episode)).filename == "Shows/Mine/tide.mp4"


async def test_a_copy_elsewhere_is_found_by_the_id_in_its_name(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / str(episode.filename)
    (shelf.root / "Movies").mkdir()
    copy = shelf.root / "Movies" / "tide [x1].mp4"
    copy.write_bytes(medium.read_bytes())
    medium.unlink()
    assert (await look(shelf, episode)).organized_to == "Movies/tide [x1].mp4"


async def test_a_file_of_another_size_is_not_taken_for_a_moved_one(
    shelf: Shelf, episode: Job
) -> None:
    medium = shelf.root / str(episode.filename)
    medium.unlink()
    medium.with_name("other [x1].mp4").write_bytes(b"another film")
    assert (await look(shelf, episode)).missing_since is not None


async def test_a_link_is_not_taken_for_a_moved_file(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / str(episode.filename)
    target = medium.rename(shelf.root / "away.mp4")
    medium.with_name("link [x1].mp4").symlink_to(target)
    assert (await look(shelf, episode)).missing_since is not None


async def test_a_file_of_another_title_is_not_taken_for_a_moved_one(
    shelf: Shelf, episode: Job
) -> None:
    again = await shelf.download("Low tide", **EPISODE)
    (shelf.root / str(episode.filename)).unlink()
    title = await look(shelf, episode)
    assert title.missing_since is not None
    assert (await shelf.title(again)).organized_to == again.filename


async def test_nothing_is_missing_while_the_volume_is_away(shelf: Shelf, episode: Job) -> None:
    empty = shelf.root / "mount-point"
    empty.mkdir()
    away = MissingLook(shelf.store, shelf.catalogue, empty)
    with pytest.raises(OSError, match="not mounted"):
        await away.look()
    assert (await shelf.title(episode)).missing_since is None


async def test_an_empty_folder_may_be_the_mount_point_of_another_volume(
    shelf: Shelf, episode: Job, caplog: pytest.LogCaptureFixture
) -> None:
    shows = (shelf.root / "Shows").rename(shelf.root / "unmounted")
    (shelf.root / "Shows").mkdir()
    assert (await look(shelf, episode)).missing_since is None
    assert "Mount its volume, or remove the folder" in caplog.text
    (shelf.root / "Shows").rmdir()
    assert (await look(shelf, episode)).missing_since is not None
    shows.rename(shelf.root / "Shows")
    assert (await look(shelf, episode)).missing_since is None


async def test_a_file_that_a_person_changed_is_not_missing(shelf: Shelf, episode: Job) -> None:
    (shelf.root / str(episode.filename)).write_bytes(b"with other tags")
    assert (await look(shelf, episode)).missing_since is None
