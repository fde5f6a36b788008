"""`place` names files and moves them: none is lost, is there twice, or belongs to no job."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobFile
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import DownloadSettings, PurgeSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.steps import place
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume import files as volume_files
from mediarip_mqtt.volume.storage_errors import file_error
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.engine import CONTENT
from tests.support.faulty import EACH, freeze, program
from tests.support.server import MediaServer
from tests.support.service import Service
from tests.support.steps import Bench

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(Topics("mediarip"), Preferences(Settings()))


async def begun(store: Store, jobs: Jobs) -> str:
    def begin(tx: Tx) -> str:
        job = jobs.add(tx, "https://e.com/x", DownloadOptions(), session_id="default")
        jobs.claim(tx, [], extracted=lambda _: False)
        return job.id

    return await store.write(begin)


def made(folder: Path, *names: str) -> list[JobFile]:
    """Make the files of a job; their sources are numbered."""
    found = []
    for number, name in enumerate(names):
        source = folder / f"source-{number}"
        source.write_bytes(CONTENT)
        found.append(
            JobFile(temp_path=str(source), filename=name, filesize=len(CONTENT), main=not number)
        )
    return found


def there(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_files_are_named_by_the_page_of_the_job_and_moved(bench: Bench) -> None:
    bench.engine.subtitles = ("en", "de")
    work = await bench.begin("film", folder="a", output_template="%(uploader)s/%(title)s.%(ext)s")
    bench.engine.fields = {"uploader": "Some/one"}
    assert await bench.run(work)
    job = await bench.job(work.job.id)
    assert (job.status, job.filename, job.filesize) == ("completed", "a/Some/one/film.mp4", 6)
    assert bench.media() == ["a/Some/one/film.de.srt", "a/Some/one/film.en.srt", job.filename]
    assert await bench.checkpoints(job.id) == set()
    assert {one.temp_path for one in await bench.files(job.id)} == {""}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"output_template": "own %(title)s.%(ext)s"}, "own film.mp4"),
        ({}, "of the site film.mp4"),
    ],
)
async def test_a_job_s_template_goes_before_its_site_s(
    options: dict[str, str], name: str, store: Store, tmp_path: Path
) -> None:
    site = {"e.com": "of the site %(title)s.%(ext)s", "com": "no %(title)s.%(ext)s"}
    bench = Bench(store, tmp_path, downloads=DownloadSettings(output_templates=site))
    await bench.run(await bench.begin(**options))
    assert bench.media() == [name]


async def test_names_are_made_in_a_thread(bench: Bench) -> None:
    await bench.run(await bench.begin())
    assert len(bench.engine.filled_in) == 1
    assert threading.main_thread().name not in bench.engine.filled_in


async def test_two_jobs_of_one_title_get_two_names(bench: Bench) -> None:
    works = [await bench.begin() for _ in range(2)]
    for work in works:
        await bench.run(work, "extract", "download")
    await asyncio.gather(*(bench.run(work, "place") for work in works))
    assert bench.media() == ["film (2).mp4", "film.mp4"]


async def test_side_files_whose_names_would_be_equal_are_one(bench: Bench) -> None:
    bench.engine.subtitles = ("en", "EN")
    await bench.run(await bench.begin())
    assert bench.media() == ["film.en.srt", "film.mp4"]


async def test_what_was_unavailable_is_told_with_the_job(bench: Bench) -> None:
    bench.engine.warning = "The media has no chapters to split at."
    work = await bench.begin()
    await bench.run(work)
    assert (await bench.job(work.job.id)).warning == bench.engine.warning


async def test_it_begins_only_while_all_that_was_made_is_whole(bench: Bench) -> None:
    bench.engine.subtitles = ("en",)
    work = await bench.begin()
    assert not await bench.steps["place"].can_begin(work)
    await bench.run(work, "extract")
    assert not await bench.steps["place"].can_begin(work)
    await bench.run(work, "download")
    assert await bench.steps["place"].can_begin(work)
    (work.task.temp_dir / "media.en.srt").write_bytes(CONTENT[:-1])
    assert not await bench.steps["place"].can_begin(work)
    (work.task.temp_dir / "media.en.srt").unlink()
    assert not await bench.steps["place"].can_begin(work)


async def test_a_checkpoint_of_another_version_of_the_program_is_not_used(bench: Bench) -> None:
    work = await bench.begin()
    await bench.run(work, "extract", "download")
    now = datetime.now(UTC)
    await bench.store.write(
        lambda tx: tx.save_checkpoint(work.job.id, "download", '{"later": 1}', now)
    )
    assert not await bench.steps["place"].can_begin(work)


@pytest.mark.parametrize("moved", [0, 1, 2])
async def test_a_move_that_was_begun_is_finished_with_the_same_names(
    moved: int, bench: Bench, tmp_path: Path
) -> None:
    work = await bench.begin()
    files = made(work.task.temp_dir, "b/film.mp4", "b/film.en.srt")
    await bench.store.write(lambda tx: bench.jobs.placing(tx, work.job.id, files))
    for file in files[:moved]:
        volume_files.move_into_place(tmp_path, Path(file.temp_path), file.filename, len(CONTENT))
    assert await bench.steps["place"].can_begin(work)
    await bench.run(work, "place")
    assert bench.media() == ["b/film.en.srt", "b/film.mp4"]
    assert (await bench.job(work.job.id)).status == "completed"


async def test_a_job_that_is_cancelled_during_its_move_leaves_no_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = await bench.begin()
    await bench.run(work, "extract", "download")
    complete = bench.jobs.complete

    def cancelled(tx: Tx, job_id: str, placed: Sequence[JobFile]) -> Job | None:
        bench.jobs.cancel(tx, tx.job(job_id) or work.job)
        return complete(tx, job_id, placed)

    monkeypatch.setattr(bench.jobs, "complete", cancelled)
    await bench.run(work, "place")
    assert bench.media() == []


@pytest.mark.parametrize("why", ["full", "link"])
async def test_of_files_that_belong_together_none_stays_where_one_can_t_be_placed(
    why: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("/")
    names = ["film.mp4", "film.en.srt" if why == "full" else "link/film.en.srt"]
    work = await bench.begin()
    files = made(work.task.temp_dir, *names)
    if why == "full":
        sync, calls = volume_files.sync, []  # the first that needs space

        def fill(source: Path) -> None:
            calls.append(source)
            sync(source) if len(calls) == 1 else full()

        monkeypatch.setattr(volume_files, "sync", fill)
    await bench.store.write(lambda tx: bench.jobs.placing(tx, work.job.id, files))
    with pytest.raises(OSError, match=r"space|link"):
        await bench.run(work, "place")
    assert there(tmp_path) == {".mediarip", "link"}


async def test_of_a_move_that_was_begun_only_what_was_moved_is_taken_back(
    bench: Bench, tmp_path: Path
) -> None:
    files = made(tmp_path / ".mediarip", "moved.mp4", "other's.mp4", "changed.mp4", "waits.mp4")
    volume_files.move_into_place(
        tmp_path, Path(files[0].temp_path), files[0].filename, len(CONTENT)
    )
    (tmp_path / "other's.mp4").write_bytes(CONTENT)  # its source is there: it was not moved
    volume_files.move_into_place(
        tmp_path, Path(files[2].temp_path), files[2].filename, len(CONTENT)
    )
    (tmp_path / "changed.mp4").write_bytes(b"a person's now")
    source = Path(files[3].temp_path)
    hidden = tmp_path / volume_files.hidden_name(source, "waits.mp4")  # what a kill left
    hidden.write_bytes(CONTENT[:3])
    job_id = (await bench.begin()).job.id
    await bench.store.write(lambda tx: bench.jobs.placing(tx, job_id, files))
    await bench.steps["place"].discard(job_id)
    assert there(tmp_path) == {".mediarip", "other's.mp4", "changed.mp4"}
    assert await bench.files(job_id) == []
    await bench.steps["place"].discard(job_id)  # there is nothing more to do


def test_a_linked_file_is_taken_back_on_both_sides_of_a_kill(tmp_path: Path) -> None:
    (tmp_path / ".mediarip").mkdir()
    files = made(tmp_path / ".mediarip", "film.mp4")
    os.link(files[0].temp_path, tmp_path / "film.mp4")
    place.withdraw(tmp_path, files)
    assert not (tmp_path / "film.mp4").exists()
    assert Path(files[0].temp_path).exists()


def killed_in_the_move(service: Service, client: Client, media: MediaServer, **fields: str) -> str:
    """Return a job that was killed when its first file was moved, and its second not."""
    job_id = client.download(media.url("/slow/600000/bytes/600000/x.mp4"))
    wait_for(service.temporary)
    assert client.request("pause")["ok"]
    service.kill()
    temp = service.root / ".mediarip" / "tmp" / job_id
    files = made(temp, "a/film.mp4", "a/film.en.srt")
    (service.root / "a").mkdir()
    Path(files[0].temp_path).rename(service.root / "a" / "film.mp4")
    (service.root / "a" / "film.en.srt").write_bytes(b"mine")
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    with store:
        for one in files:
            store.execute(
                "INSERT INTO files (job_id, filename, filesize, temp_path, main) VALUES "
                "(?, ?, ?, ?, ?)",
                (job_id, one.filename, one.filesize, one.temp_path, one.main),
            )
        for name, value in fields.items():
            store.execute(f"UPDATE jobs SET {name} = ? WHERE id = ?", (value, job_id))  # noqa: S608 - a test's names
    store.close()
    return job_id


@pytest.mark.slow
@pytest.mark.parametrize("when", ["after the restart", "before it"])
def test_a_job_that_is_cancelled_after_a_kill_in_its_move_leaves_no_file(
    when: str, service: Service, client: Client, media: MediaServer
) -> None:
    fields = {"status": "cancelled", "completed_at": "2026-01-02T03:04:05.678Z"}
    job_id = killed_in_the_move(service, client, media, **fields if when == "before it" else {})
    service.start()
    if when == "after the restart":
        assert client.request("cancel", id=job_id)["ok"]
    wait_for(lambda: service.media() == ["a/film.en.srt"])
    assert (service.root / "a" / "film.en.srt").read_bytes() == b"mine"
    wait_for(lambda: not service.temporary())


@pytest.mark.slow
@pytest.mark.parametrize("command", ["delete", "purge"])
def test_a_failed_job_goes_with_what_was_moved_of_its_files(
    command: str, service: Service, client: Client, media: MediaServer
) -> None:
    job_id = killed_in_the_move(
        service,
        client,
        media,
        status="failed",
        error_code="storage_unavailable",
        completed_at="2026-01-02T03:04:05.678Z",
    )
    service.start()
    wait_for(lambda: client.job(job_id)["status"] == "failed")
    assert service.media() == ["a/film.en.srt", "a/film.mp4"]  # for a retry
    which = {"id": job_id} if command == "delete" else {"older_than": 0}
    assert client.request(command, **which, files=True)["ok"]
    assert service.media() == ["a/film.en.srt"]
    assert (service.root / "a" / "film.en.srt").read_bytes() == b"mine"


@pytest.mark.slow
def test_a_job_that_is_tried_again_while_it_is_cleaned_up_keeps_what_it_downloads(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port)
    service.program = program(freeze("before-temp-removal", EACH, seconds=1.5))
    service.start()
    try:
        job_id = client.download(media.url("/slow/600000/bytes/1200000/x.mp4"))
        wait_for(service.temporary)
        assert client.request("cancel", id=job_id)["ok"]
        assert client.request("retry", id=job_id)["ok"]
        job = client.wait_status(job_id, "completed", "failed")
        assert (job["status"], job["attempt"]) == ("completed", 1)
        assert "retrying" not in client.statuses(job_id)
    finally:
        service.stop()


async def test_a_move_that_was_begun_is_taken_back_before_its_job_goes(
    store: Store, jobs: Jobs, tmp_path: Path
) -> None:
    """Also where files stay: what is on its way is no file of the job yet."""
    files = made(tmp_path / ".mediarip", "moved.mp4", "waits.srt")
    job_id = await begun(store, jobs)
    await store.write(lambda tx: tx.plan_files(job_id, files))
    volume_files.move_into_place(tmp_path, Path(files[0].temp_path), "moved.mp4", len(CONTENT))
    lost = DownloadError(ErrorCode.STORAGE_UNAVAILABLE, "gone")
    await store.write(lambda tx: jobs.fail(tx, job_id, lost))
    retention = Retention(store, jobs, PurgeSettings(), root=tmp_path, clock=lambda: LATER)
    await retention.forget()
    assert await store.read(lambda tx: tx.job(job_id)) is None
    assert there(tmp_path) == {".mediarip"}


def test_a_place_that_was_only_taken_is_no_file_that_was_moved(tmp_path: Path) -> None:
    """As where the temporary folder is emptied at each start, and a power cut came before that."""
    (tmp_path / ".mediarip").mkdir()
    (tmp_path / volume_files.STORE_PATH).touch()
    files = made(tmp_path / ".mediarip", "film.mp4")
    source = Path(files[0].temp_path)
    source.unlink()
    (tmp_path / "film.mp4").write_text(
        volume_files.hidden_name(source, "film.mp4")
    )  # what the cut left
    assert not place.still_there(tmp_path, files)
    with pytest.raises(FileNotFoundError):
        place.move(tmp_path, files, tmp_path / ".mediarip")
    place.withdraw(tmp_path, files)
    assert there(tmp_path) == {".mediarip"}


def test_a_full_volume_without_hard_links_keeps_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mediarip").mkdir()
    (tmp_path / volume_files.STORE_PATH).touch()
    files = made(tmp_path / ".mediarip", "film.mp4")

    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    class Full:
        def __init__(self, handle: int, *_: object, **__: object) -> None:
            self.handle = handle

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            os.close(self.handle)

        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(os, "link", unsupported)
    monkeypatch.setattr(os, "fdopen", Full)
    with pytest.raises(OSError, match="space"):
        place.move(tmp_path, files, tmp_path / ".mediarip")
    monkeypatch.undo()
    assert there(tmp_path) == {".mediarip"}


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the filesystem take names of so many bytes only, though it states 255."""

    def takes(limit: int) -> None:
        def checked(real: Callable[..., Any], position: int) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                path = os.fsencode(arguments[position])
                if any(len(part) > limit for part in path.split(b"/")):
                    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
                return real(*arguments, **named)

            return call

        for name, position in (
            ("open", 0),
            ("mkdir", 0),
            ("link", 1),
            ("rename", 1),
            ("scandir", 0),
        ):
            monkeypatch.setattr(os, name, checked(getattr(os, name), position))

    return takes


@pytest.mark.parametrize("limit", [143, 200])
@pytest.mark.parametrize("folder", [None, "f" * 180])
async def test_a_name_is_cut_to_what_the_volume_takes_though_it_states_more(
    bench: Bench, takes: Callable[[int], None], limit: int, folder: str | None
) -> None:
    # eCryptfs: nextcloud/desktop#467, where the extension counts, too.
    bench.engine.subtitles = ("en",)
    bench.engine.fields = {"title": "長" * 120}
    takes(limit)
    work = await bench.begin("film", folder=folder)
    assert await bench.run(work)
    assert (await bench.job(work.job.id)).status == "completed"
    parts = [part for name in bench.media() for part in name.split("/")]
    assert max(len(part.encode()) for part in parts) <= limit
    assert min(len(part.encode()) for part in parts) > limit - 30
    assert {Path(part).suffix for part in parts} >= {".mp4", ".srt"}
    assert bench.temp.joinpath(work.job.id, "media.mp4").exists() is False


async def test_the_limit_that_a_filesystem_states_is_kept_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)
    bench.engine.fields = {"title": "x" * 300}
    await bench.run(await bench.begin())
    (name,) = bench.media()
    assert 143 - 12 <= len(name) <= 143


async def test_a_volume_without_room_for_any_name_names_the_template(
    bench: Bench, takes: Callable[[int], None]
) -> None:
    work = await bench.begin("x" * 100)
    await bench.run(work, "extract", "download")
    takes(50)
    with pytest.raises(OSError, match="too long") as caught:
        await bench.run(work, "place")
    error = file_error(caught.value)
    assert (error.code, error.transient) == (ErrorCode.UNSAFE_PATH, False)
    assert "output_template" in error.message
    assert bench.media() == []


async def test_a_retry_names_the_files_anew_unless_one_was_moved(bench: Bench) -> None:
    work = await bench.begin("film")
    await bench.run(work, "extract", "download")
    job_id, temp = work.job.id, bench.temp / work.job.id
    old = JobFile(filename="old.mp4", filesize=len(CONTENT), temp_path=str(temp / "media.mp4"))
    await bench.store.write(lambda tx: tx.plan_files(job_id, [old]))
    os.link(temp / "media.mp4", bench.root / "old.mp4")  # a move that a kill interrupted
    assert await bench.run(work, "place")
    assert bench.media() == ["film.mp4"]


async def test_an_attempt_that_moved_nothing_gets_the_same_names_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = await bench.begin()
    await bench.run(work, "extract", "download")

    def lost(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(place, "move", lost)
        with pytest.raises(OSError, match="Input"):
            await bench.run(work, "place")
    planned = [file.filename for file in await bench.files(work.job.id)]
    await bench.run(work, "place")
    assert bench.media() == sorted(planned)
