"""History goes out as JSON lines and comes in again: once, whole, and without owning a file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.cli import history_transfer, import_sources
from mediarip_mqtt.cli.client import open_client
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.settings import MqttSettings
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

CARRIED = (
    *("id", "url", "status", "title", "thumbnail", "duration", "extractor", "media_type"),
    *("quality", "preset", "format_id", "output_format", "folder", "filename", "filesize"),
    *("category", "tags", "keep", "created_at", "started_at", "completed_at", "error_code"),
    *("subtitles", "sponsorblock", "embed", "split_chapters", "rate_limit", "live_from_start"),
    *("error_message", "parent_id", "playlist_index", "items", "progress_percent"),
)
RECORD: dict[str, Any] = {
    "url": "https://videos.example/film",
    "status": "completed",
    "title": "A film",
    "completed_at": "2026-01-02T03:04:05.678Z",
}


def in_client(port: int, work: Callable[..., Any], base: str = "mediarip") -> Any:
    """Run a coroutine function with a client of the command line's."""

    async def run() -> Any:
        async with open_client(MqttSettings(port=port, base_topic=base)) as one:
            return await work(one)

    return asyncio.run(run())


def exported(port: int, base: str = "mediarip") -> list[dict[str, Any]]:
    async def collect(client: Any) -> list[dict[str, Any]]:
        return [job async for job in history_transfer.export(client)]

    found: list[dict[str, Any]] = in_client(port, collect, base)
    return found


def imported(port: int, path: Path, **options: Any) -> history_transfer.Totals:
    read = partial(import_sources.read, path)
    work = partial(history_transfer.import_found, read=read, limit=256 * 1024, **options)
    totals: history_transfer.Totals = in_client(port, work, "second")
    return totals


def write_lines(path: Path, jobs: list[dict[str, Any]]) -> Path:
    lines = [import_sources.header("2026-01-02T03:04:05.678Z", "1"), *jobs]
    path.write_text("".join(f"{topics.dumps(one)}\n" for one in lines))
    return path


def carried(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [{key: job[key] for key in CARRIED} for job in jobs if job["completed_at"]]
    return sorted(found, key=lambda job: str(job["id"]))


@pytest.fixture
def second(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Service]:
    """A fresh service on the same broker, below another topic."""
    (tmp_path / "second").mkdir()
    one = Service(
        tmp_path / "second", mosquitto.port, MQTT__BASE_TOPIC="second", MQTT__NODE_ID="second"
    ).start()
    yield one
    one.stop()


@pytest.fixture
def other(mosquitto: Mosquitto, second: Service) -> Iterator[Client]:
    one = Client(mosquitto.port, "second")
    yield one
    one.close()


@pytest.mark.slow
def test_a_history_comes_back_whole_and_only_once(
    service: Service,
    second: Service,
    mosquitto: Mosquitto,
    client: Client,
    other: Client,
    media: MediaServer,
    tmp_path: Path,
) -> None:
    client.download(media.url("/media/video.mp4"), folder="films", tags=["a", "ü"], keep=True)
    failed = client.download(media.url("/status/404/b.mp4"), category="lost", subtitles="en")
    cancelled = client.download(media.url("/slow/2000/bytes/900000/c.mp4"))
    client.wait_status(cancelled, "downloading")
    client.request("cancel", id=cancelled)
    feed = client.download(media.url("/feed/onebad.xml"), quality="720p")
    client.wait_status(feed, "completed")
    client.wait_status(failed, "failed")
    running = client.download(media.url("/slow/2000/bytes/900000/d.mp4"))
    client.wait_status(running, "downloading")

    jobs = exported(mosquitto.port)
    assert len(jobs) == len({job["id"] for job in jobs}) == 8
    path = write_lines(tmp_path / "history.jsonl", jobs)
    preview = imported(mosquitto.port, path, dry_run=True)
    assert (preview.imported, preview.left_out) == (7, 1)
    assert other.request("list")["jobs"] == []
    first = imported(mosquitto.port, path)
    assert (first.imported, first.skipped, first.left_out, first.refused) == (7, 0, 1, 0)
    assert carried(exported(mosquitto.port, "second")) == carried(jobs)
    wait_for(lambda: other.job(feed))
    assert other.job(feed)["items"] == client.job(feed)["items"]
    again = imported(mosquitto.port, path)
    assert (again.imported, again.skipped) == (0, 7)
    assert carried(exported(mosquitto.port, "second")) == carried(jobs)
    assert second.media() == []
    assert {one["event_type"] for one in other.events()} == {"imported"}
    assert sum(one["count"] for one in other.events("imported")) == 7


def test_what_was_deleted_can_be_imported_again(
    second: Service, mosquitto: Mosquitto, other: Client, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "h.jsonl", [{**RECORD, "id": str(uuid.uuid4())}])
    assert imported(mosquitto.port, path).imported == 1
    assert other.request("delete", id="last")["ok"]
    assert imported(mosquitto.port, path).imported == 1


@pytest.mark.slow
def test_an_export_has_no_gaps_or_repeats_while_jobs_come_and_go(
    service: Service, client: Client, mosquitto: Mosquitto, media: MediaServer
) -> None:
    for start in range(0, 400, 100):  # all made in the same moment
        records = [{**RECORD, "url": f"https://e.example/{start + n}"} for n in range(100)]
        assert client.request("import", jobs=records)["imported"] == 100

    async def collect(one: Any) -> list[str]:
        found = []
        async for job in history_transfer.export(one):
            found.append(str(job["id"]))
            if len(found) == 150:
                client.download(media.url("/bytes/1000/new.mp4"))
            if len(found) == 200:  # the last one of its page
                client.request("delete", id=job["id"])
        return found

    ids = in_client(mosquitto.port, collect)
    assert len(ids) == len(set(ids)) == 400


def test_an_imported_job_owns_no_file(service: Service, client: Client, media: MediaServer) -> None:
    client.download(media.url("/bytes/1000/mine.mp4"), keep=True)
    wait_for(lambda: service.media() == ["mine.mp4"])
    wait_for(lambda: client.events("completed"))
    (service.root / "foreign.mp4").write_bytes(b"foreign")
    records = [
        {**RECORD, "filename": name, "filesize": 7, "url": f"https://e.example/{number}"}
        for number, name in enumerate(["mine.mp4", "foreign.mp4", "mine.mp4"])
    ]
    assert client.request("import", jobs=records)["imported"] == 3
    shown = [job["filename"] for job in client.request("list")["jobs"]]
    assert sorted(shown) == ["foreign.mp4", "mine.mp4", "mine.mp4", "mine.mp4"]
    oldest = client.request("list")["jobs"][-1]["id"]
    assert client.request("delete", id=oldest, files=True)["ok"]
    reply = client.request("purge", older_than=0, max_total_size=0, files=True)
    assert (reply["count"], reply["freed"]) == (2, 0)
    assert service.media() == ["foreign.mp4", "mine.mp4"]
    assert len(client.events("completed")) == 1


@pytest.mark.parametrize(
    "name",
    ["../up.mp4", "/etc/passwd", ".mediarip/store.db", "a/../../b", "C:\\x", "a\u0007b", "~/x"],
)
def test_a_file_name_that_leads_out_is_dropped(service: Service, client: Client, name: str) -> None:
    reply = client.request("import", jobs=[{**RECORD, "filename": name, "folder": name}])
    assert reply["imported"] == 1
    job = client.request("get", id="last")["job"]
    assert (job["filename"], job["folder"]) == (None, None)


def test_records_that_are_none_are_refused(service: Service, client: Client) -> None:
    wrong: list[dict[str, Any]] = [
        {"status": "queued"},
        {"completed_at": "2026-01-02T03:04:05"},
        {"completed_at": "0001-01-01T00:00:00+14:00"},
        {"filesize": 2**63},
        {"filesize": -1},
        {"duration": -1},
        {"surprise": 1},
        {"tags": ["x"] * 21},
        {"format_id": "best; rm"},
        {"url": ""},
        {"error_code": "No Code"},
    ]
    for one in wrong:
        reply = client.request("import", jobs=[{**RECORD, **one}])
        assert (reply["ok"], reply["error"]["code"]) == (False, "invalid_payload"), one
    assert not client.request("import", jobs=[])["ok"]
    assert not client.request("import", jobs=[RECORD] * 201)["ok"]
    assert service.running


def test_a_url_that_may_not_be_downloaded_is_not_imported(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    settings = {"SECURITY__ALLOW_PRIVATE_ADDRESSES": "false"}
    service = Service(tmp_path, mosquitto.port, **settings).start()  # type: ignore[arg-type] # strings all
    try:
        urls = ["file:///etc/passwd", "https://me:secret@e.example/", "http://169.254.169.254/x"]
        records = [{**RECORD, "url": url} for url in [*urls, "ytsearch1:harbour at night"]]
        reply = client.request("import", jobs=records)
        codes = [(one["index"], one["code"]) for one in reply["refused"]]
        assert codes == [(0, "invalid_url"), (1, "invalid_url"), (2, "blocked_address")]
        assert reply["imported"] == 1  # a search is what `download` makes of words
        assert "secret" not in json.dumps(reply)
    finally:
        service.stop()


def test_texts_are_cut_and_times_are_not_in_the_future(service: Service, client: Client) -> None:
    record = {**RECORD, "title": "x" * 100_000, "completed_at": "2199-01-01T00:00:00Z"}
    assert client.request("import", jobs=[record])["imported"] == 1
    assert client.request("import", jobs=[record])["skipped"] == 1
    job = client.request("get", id="last")["job"]
    assert len(job["title"]) == 1000
    assert job["created_at"] == job["completed_at"] < "2190"


def test_an_imported_text_or_picture_is_as_fit_to_be_shown_as_a_page_s(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    settings = {"SECURITY__ALLOW_PRIVATE_ADDRESSES": "false"}
    service = Service(tmp_path, mosquitto.port, **settings).start()  # type: ignore[arg-type] # strings all
    try:
        record = {
            **RECORD,
            "title": "\u202egpj\x1b[2J\nx",
            "error_message": "a\r\nb\u2066",
            "category": "\x07c",
            "filename": "a/\u202egpj.mp4",
            "folder": "a\x1b",
            "thumbnail": "http://192.168.1.1/reboot",
        }
        assert client.request("import", jobs=[record])["imported"] == 1
        job = client.request("get", id="last")["job"]
        assert (job["title"], job["error_message"], job["category"]) == ("gpj[2J x", "a  b", "c")
        assert (job["filename"], job["folder"], job["thumbnail"]) == (None, None, None)
        good = {**record, "url": "https://e.example/2", "thumbnail": "https://e.example/a b.jpg"}
        assert client.request("import", jobs=[good])["imported"] == 1
        assert client.request("get", id="last")["job"]["thumbnail"] is None  # as of a page
        hostile = {**RECORD, "url": "ytsearch1:a\u202eb"}
        assert client.request("import", jobs=[hostile])["refused"][0]["code"] == "invalid_url"
        reply = client.request("import", jobs=[{**RECORD, "tags": ["\u202ex"]}])
        assert reply["error"]["code"] == "invalid_payload"
    finally:
        service.stop()


def test_an_item_joins_no_playlist_that_is_under_way(
    service: Service, client: Client, media: MediaServer
) -> None:
    slow = [media.url("/slow/2000/bytes/900000/a.mp4")]
    feed = client.download(media.feed("slow", slow * 2))
    wait_for(lambda: client.job(feed).get("items"))
    reply = client.request("import", jobs=[{**RECORD, "parent_id": feed}])
    assert reply["imported"] == 1
    assert client.job(feed)["items"]["completed"] == 0


def test_an_import_goes_into_the_asking_session_alone(
    tmp_path: Path, mosquitto: Mosquitto, client: Client
) -> None:
    service = Service(tmp_path, mosquitto.port, SESSION__MODE="isolated").start()
    alice = Client(mosquitto.port, "mediarip/session/alice")
    bob = Client(mosquitto.port, "mediarip/session/bob")
    try:
        own = str(uuid.uuid4())
        assert alice.request("import", jobs=[{**RECORD, "id": own}])["imported"] == 1
        assert bob.request("list")["jobs"] == []
        assert bob.request("import", jobs=[{**RECORD, "id": own}])["imported"] == 1  # another job
        assert bob.request("import", jobs=[{**RECORD, "id": own}])["skipped"] == 1
        assert bob.request("get", id=own)["error"]["code"] == "job_not_found"
        assert [job["id"] for job in alice.request("list")["jobs"]] == [own]
        assert client.request("list")["jobs"] == []
        assert bob.events("imported")[0]["count"] == 1
    finally:
        alice.close()
        bob.close()
        service.stop()


def test_what_had_not_ended_is_downloaded_once_where_that_is_wanted(
    second: Service, mosquitto: Mosquitto, other: Client, media: MediaServer, tmp_path: Path
) -> None:
    url = media.url("/bytes/1000/a.mp4")
    jobs = [
        {"id": "one", "url": url, "status": "queued", "folder": "films"},
        {"id": "two", "url": "ftp://e.example/x", "status": "paused"},
        {"id": "item", "url": url, "status": "queued", "parent_id": "another"},
    ]
    path = write_lines(tmp_path / "h.jsonl", jobs)
    assert imported(mosquitto.port, path).left_out == 2
    for _ in range(2):
        totals = imported(mosquitto.port, path, pending=True)
        assert (totals.queued, totals.refused) == (1, 1)
        assert "Only http and https" in totals.reasons[0]
    wait_for(lambda: second.media() == ["films/a.mp4"])
    assert len(other.request("list")["jobs"]) == 1


@pytest.mark.slow
def test_the_command_line_exports_to_a_file_and_imports_it(
    service: Service, second: Service, client: Client, media: MediaServer, tmp_path: Path
) -> None:
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")

    def run(one: Service, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mediarip_mqtt", *words],
            env={**os.environ, **one.environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = run(service, "export", "history.jsonl")
    assert (done.returncode, done.stderr) == (0, "1 jobs exported.\n")
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["format"] == import_sources.NAME
    assert [json.loads(line)["id"] for line in lines[1:]] == [job_id]
    assert run(service, "export").stdout.splitlines()[1:] == lines[1:]
    assert run(second, "import", "history.jsonl", "--dry-run").stdout == "1 jobs are new.\n"
    assert run(second, "import", "history.jsonl").stdout == "1 jobs imported.\n"
    again = json.loads(run(second, "import", "history.jsonl", "--json").stdout)
    assert (again["imported"], again["skipped"]) == (0, 1)
    (tmp_path / "bad.jsonl").write_text(f"{lines[0]}\n{lines[1][:50]}\n")
    bad = run(second, "import", "bad.jsonl")
    assert (bad.returncode, bad.stderr) == (1, "line 2: is not a JSON object\n")
    missing = run(second, "import", "missing.jsonl")
    assert (missing.returncode, "No such file" in missing.stderr) == (1, True)


def test_an_archive_of_yt_dlp_is_known_and_not_downloaded_again(
    second: Service, other: Client, media: MediaServer, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    second.stop()
    second.environment["MEDIARIP__LIBRARY__ENABLED"] = "true"
    second.start()
    path = tmp_path / "archive.txt"
    path.write_text("generic film\nyoutube dQw4w9WgXcQ\nbad\n")
    dry = imported(mosquitto.port, path, dry_run=True)
    assert (dry.known, dry.skipped, dry.refused) == (2, 0, 1)
    assert dry.reasons[0].startswith("line 3: ")
    assert imported(mosquitto.port, path).known == 2
    again = imported(mosquitto.port, path)
    assert (again.known, again.skipped) == (0, 2)
    url = media.url("/bytes/1000/film.mp4")
    job = other.wait_status(other.download(url, on_duplicate="reuse"), "completed")
    assert (job["filename"], second.media()) == (None, [])
    assert "imported archive" in job["warning"]
    job = other.wait_status(other.download(url), "completed")
    assert [name for name in second.media() if name.endswith(".mp4")] == [job["filename"]]
