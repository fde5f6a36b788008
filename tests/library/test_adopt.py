"""`adopt`: media of other tools become titles where they are; nothing in them is trusted."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from mediarip_mqtt.contract.content import ContentType, FileRole
from mediarip_mqtt.contract.library_runs import RunKind
from mediarip_mqtt.contract.titles import Title, TitleState
from mediarip_mqtt.library import media_folder
from mediarip_mqtt.library.archive import archive
from mediarip_mqtt.library.media_folder import INFO_LIMIT, id_in, media_below, read_medium
from mediarip_mqtt.library.nfo_reader import read_nfo
from mediarip_mqtt.library.runs import CHUNK
from mediarip_mqtt.volume.owned_files import status_of
from tests.library.conftest import NewShelf
from tests.library.test_organize import ended, organize, runs, start
from tests.support.library import Shelf
from tests.support.steps import Bench

INFO = {
    "id": "dQw4w9WgXcQ",
    "title": "Low tide",
    "extractor_key": "Youtube",
    "channel": "Harbour TV",
    "channel_id": "UC1",
    "upload_date": "20260105",
    "duration": 61.5,
}
EPISODE = """<?xml version="1.0" encoding="UTF-8"?>
<episodedetails><title>Low tide</title><showtitle>Tides</showtitle><season>1</season>
<episode>2</episode><plot>Water &amp; sand</plot><aired>2026-01-05</aired>
<uniqueid type="youtube">dQw4w9WgXcQ</uniqueid></episodedetails>"""


def put(shelf: Shelf, name: str, content: str | bytes = b"film") -> Path:
    path = shelf.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def adopt(shelf: Shelf, folder: str = "yt") -> dict[str, int]:
    await start(shelf, RunKind.ADOPT, folder)
    await runs(shelf).work()
    return await ended(shelf)


async def adopted(shelf: Shelf) -> Title:
    assert (await adopt(shelf))["changed"] == 1
    (title,) = await shelf.titles()
    return title


async def test_what_yt_dlp_made_becomes_a_title_with_its_side_files(shelf: Shelf) -> None:
    put(shelf, "yt/Low tide.mkv")
    put(shelf, "yt/Low tide.info.json", json.dumps(INFO))
    put(shelf, "yt/Low tide.en.srt")
    put(shelf, "yt/Low tide.webp")
    before = shelf.files()
    title = await adopted(shelf)
    assert (title.content_type, title.show, title.season) == (ContentType.TV, "Harbour TV", 2026)
    assert (title.extractor, title.source_id) == ("Youtube", "dQw4w9WgXcQ")
    assert (title.state, title.organized_to) == (TitleState.COMPLETED, "yt/Low tide.mkv")
    assert shelf.files() == before
    files = await shelf.store.read(lambda tx: tx.title_files(title.id))
    assert {file.role for file in files} == {
        *(FileRole.MAIN, FileRole.INFO, FileRole.SUBTITLE, FileRole.THUMB)
    }


async def test_adopted_files_move_only_when_organized(shelf: Shelf) -> None:
    put(shelf, "yt/Low tide.mkv")
    put(shelf, "yt/Low tide.nfo", EPISODE)
    put(shelf, "yt/Low tide-thumb.jpg")
    await adopt(shelf)
    await organize(shelf)
    stem = "Shows/Tides/Season 01/Tides - S01E02 - Low tide"
    assert shelf.files() == [f"{stem}-thumb.jpg", f"{stem}.mkv", f"{stem}.nfo"]
    assert not (shelf.root / "yt").exists()


async def test_an_nfo_says_show_number_and_site(shelf: Shelf) -> None:
    put(shelf, "yt/a/b.mkv")
    put(shelf, "yt/a/b.nfo", EPISODE)
    title = await adopted(shelf)
    assert (title.show, title.season, title.episode) == ("Tides", 1, 2)
    assert (title.title, title.description) == ("Low tide", "Water & sand")
    assert (title.extractor, title.source_id) == ("youtube", "dQw4w9WgXcQ")


async def test_a_movie_nfo_makes_a_movie(shelf: Shelf) -> None:
    put(shelf, "yt/The Sea/sea.mkv")
    put(shelf, "yt/The Sea/movie.nfo", "<movie><title>The Sea</title><year>2019</year></movie>")
    title = await adopted(shelf)
    assert (title.content_type, title.title, title.year) == (ContentType.MOVIE, "The Sea", 2019)


async def test_an_id_in_the_name_is_enough(shelf: Shelf) -> None:
    put(shelf, "yt/Low tide [dQw4w9WgXcQ].mp4")
    title = await adopted(shelf)
    assert (title.title, title.extractor) == ("Low tide", "Youtube")


async def test_nothing_is_made_of_what_says_nothing(shelf: Shelf) -> None:
    for name in ("holiday.mp4", "film [WEBDL-1080p].mkv", "half.f137.mp4", "notes [12345].txt"):
        put(shelf, f"yt/{name}")
    assert await adopt(shelf) == {"checked": 2, "changed": 0, "skipped": 2}
    assert await shelf.titles() == []


async def test_adopting_again_changes_nothing(shelf: Shelf) -> None:
    for number in range(CHUNK + 5):
        put(shelf, f"yt/{number}/Low tide [x{number:04d}].mp4")
    assert (await adopt(shelf))["changed"] == CHUNK + 5
    before = await shelf.titles()
    assert await adopt(shelf) == {"checked": CHUNK + 5, "changed": 0, "skipped": 0}
    assert await shelf.titles() == before


async def test_the_same_medium_of_a_site_is_a_title_once(shelf: Shelf) -> None:
    await shelf.download("Low tide", id="dQw4w9WgXcQ", extractor_key="Youtube")
    put(shelf, "yt/again [dQw4w9WgXcQ].mp4")
    assert await adopt(shelf) == {"checked": 1, "changed": 0, "skipped": 1}
    assert len(await shelf.titles()) == 1


async def test_an_archived_title_is_not_doubled(shelf: Shelf) -> None:
    job = await shelf.download("Low tide", id="dQw4w9WgXcQ", extractor_key="Youtube")
    title = await shelf.title(job)
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, title))
    put(shelf, "yt/again [dQw4w9WgXcQ].mp4")
    assert (await adopt(shelf))["changed"] == 0


async def test_a_missing_title_gets_its_file_back(shelf: Shelf) -> None:
    job = await shelf.download("Low tide", id="dQw4w9WgXcQ", extractor_key="Youtube")
    title = await shelf.title(job)
    (shelf.root / "yt").mkdir()
    name = "yt/moved by hand [dQw4w9WgXcQ].mp4"
    (shelf.root / str(title.organized_to)).rename(shelf.root / name)
    await shelf.store.write(lambda tx: shelf.catalogue.lost(tx, title.id))
    assert (await adopt(shelf))["changed"] == 1
    (back,) = await shelf.titles()
    assert (back.id, back.state, back.organized_to) == (title.id, TitleState.COMPLETED, name)


async def test_the_file_of_a_finished_job_becomes_its_title(shelf: Shelf) -> None:
    bench = Bench(shelf.store, shelf.root, shelf.engine)
    work = await bench.begin("Low tide [dQw4w9WgXcQ]", folder="yt")
    await bench.run(work)
    title = await adopted(shelf)
    assert title.job_id == work.job.id
    assert (await bench.job(work.job.id)).title_id == title.id
    (file,) = await shelf.store.read(lambda tx: tx.title_files(title.id))
    assert file.main


async def test_links_hidden_files_and_the_own_folder_are_not_followed(
    shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret [dQw4w9WgXcQ].mp4").write_text("secret")
    put(shelf, "yt/.hidden/a [dQw4w9WgXc1].mp4")
    put(shelf, "yt/.b [dQw4w9WgXc2].mp4")
    put(shelf, ".mediarip/archive/c [dQw4w9WgXc3].mp4")
    (shelf.root / "yt/folder").symlink_to(outside)
    (shelf.root / "yt/own").symlink_to(shelf.root / ".mediarip")
    (shelf.root / "yt/d [dQw4w9WgXc4].mp4").symlink_to(outside / "secret [dQw4w9WgXcQ].mp4")
    put(shelf, "yt/e.mp4")
    (shelf.root / "yt/e.info.json").symlink_to(outside / "secret [dQw4w9WgXcQ].mp4")
    assert await adopt(shelf) == {"checked": 1, "changed": 0, "skipped": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"title": ' * 50_000,
        b"\xff\xfe\x00",
        b"null",
        b'{"id": ["x"], "title": {"a": 1}, "duration": NaN, "season_number": 1e400}',
        b'{"title": "' + b"x" * INFO_LIMIT + b'"}',
        b'{"id": ' + b"9" * 10_000 + b"}",
    ],
    ids=["deep list", "deep object", "no text", "null", "types", "large", "long number"],
)
async def test_a_hostile_info_json_does_no_harm(shelf: Shelf, content: bytes) -> None:
    put(shelf, "yt/Low tide [dQw4w9WgXcQ].mp4")
    put(shelf, "yt/Low tide [dQw4w9WgXcQ].info.json", content)
    title = await adopted(shelf)
    assert title.title == "Low tide"


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><movie><title>&b;</title></movie>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><movie/>',
        "<movie><title>",
        "<html><title>x</title></html>",
        '<?xml version="1.0" encoding="nonsense"?><movie/>',
        "",
    ],
)
def test_an_nfo_that_is_none_says_nothing(content: str) -> None:
    assert read_nfo(content.encode()) is None


def test_a_deep_nfo_takes_neither_stack_nor_memory() -> None:
    deep = "<movie>" + "<a>" * 100_000 + "</a>" * 100_000 + "<title>Sea</title></movie>"
    found = read_nfo(deep.encode())
    assert found is not None
    assert found.fields == {"title": "Sea"}


def test_several_episodes_in_an_nfo_count_as_the_first() -> None:
    found = read_nfo((EPISODE + EPISODE.replace("Low", "High").partition("?>")[2]).encode())
    assert found is not None
    assert found.fields["title"] == "Low tide"


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("Low tide [dQw4w9WgXcQ]", "dQw4w9WgXcQ"),
        ("Low tide (dQw4w9WgXcQ)", "dQw4w9WgXcQ"),
        ("Low tide [123456789]", "123456789"),
        ("Low tide [1080p]", None),
        ("Low tide [WEBDL-1080p]", None),
        ("Low tide [x264]", None),
        ("Low tide (2019)", None),
        ("Low tide [English]", None),
        ("Low tide", None),
    ],
)
def test_an_id_is_told_from_other_words_in_brackets(stem: str, key: str | None) -> None:
    found = id_in(stem)
    assert (found.fields["id"] if found else None) == key


async def test_names_that_can_not_be_used_are_left_alone(shelf: Shelf) -> None:
    for name in ("a\udcff [dQw4w9WgXc1].mp4", "b\n [dQw4w9WgXc2].mp4", "c\\d [dQw4w9WgXc3].mp4"):
        put(shelf, f"yt/{name}")
    assert await adopt(shelf) == {"checked": 3, "changed": 0, "skipped": 3}


async def test_a_walk_goes_on_behind_a_path(shelf: Shelf) -> None:
    names = ["yt/a/1 [00001].mp4", "yt/a b/1 [00002].mp4", "yt/a.mp4", "yt/b/c/1 [00003].mp4"]
    for name in names:
        put(shelf, name)
    everything = [medium.path for medium in media_below(shelf.root, "yt")]
    assert sorted(everything) == sorted(names)
    for index, path in enumerate(everything):
        rest = [medium.path for medium in media_below(shelf.root, "yt", path)]
        assert rest == everything[index + 1 :]


async def test_a_medium_that_is_gone_is_left_out(shelf: Shelf) -> None:
    path = put(shelf, "yt/Low tide [dQw4w9WgXcQ].mp4")
    (medium,) = media_below(shelf.root, "yt")
    path.unlink()
    assert read_medium(shelf.root, medium) is None


async def test_rules_apply_and_nobody_is_asked(new_shelf: NewShelf) -> None:
    rule = {"match": {"channel": "Harbour*"}, "content_type": "tv", "show": "Tides"}
    shelf = new_shelf(rules=[{**rule, "tags": ["sea"]}], review_below=1.0)
    put(shelf, "yt/x [dQw4w9WgXcQ].mp4")
    put(shelf, "yt/x [dQw4w9WgXcQ].info.json", json.dumps(INFO))
    title = await adopted(shelf)
    assert (title.show, title.tags, title.state) == ("Tides", ("sea",), TitleState.COMPLETED)


@pytest.mark.parametrize("became", ["link", "file"])
async def test_a_run_ends_whose_folder_became_something_else(shelf: Shelf, became: str) -> None:
    put(shelf, "yt/Low tide [dQw4w9WgXcQ].mkv")
    await start(shelf, RunKind.ADOPT, "yt")
    (shelf.root / "yt").rename(shelf.root / "elsewhere")
    if became == "link":
        (shelf.root / "yt").symlink_to("elsewhere")
    else:
        put(shelf, "yt")
    await runs(shelf).work()
    assert (await ended(shelf))["changed"] == 0


async def test_a_folder_that_may_only_be_listed_does_not_hold_up_a_run(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shelf, "yt/a/Low tide [dQw4w9WgXcQ].mkv")
    put(shelf, "yt/b/High tide [dQw4w9WgXcR].mkv")

    def refused(root: Path, filename: str) -> os.stat_result | None:
        if filename.startswith("yt/a/"):
            raise PermissionError(errno.EACCES, "Permission denied", filename)
        return status_of(root, filename)

    monkeypatch.setattr(media_folder, "status_of", refused)
    assert (await adopt(shelf))["changed"] == 1
