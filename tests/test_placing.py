"""No file stays on the volume that belongs to no job, and none goes that is another's."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediarip_mqtt import library, outcomes
from mediarip_mqtt.jobs import Jobs
from mediarip_mqtt.models import DownloadOptions, ProducedFile
from mediarip_mqtt.placing import Placing
from mediarip_mqtt.preferences import Preferences
from mediarip_mqtt.settings import Settings
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.wire import Topics
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

CONTENT = b"a film"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    (tmp_path / ".mediarip").mkdir()
    one = Store(tmp_path / ".mediarip" / "store.db", journal_mode="wal", exclusive=False)
    await one.open()
    yield one
    await one.close()


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(Topics("mediarip"), Preferences(Settings()))


async def begun(store: Store, jobs: Jobs) -> str:
    def begin(tx: Tx) -> str:
        job = jobs.add(tx, "https://e.com/x", DownloadOptions(), session_id="default")
        jobs.claim(tx, [], extracted=lambda _: False)
        return job.id

    return await store.write(begin)


def made(folder: Path, *names: str) -> list[ProducedFile]:
    """Make the files of a job; their sources are numbered."""
    found = []
    for number, name in enumerate(names):
        source = folder / f"source-{number}"
        source.write_bytes(CONTENT)
        found.append(
            ProducedFile(
                temp_path=str(source), filename=name, filesize=len(CONTENT), main=not number
            )
        )
    return found


def there(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("why", ["full", "link"])
async def test_of_files_that_belong_together_none_stays_where_one_can_t_be_placed(
    why: str, store: Store, jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("/")
    names = ["film.mp4", "film.en.srt" if why == "full" else "link/film.en.srt"]
    files = made(tmp_path / ".mediarip", *names)
    if why == "full":
        sync, calls = library._sync, []  # noqa: SLF001 - the first that needs space

        def fill(source: Path) -> None:
            calls.append(source)
            return sync(source) if len(calls) == 1 else full()

        monkeypatch.setattr(library, "_sync", fill)
    placing = Placing(store, jobs, tmp_path, store.write)
    with pytest.raises(OSError, match=r"space|link"):
        await placing.place(await begun(store, jobs), files)
    assert there(tmp_path) == {".mediarip", "link"}


async def test_of_a_move_that_was_begun_only_what_was_moved_is_taken_back(
    store: Store, jobs: Jobs, tmp_path: Path
) -> None:
    files = made(tmp_path / ".mediarip", "moved.mp4", "other's.mp4", "changed.mp4", "waits.mp4")
    library.place(tmp_path, Path(files[0].temp_path), files[0].filename)
    (tmp_path / "other's.mp4").write_bytes(CONTENT)  # its source is there: it was not moved
    library.place(tmp_path, Path(files[2].temp_path), files[2].filename)
    (tmp_path / "changed.mp4").write_bytes(b"a person's now")
    source = Path(files[3].temp_path)
    hidden = tmp_path / library._hidden_name(source, "waits.mp4")  # noqa: SLF001 - what a kill left
    hidden.write_bytes(CONTENT[:3])
    job_id = await begun(store, jobs)
    await store.write(lambda tx: jobs.placing(tx, job_id, files))
    placing = Placing(store, jobs, tmp_path, store.write)
    await placing.give_up(job_id)
    assert there(tmp_path) == {".mediarip", "other's.mp4", "changed.mp4"}
    assert await store.read(lambda tx: tx.files(job_id)) == []
    await placing.give_up(job_id)  # there is nothing more to do


def test_a_linked_file_is_taken_back_on_both_sides_of_a_kill(tmp_path: Path) -> None:
    (tmp_path / ".mediarip").mkdir()
    files = made(tmp_path / ".mediarip", "film.mp4")
    os.link(files[0].temp_path, tmp_path / "film.mp4")
    outcomes.withdraw(tmp_path, files)
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


SLOW_TO_CLEAN = """
import time
from mediarip_mqtt import cli, library
inner = library.discard_temp
def discard_temp(base, job_id):
    time.sleep(1.5)
    inner(base, job_id)
library.discard_temp = discard_temp
cli.main()
"""


@pytest.mark.slow
def test_a_job_that_is_tried_again_while_it_is_cleaned_up_keeps_what_it_downloads(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port)
    service.program = ["-c", SLOW_TO_CLEAN]
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
