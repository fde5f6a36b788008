"""What goes beside media: metadata, pictures and tags, for new titles and for those that move."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import mutagen
import pytest

from mediarip_mqtt import fault_points, threads
from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.titles import Title, TitleState
from mediarip_mqtt.library.archive import owned
from mediarip_mqtt.volume.owned_files import is_owned
from tests.library.conftest import NewShelf
from tests.support.library import CHANNEL, NEVER_SURE, Shelf

SERIES = {"series": "Tides", "season_number": 1, "episode_number": 2, "episode": "Low tide"}
STEM = "Shows/Tides/Season 01/Tides - S01E02 - Low tide"
SHARED = [
    "Shows/Tides/Season 01/season.nfo",
    "Shows/Tides/fanart.jpg",
    "Shows/Tides/poster.jpg",
    "Shows/Tides/season01-poster.jpg",
    "Shows/Tides/tvshow.nfo",
]
SONG = {"track": "Surf", "artist": "Anna, Ben", "artists": ["Anna", "Ben"], "album": "Sea"}


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    return ffmpeg("testsrc=size=640x360", "-frames:v", "1", "-f", "mjpeg")


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a second of sound in each format, by extension."""
    folder = tmp_path_factory.mktemp("songs")
    for extension in ("mp3", "m4a", "flac", "ogg", "opus", "wav"):
        ffmpeg("sine=duration=1", str(folder / f"a.{extension}"))
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


def ffmpeg(source: str, *options: str) -> bytes:
    target = options if options[-1].startswith("/") else (*options, "-")
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *target]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture
def shelf(new_shelf: NewShelf, jpeg: bytes) -> Shelf:
    shelf = new_shelf(nfo=True, artwork=True)
    shelf.engine.jpeg = jpeg
    shelf.engine.thumbnail = "https://e.com/picture.jpg"
    return shelf


async def rows(shelf: Shelf, title: Title) -> dict[str, FileRole]:
    found = await shelf.store.read(lambda tx: tx.title_files(title.id))
    assert all(file.identity and not file.move_to for file in found)
    for file in found:
        assert (shelf.root / file.filename).stat().st_size == file.filesize
    return {file.filename: file.role for file in found}


def text_of(shelf: Shelf, name: str, tag: str) -> str | None:
    return ET.parse(shelf.root / name).findtext(tag)  # noqa: S314 - our own file


async def sing(shelf: Shelf, content: bytes, extension: str, **fields: Any) -> Job:
    shelf.engine.content, shelf.engine.extension = content, extension
    return await shelf.download("song", **{**SONG, **fields})


async def test_an_episode_gets_its_metadata_and_pictures(shelf: Shelf) -> None:
    job = await shelf.download("page", **SERIES, plot="One.\nTwo.")
    assert (job.status, job.warning) == (JobStatus.COMPLETED, None)
    own = [f"{STEM}-thumb.jpg", f"{STEM}.mp4", f"{STEM}.nfo"]
    assert shelf.files() == sorted([*own, *SHARED])
    title = await shelf.title(job)
    assert await rows(shelf, title) == {
        own[0]: FileRole.THUMB,
        own[1]: FileRole.MAIN,
        own[2]: FileRole.NFO,
    }
    assert text_of(shelf, own[2], "plot") == "One.\nTwo."
    assert title.description == "One.\nTwo."
    assert title.thumbnail_source == "page"


async def test_a_movie_gets_a_poster(shelf: Shelf) -> None:
    await shelf.download("The Sea (2019)", duration=5400)
    stem = "Movies/The Sea (2019)/The Sea (2019)"
    tails = ("-fanart.jpg", "-poster.jpg", "-thumb.jpg", ".mp4", ".nfo")
    assert shelf.files() == [f"{stem}{tail}" for tail in tails]
    poster = str(shelf.root / f"{stem}-poster.jpg")
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    shape = await threads.call(subprocess.run, [*command, poster], capture_output=True, check=True)
    assert shape.stdout.strip() == b"600,900"


async def test_without_a_picture_it_is_completed_with_a_warning(shelf: Shelf) -> None:
    shelf.engine.jpeg = None
    job = await shelf.download("page", **SERIES)
    assert job.status is JobStatus.COMPLETED
    assert "picture" in str(job.warning)
    assert f"{STEM}.nfo" in shelf.files()


async def test_a_page_without_a_picture_is_no_reason_for_a_warning(shelf: Shelf) -> None:
    shelf.engine.thumbnail = None
    assert (await shelf.download("page", **SERIES)).warning is None


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
async def test_metadata_that_cannot_be_written_are_a_warning(
    number: int, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(at: str) -> None:
        if at == "before-write":
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fault_points, "reached", reached)
    job = await shelf.download("page", **SERIES)
    assert job.status is JobStatus.COMPLETED
    assert "Metadata" in str(job.warning)
    assert f"{STEM}.mp4" in shelf.files()


async def test_what_a_person_made_for_a_show_stays(shelf: Shelf) -> None:
    folder = shelf.root / "Shows" / "Tides"
    folder.mkdir(parents=True)
    for name in ("tvshow.nfo", "poster.jpg"):
        (folder / name).write_bytes(b"mine")
    await shelf.download("page", **SERIES)
    assert (folder / "tvshow.nfo").read_bytes() == b"mine"
    assert (folder / "poster.jpg").read_bytes() == b"mine"


async def test_the_nfo_of_a_show_follows_its_titles_until_somebody_edits_it(shelf: Shelf) -> None:
    name = "Shows/Harbour TV/tvshow.nfo"
    await shelf.download("one", **CHANNEL, upload_date="20260105")
    await shelf.download("two", **CHANNEL, id="x2", upload_date="20240301")
    assert text_of(shelf, name, "premiered") == "2024-03-01"
    path = shelf.root / name
    path.write_text(path.read_text().replace("Harbour TV", "My harbour"))
    await shelf.download("three", **CHANNEL, id="x3", upload_date="20230301")
    assert text_of(shelf, name, "premiered") == "2024-03-01"
    assert text_of(shelf, name, "title") == "My harbour"


async def test_a_file_of_the_sender_s_own_place_gets_nothing_beside_it(shelf: Shelf) -> None:
    await shelf.download("page", **SERIES, by_folder="mine")
    assert shelf.files() == ["mine/page.mp4"]


async def test_info_json_has_no_urls_and_the_chapters(new_shelf: NewShelf) -> None:
    shelf = new_shelf(info_json=True)
    chapters = [{"title": "One", "start_time": 0, "end_time": 5.5}, {"start_time": -1}]
    job = await shelf.download(
        "page", **SERIES, chapters=chapters, plot="All.", url="https://e.com/?token=1"
    )
    name = f"{STEM}.info.json"
    assert name in shelf.files()
    found = json.loads((shelf.root / name).read_text())
    assert found["description"] == "All."
    assert (found["series"], "url" in found) == ("Tides", False)
    assert found["chapters"] == chapters
    title = await shelf.title(job)
    kept = await shelf.store.read(lambda tx: tx.chapters(title.id))
    assert [(one.title, one.start_time, one.end_time) for one in kept] == [("One", 0, 5.5)]
    assert title.has_chapters


@pytest.mark.parametrize("extension", ["mp3", "m4a", "flac", "ogg", "opus"])
async def test_music_is_known_by_its_tags(
    extension: str, shelf: Shelf, songs: dict[str, bytes]
) -> None:
    job = await sing(
        shelf, songs[extension], extension, track_number=3, release_year=2020, album_artist="Anna"
    )
    assert (job.status, job.warning) == (JobStatus.COMPLETED, None)
    album = "Music/Anna/Sea (2020)"
    assert shelf.files() == [
        f"{album}/03 - Surf.{extension}",
        f"{album}/album.nfo",
        f"{album}/cover.jpg",
        "Music/Anna/artist.nfo",
    ]
    tags = mutagen.File(shelf.root / str(job.filename), easy=True).tags
    found = {key: list(tags[key]) for key in ("title", "artist", "album", "albumartist", "date")}
    assert found == {
        "title": ["Surf"],
        "artist": ["Anna", "Ben"],
        "album": ["Sea"],
        "albumartist": ["Anna"],
        "date": ["2020"],
    }
    assert tags["tracknumber"][0].partition("/")[0] == "3"
    await rows(shelf, await shelf.title(job))


async def test_a_podcast_is_an_album_of_its_show(shelf: Shelf, songs: dict[str, bytes]) -> None:
    shelf.engine.content, shelf.engine.extension = songs["mp3"], "mp3"
    job = await shelf.download("talk", **CHANNEL, upload_date="20260105")
    assert job.filename == "Podcasts/Harbour TV/2026-01-05 - talk.mp3"
    tags = mutagen.File(shelf.root / job.filename, easy=True).tags
    assert (tags["genre"], tags["album"]) == (["Podcast"], ["Harbour TV"])
    assert "Podcasts/Harbour TV/cover.jpg" in shelf.files()


async def test_a_format_without_tags_is_a_warning(shelf: Shelf, songs: dict[str, bytes]) -> None:
    job = await sing(shelf, songs["wav"], "wav")
    assert job.status is JobStatus.COMPLETED
    assert "tags" in str(job.warning)
    assert (shelf.root / str(job.filename)).read_bytes() == songs["wav"]


async def test_an_answer_brings_metadata_to_the_new_place(new_shelf: NewShelf, jpeg: bytes) -> None:
    shelf = new_shelf(nfo=True, artwork=True, **NEVER_SURE)
    shelf.engine.jpeg, shelf.engine.thumbnail = jpeg, "https://e.com/picture.jpg"
    job = await shelf.download("page", **SERIES)
    assert shelf.files() == ["Unsorted/Low tide [x1]-thumb.jpg", "Unsorted/Low tide [x1].mp4"]
    title = await shelf.answer(job, choice=1)
    assert title.state is TitleState.COMPLETED
    own = {f"{STEM}{tail}" for tail in ("-thumb.jpg", ".mp4", ".nfo")}
    assert shelf.files() == sorted([*own, *SHARED])
    assert set(await rows(shelf, title)) == own
    assert (await shelf.job(job)).status is JobStatus.COMPLETED


async def test_a_correction_is_in_the_nfo_too(shelf: Shelf) -> None:
    job = await shelf.download("page", **SERIES)
    title = await shelf.answer(job, episode=7, title="High tide")
    stem = "Shows/Tides/Season 01/Tides - S01E07 - High tide"
    assert title.organized_to == f"{stem}.mp4"
    assert text_of(shelf, f"{stem}.nfo", "episode") == "7"
    own = {f"{stem}{tail}" for tail in ("-thumb.jpg", ".mp4", ".nfo")}
    assert shelf.files() == sorted([*own, *SHARED])
    assert set(await rows(shelf, title)) == own


async def test_a_correction_leaves_an_nfo_that_a_person_edited(shelf: Shelf) -> None:
    job = await shelf.download("page", **SERIES)
    (shelf.root / f"{STEM}.nfo").write_bytes(b"<mine/>")
    title = await shelf.answer(job, year=1999)
    assert title.state is TitleState.COMPLETED
    assert (shelf.root / f"{STEM}.nfo").read_bytes() == b"<mine/>"


async def test_a_correction_is_in_the_tags_too(shelf: Shelf, songs: dict[str, bytes]) -> None:
    job = await sing(shelf, songs["m4a"], "m4a", album_artist="Anna", release_year=2020)
    title = await shelf.answer(job, album="Shore", track=4)
    assert title.organized_to == "Music/Anna/Shore (2020)/04 - Surf.m4a"
    tags = mutagen.File(shelf.root / title.organized_to, easy=True).tags
    assert (tags["album"], tags["artist"]) == (["Shore"], ["Anna", "Ben"])
    assert set(await rows(shelf, title)) == {title.organized_to}


class KilledError(BaseException):
    """What a test makes of a kill."""


@pytest.mark.parametrize("point", ["title-moved", "title-furnished", "before-write"])
@pytest.mark.parametrize("kind", ["video", "song"])
async def test_a_kill_while_a_title_moves_is_made_good(
    point: str, kind: str, shelf: Shelf, songs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "song":
        job = await sing(shelf, songs["mp3"], "mp3", album_artist="Anna", release_year=2020)
        os.utime(shelf.root / str(job.filename), (1, 1))  # downloaded long ago
        said: dict[str, Any] = {"album": "Shore of a longer name"}
    else:
        job = await shelf.download("page", **SERIES)
        said = {"episode": 12, "title": "A longer title"}
    await shelf.answer(job, organize=False, **said)
    for _ in range(4):

        def reached(at: str) -> None:
            if at == point:
                raise KilledError

        monkeypatch.setattr(fault_points, "reached", reached)
        with pytest.raises(KilledError):
            await shelf.organizer.work()
        monkeypatch.setattr(fault_points, "reached", None)
        if point != "title-furnished":
            break
    await shelf.organizer.work()
    title = await shelf.title(job)
    assert title.state is TitleState.COMPLETED
    found = set(await rows(shelf, title))
    assert len(found) == (1 if kind == "song" else 3)
    files = await shelf.store.read(lambda tx: tx.title_files(title.id))
    assert all(is_owned(shelf.root, owned(file)) for file in files)
    media = [name for name in shelf.files() if Path(name).suffix in {".mp3", ".mp4"}]
    assert media == [title.organized_to]
    assert not list(shelf.root.glob("[!.]*/**/.*.part"))


async def test_a_picture_that_became_a_link_is_not_read(shelf: Shelf, tmp_path: Path) -> None:
    job = await shelf.download("Low tide", **SERIES)
    title = await shelf.title(job)
    secret = tmp_path / "secret"
    secret.write_bytes(b"TOP SECRET")
    for path in shelf.root.glob("Shows/**/*.jpg"):
        path.unlink()
    (shelf.root / f"{STEM}-thumb.jpg").symlink_to(secret)
    await shelf.bench.side_files.renew(title.id)
    made = [path for path in shelf.root.glob("Shows/**/*.jpg") if not path.is_symlink()]
    assert not [path for path in made if b"SECRET" in path.read_bytes()]
