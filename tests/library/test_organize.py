"""`organize`: titles follow the layout, in chunks, and no other file is touched."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.library_runs import LibraryRun, RunKind
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.titles import Title, TitleState
from mediarip_mqtt.library.organize import renaming
from mediarip_mqtt.library.organizer import Organizer
from mediarip_mqtt.library.runs import CHUNK, LibraryRuns
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume import owned_files
from mediarip_mqtt.volume.files import move_into_place
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, Shelf
from tests.support.steps import Bench

OLD = "Videos/Low tide [x1].mp4"
NEW = "Clips/Low tide [x1].mp4"
CLIPS = {"folders": {"other": "Clips"}}


def runs(shelf: Shelf) -> LibraryRuns:
    return LibraryRuns(shelf.store, shelf.catalogue, shelf.organizer, shelf.root)


async def start(shelf: Shelf, kind: RunKind = RunKind.ORGANIZE, folder: str = "") -> None:
    run = LibraryRun(
        kind=kind, folder=folder, session_id="default", started_at=shelf.clock(), total=None
    )
    await shelf.store.write(lambda tx: tx.start_run(run))


async def organize(shelf: Shelf) -> dict[str, int]:
    """Organize everything; return the counts of the event at the end."""
    await start(shelf)
    await runs(shelf).work()
    return await ended(shelf)


async def ended(shelf: Shelf) -> dict[str, int]:
    rows = await shelf.store.read(lambda tx: tx.outbox(10_000))
    (payload,) = [row.payload for row in rows if "library_run_ended" in row.payload][-1:]
    found = {}
    for name in ("checked", "changed", "skipped"):
        found[name] = int(payload.partition(f'"{name}":')[2].split(",")[0].rstrip("}"))
    return found


async def only_title(shelf: Shelf) -> Title:
    (title,) = await shelf.titles()
    return title


async def test_a_title_moves_with_its_files_to_where_the_settings_say_now(
    shelf: Shelf, new_shelf: NewShelf
) -> None:
    shelf.engine.subtitles = ("en",)
    await shelf.download("Low tide")
    assert shelf.files() == [OLD.replace(".mp4", ".en.srt"), OLD]
    later = new_shelf(**CLIPS)
    assert await organize(later) == {"checked": 1, "changed": 1, "skipped": 0}
    assert later.files() == [NEW.replace(".mp4", ".en.srt"), NEW]
    title = await only_title(later)
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, NEW)
    assert not (later.root / "Videos").exists()


async def test_what_is_in_place_stays(shelf: Shelf) -> None:
    await shelf.download("Low tide")
    await shelf.download("Tides S01E02", series="Tides")
    before = shelf.files()
    assert await organize(shelf) == {"checked": 2, "changed": 0, "skipped": 0}
    assert shelf.files() == before


async def test_a_numbered_copy_is_in_place(shelf: Shelf) -> None:
    (shelf.root / "Videos").mkdir()
    (shelf.root / OLD).write_text("someone else's")
    await shelf.download("Low tide")
    assert (await only_title(shelf)).organized_to == "Videos/Low tide [x1] (2).mp4"
    assert (await organize(shelf))["changed"] == 0


async def test_a_file_of_another_program_keeps_its_name(shelf: Shelf, new_shelf: NewShelf) -> None:
    await shelf.download("Low tide")
    (shelf.root / "Clips").mkdir()
    (shelf.root / NEW).write_text("someone else's")
    later = new_shelf(**CLIPS)
    await organize(later)
    assert (later.root / NEW).read_text() == "someone else's"
    assert (await only_title(later)).organized_to == "Clips/Low tide [x1] (2).mp4"


async def test_a_replaced_or_missing_file_is_not_moved(shelf: Shelf, new_shelf: NewShelf) -> None:
    await shelf.download("Low tide")
    await shelf.download("High tide", id="x2")
    (shelf.root / OLD).unlink()
    (shelf.root / OLD).write_text("another film")
    (shelf.root / "Videos/High tide [x2].mp4").unlink()
    assert await organize(new_shelf(**CLIPS)) == {"checked": 2, "changed": 0, "skipped": 2}
    assert shelf.files() == [OLD]


async def test_names_that_differ_only_in_case_are_one_file(
    shelf: Shelf, new_shelf: NewShelf
) -> None:
    await shelf.download("Low tide")
    assert (await organize(new_shelf(folders={"other": "VIDEOS"})))["changed"] == 0
    assert shelf.files() == [OLD]


async def test_finished_downloads_from_before_the_library_become_titles(
    shelf: Shelf, new_shelf: NewShelf
) -> None:
    bench = Bench(shelf.store, shelf.root, shelf.engine)  # without a library
    work = await bench.begin("Tides S01E02 Low tide")
    await bench.run(work)
    assert shelf.files() == ["Tides S01E02 Low tide.mp4"]
    await organize(shelf)
    title = await only_title(shelf)
    assert title.organized_to == "Shows/Tides/Season 01/Tides - S01E02 - Low tide.mp4"
    assert shelf.files() == [title.organized_to]
    job = await bench.job(work.job.id)
    assert (job.title_id, job.filename) == (title.id, title.organized_to)
    before = await shelf.titles()
    assert (await organize(shelf))["changed"] == 0
    assert await shelf.titles() == before


async def test_more_titles_than_a_chunk_are_moved_each_once(
    shelf: Shelf, new_shelf: NewShelf
) -> None:
    count = CHUNK + 3
    for number in range(count):
        await shelf.download("tide", id=f"x{number}")
    later = new_shelf(**CLIPS)
    assert await organize(later) == {"checked": count, "changed": count, "skipped": 0}
    assert len(later.files()) == count
    assert all(name.startswith("Clips/") for name in later.files())
    assert await later.store.read(Tx.library_runs) == []


async def test_a_run_is_started_once(shelf: Shelf) -> None:
    await start(shelf)
    await start(shelf)
    assert len(await shelf.store.read(Tx.library_runs)) == 1


async def test_a_run_goes_on_where_it_stopped(
    shelf: Shelf, new_shelf: NewShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await shelf.download("tide", id=f"x{number}")
    later = new_shelf(**CLIPS)
    calls = []

    def fails(*arguments: Any) -> str:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return move_into_place(*arguments)

    monkeypatch.setattr(owned_files, "move_into_place", fails)
    await start(later)
    with pytest.raises(OSError, match="No space"):
        await runs(later).work()
    await later.organizer.work()
    await runs(later).work()
    assert sorted(later.files()) == [f"Clips/tide [x{number}].mp4" for number in range(3)]
    assert (await ended(later))["changed"] == 3


async def test_a_folder_without_permission_does_not_stop_the_others(
    shelf: Shelf, new_shelf: NewShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await shelf.download("tide", id=f"x{number}")
    later = new_shelf(**CLIPS)

    def fails(root: Path, source: Path, *others: Any) -> str:
        if "x1" in source.name:
            raise OSError(errno.EACCES, "Permission denied", str(source))
        return move_into_place(root, source, *others)

    monkeypatch.setattr(owned_files, "move_into_place", fails)
    await organize(later)
    assert later.files() == ["Clips/tide [x0].mp4", "Clips/tide [x2].mp4", "Videos/tide [x1].mp4"]
    assert {title.state for title in await later.titles()} == {TitleState.COMPLETED}
    assert {title.organized_to for title in await later.titles()} == set(later.files())


async def test_an_unmounted_volume_postpones_a_run(shelf: Shelf, new_shelf: NewShelf) -> None:
    await shelf.download("Low tide")
    later = new_shelf(**CLIPS)
    elsewhere = later.root / "empty"
    elsewhere.mkdir()
    organizer = Organizer(later.store, later.catalogue, elsewhere)
    await start(later)
    with pytest.raises(FileNotFoundError):
        await LibraryRuns(later.store, later.catalogue, organizer, elsewhere).work()
    assert (await only_title(later)).state is TitleState.COMPLETED
    await runs(later).work()
    assert NEW in later.files()


async def test_an_equal_show_of_dates_keeps_its_numbers(shelf: Shelf, new_shelf: NewShelf) -> None:
    job: Job = await shelf.download("Low tide", **CHANNEL, upload_date="20260105")
    before = await shelf.title(job)
    later = new_shelf(folders={"tv": "Series"})
    await organize(later)
    after = await later.title(job)
    assert (after.season, after.episode) == (before.season, before.episode)
    assert after.organized_to == str(before.organized_to).replace("Shows/", "Series/")


async def test_the_names_fit_the_volume(shelf: Shelf, new_shelf: NewShelf) -> None:
    await shelf.download("tide " * 60)
    title = await only_title(new_shelf(**CLIPS))
    planned = await shelf.store.read(
        partial(renaming, catalogue=new_shelf(**CLIPS).catalogue, title=title, limit=143)
    )
    assert planned is not None
    assert all(len(part.encode()) <= 143 for part in planned.new_name.split("/"))
    assert os.path.splitext(planned.new_name)[1] == ".mp4"  # noqa: PTH122 - a text
