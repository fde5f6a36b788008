"""Archived titles leave the library with all their files, and return where they were."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import Job, JobFile, JobStatus
from mediarip_mqtt.contract.titles import Title, TitleFile, TitleState
from mediarip_mqtt.library import organizer
from mediarip_mqtt.library.archive import archive, check_movable, name_after_restore, restore
from mediarip_mqtt.volume.files import remove_owned
from mediarip_mqtt.volume.owned_files import move_owned, status_of
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, Shelf

BY_DATE = "Shows/Harbour TV/Season 2026/Harbour TV - s2026e010501 - Low tide [x1].mp4"
EPISODE: dict[str, Any] = {**CHANNEL, "upload_date": "20260105"}


async def shelve(shelf: Shelf, job: Job, *, organize: bool = True) -> Title:
    title = await shelf.title(job)
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, title))
    if organize:
        await shelf.organizer.work()
    return await shelf.title(job)


async def bring_back(shelf: Shelf, job: Job, **given: Any) -> Title:
    title = await shelf.title(job)
    await shelf.store.write(lambda tx: restore(tx, shelf.catalogue, title, **given))
    await shelf.organizer.work()
    return await shelf.title(job)


def stored(shelf: Shelf) -> list[str]:
    """Return the files in the archive, as below the root."""
    base = shelf.root / ".mediarip" / "archive"
    return sorted(str(one.relative_to(base)) for one in base.rglob("*") if one.is_file())


@pytest.fixture
async def episode(shelf: Shelf) -> Job:
    shelf.engine.subtitles = ("en",)
    return await shelf.download("Low tide", **EPISODE)


async def test_all_files_of_a_title_move_to_the_archive(shelf: Shelf, episode: Job) -> None:
    title = await shelve(shelf, episode)
    assert title.state is TitleState.ARCHIVED
    assert title.deleted_at == shelf.clock()
    assert shelf.files() == []
    assert not (shelf.root / "Shows").exists()
    assert stored(shelf) == [f"{title.id}/{BY_DATE[:-4]}.en.srt", f"{title.id}/{BY_DATE}"]
    assert title.organized_to == f".mediarip/archive/{title.id}/{BY_DATE}"
    job = await shelf.job(episode)
    assert (job.status, job.filename) == (JobStatus.COMPLETED, None)
    assert (await shelf.events())[-1] == "archived"


async def test_a_restored_title_is_where_it_was(shelf: Shelf, episode: Job) -> None:
    before = await shelf.title(episode)
    files = shelf.files()
    await shelve(shelf, episode)
    title = await bring_back(shelf, episode)
    assert title == before
    assert shelf.files() == files
    assert not (shelf.root / ".mediarip" / "archive").joinpath(title.id).exists()
    assert (await shelf.job(episode)).filename == BY_DATE
    assert (await shelf.events())[-1] == "restored"


async def test_another_title_takes_the_name_of_an_archived_one(shelf: Shelf, episode: Job) -> None:
    await shelve(shelf, episode, organize=False)
    await shelf.organizer.work()
    again = await shelf.download("Low tide", **EPISODE)
    assert (await shelf.title(again)).organized_to == BY_DATE
    restored = await bring_back(shelf, episode)
    assert restored.episode == 10502
    assert restored.organized_to == BY_DATE.replace("010501", "010502")
    assert len(shelf.files()) == 4


async def test_a_taken_number_is_not_taken_again_unless_it_is_said(new_shelf: NewShelf) -> None:
    shelf = new_shelf(conflict="ask")
    numbers: dict[str, Any] = {"by_library": {"show": "Tides", "season": 1, "episode": 1}}
    first = await shelf.download("one", **numbers)
    await shelve(shelf, first)
    await shelf.download("two", **numbers, id="x2")
    with pytest.raises(CommandError) as caught:
        await bring_back(shelf, first)
    assert caught.value.code is ErrorCode.CONFLICT
    assert (await shelf.title(first)).state is TitleState.ARCHIVED
    title = await bring_back(shelf, first, conflict="rename")
    assert (title.episode, title.title_index) == (1, 1)
    assert len(shelf.files()) == 2


async def test_a_movie_whose_name_is_taken_returns_with_a_number(shelf: Shelf) -> None:
    movie: dict[str, Any] = {"by_library": {"content_type": "movie", "year": 2020}}
    first = await shelf.download("Sea", **movie)
    await shelve(shelf, first)
    await shelf.download("Sea", **movie, id="x2")
    asked = await shelf.title(first)
    name = await shelf.store.read(lambda tx: name_after_restore(tx, shelf.catalogue, asked))
    assert name == "Movies/Sea (2020)/Sea (2020) (2).mp4"
    assert (await bring_back(shelf, first)).organized_to == name


async def test_a_file_of_another_program_keeps_its_name_when_a_title_returns(
    shelf: Shelf, episode: Job
) -> None:
    await shelve(shelf, episode)
    (shelf.root / BY_DATE).parent.mkdir(parents=True)
    (shelf.root / BY_DATE).write_bytes(b"not ours")
    title = await bring_back(shelf, episode)
    assert title.organized_to == BY_DATE.replace(".mp4", " (2).mp4")
    assert (shelf.root / BY_DATE).read_bytes() == b"not ours"


async def test_only_completed_titles_are_archived_and_only_archived_ones_restored(
    shelf: Shelf, episode: Job
) -> None:
    with pytest.raises(CommandError, match="completed"):
        await bring_back(shelf, episode)
    await shelve(shelf, episode, organize=False)
    with pytest.raises(CommandError, match="archived"):
        await shelve(shelf, episode)
    with pytest.raises(CommandError, match="being moved"):
        await bring_back(shelf, episode)


async def test_a_replaced_side_file_stays_where_it_is(shelf: Shelf, episode: Job) -> None:
    subtitles = shelf.root / BY_DATE.replace(".mp4", ".en.srt")
    subtitles.unlink()
    subtitles.write_text("by a person")
    title = await shelve(shelf, episode)
    assert title.state is TitleState.ARCHIVED
    assert subtitles.read_text() == "by a person"
    assert stored(shelf) == [f"{title.id}/{BY_DATE}"]


async def test_a_replaced_medium_is_never_moved(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / BY_DATE
    medium.unlink()
    medium.write_bytes(b"by a person")
    (main, *_) = await shelf.store.read(lambda tx: tx.title_files(str(episode.title_id)))
    with pytest.raises(CommandError, match="replaced"):
        check_movable(shelf.root, main)
    assert (await shelve(shelf, episode)).state is TitleState.MISSING
    assert medium.read_bytes() == b"by a person"


async def test_a_link_in_place_of_a_medium_is_never_moved(shelf: Shelf, episode: Job) -> None:
    medium = shelf.root / BY_DATE
    target = medium.rename(shelf.root / "elsewhere.mp4")
    medium.symlink_to(target)
    assert (await shelve(shelf, episode)).state is TitleState.MISSING
    assert medium.is_symlink()
    assert target.exists()


async def test_side_files_that_the_library_made_go_along(shelf: Shelf, episode: Job) -> None:
    nfo = BY_DATE.replace(".mp4", ".nfo")
    (shelf.root / nfo).write_text("<episodedetails/>")
    status = status_of(shelf.root, nfo)
    assert status is not None
    made = TitleFile(
        id=0,
        filename=nfo,
        filesize=status.st_size,
        role=FileRole.NFO,
        identity=f"{status.st_ino} {status.st_mtime_ns}",
    )
    await shelf.store.write(lambda tx: tx.add_title_file(str(episode.title_id), made))
    await shelve(shelf, episode)
    assert shelf.files() == []
    await bring_back(shelf, episode)
    assert nfo in shelf.files()


async def test_archived_files_are_deleted_with_their_job_if_that_is_said(
    shelf: Shelf, episode: Job, tmp_path: Path
) -> None:
    title = await shelve(shelf, episode)
    for file in await shelf.store.read(lambda tx: tx.owned_files([episode.id])):
        assert remove_owned(tmp_path, file)
    await shelf.store.write(lambda tx: shelf.catalogue.deleted(tx, [episode.id]))
    assert stored(shelf) == []
    assert (await shelf.title(episode)).state is TitleState.DELETED
    assert title.state is TitleState.ARCHIVED


async def test_a_known_medium_stays_known_while_it_is_archived(shelf: Shelf, episode: Job) -> None:
    title = await shelve(shelf, episode)
    known = await shelf.store.read(lambda tx: tx.title_of_source("Youtube", "x1"))
    assert known == title


async def test_a_title_that_can_not_be_moved_does_not_hold_up_others(
    shelf: Shelf, episode: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await shelf.download("High tide", **{**EPISODE, "id": "x2", "upload_date": "20260106"})
    move = move_owned

    def refused(root: Path, file: JobFile, filename: str) -> str:
        if "Low tide" in file.filename:
            raise PermissionError(errno.EACCES, "Permission denied", file.filename)
        return move(root, file, filename)

    monkeypatch.setattr(organizer, "move_owned", refused)
    await shelve(shelf, episode, organize=False)
    archived = await shelve(shelf, other)
    assert str(archived.organized_to).startswith(".mediarip/archive/")
    monkeypatch.undo()
    await shelf.organizer.work()
    assert shelf.files() == []
