"""User name and password in a URL: sent to its host, and shown nowhere."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.broker import Client, wait_for
from tests.support.cli import Cli
from tests.support.server import MediaServer
from tests.support.service import Service

USER, PASSWORD = "peel", "p@55w0rd-ü"
WRITTEN = "peel:p%4055w0rd-%C3%BC"
HEADER = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
SECRETS = (PASSWORD, "p@55", "p%4055", HEADER.split()[1])


@pytest.fixture
def locked(media: MediaServer) -> Iterator[MediaServer]:
    """A server that wants a login under 127.0.0.1, and none under localhost."""
    media.login = f"{USER}:{PASSWORD}"
    yield media
    assert not [one for one in media.requests if one.authorization and not is_own(one.host)]
    referers = " ".join(one.referer or "" for one in media.requests)
    assert not leaks(referers)


def is_own(host: str | None) -> bool:
    return (host or "").startswith("127.0.0.1")


def url(media: MediaServer, path: str, login: str = WRITTEN) -> str:
    return media.url(path).replace("://", f"://{login}@", 1)


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def assert_nowhere(service: Service, client: Client) -> None:
    """Search everything that the service has published, logged and written."""
    told = [f"{topic} {text}" for topic, text in client.messages if "/command" not in topic]
    assert not [text for text in told if leaks(text)]
    assert not leaks(service.log)
    for path in service.root.rglob("*"):
        if path.is_file():
            assert not leaks(path.read_bytes().decode("latin-1")), path
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_url_with_a_password_works_and_the_password_is_nowhere(
    service: Service, client: Client, locked: MediaServer, cli: Cli, tmp_path: Path
) -> None:
    """ytdl-org/youtube-dl#26211, yt-dlp/yt-dlp#6352: such a URL, with spaces, downloads in wget."""
    sent = url(locked, "/bytes/20000/01 John Peel.mp4")
    reply = client.request("download", url=sent)
    assert reply["job"]["url"] == locked.url("/bytes/20000/01%20John%20Peel.mp4")
    client.wait_status(reply["job_id"], "completed")
    embedded = client.request("download", url=url(locked, "/media/video.mp4"), embed="metadata")
    client.wait_status(embedded["job_id"], "completed")
    client.publish("command", f"“{url(locked, '/bytes/300/b.mp4')}”")
    job = wait_for(lambda: client.request("get", id="last")["job"])
    client.wait_status(job["id"], "completed")
    client.request("list")
    client.request("errors")
    bundle = tmp_path / "bundle.zip"
    cli.run("doctor", "--bundle", str(bundle), "--log", str(tmp_path / "service.log"))
    with ZipFile(bundle) as archive:
        assert not [name for name in archive.namelist() if leaks(archive.read(name).decode())]
    assert not leaks(cli.run("export", str(tmp_path / "jobs.jsonl")).stdout)
    assert_nowhere(service, client)
    assert {one.authorization for one in locked.requests} == {HEADER}


def test_another_host_does_not_get_the_password_of_a_redirect(
    service: Service, client: Client, locked: MediaServer
) -> None:
    away = locked.url("/bytes/20000/a.mp4", "localhost")
    job_id = client.download(url(locked, f"/redirect?to={away}"))
    client.wait_status(job_id, "completed")
    assert "localhost" in {(one.host or "").partition(":")[0] for one in locked.requests}
    back = locked.url(f"/redirect?to={locked.url('/bytes/30000/b.mp4')}", "localhost")
    job_id = client.download(url(locked, f"/redirect?to={back.replace('?', '%3F')}"))
    client.wait_status(job_id, "completed")
    assert_nowhere(service, client)


def test_items_of_a_playlist_get_the_password_on_its_host_only(
    service: Service, client: Client, locked: MediaServer
) -> None:
    items = [
        locked.url("/bytes/20000/one.mp4"),
        url(locked, "/bytes/20000/two.mp4"),
        locked.url("/bytes/20000/three.mp4", "localhost"),
        # Of the page, for its own host.
        locked.url("/bytes/20000/four.mp4", "localhost").replace("://", "://me:else@"),
    ]
    locked.feed("podcast", items)
    job_id = client.download(url(locked, "/text/podcast.xml"))
    done = client.wait_status(job_id, "completed")
    assert done["items"]["completed"] == 4
    urls = {job["url"] for job in client.request("list")["jobs"]}
    assert not [one for one in urls if "@" in one]
    page = client.request("probe", url=url(locked, "/text/podcast.xml"))
    assert len(page["entries"]) == 4
    assert not [one for one in page["entries"] if "@" in one["url"]]
    assert_nowhere(service, client)
    own = [one for one in locked.requests if "four.mp4" in one.path]
    assert {one.authorization for one in own} == {"Basic bWU6ZWxzZQ=="}
    locked.requests = [one for one in locked.requests if one not in own]


def test_a_wrong_password_is_said_and_not_repeated(
    service: Service, client: Client, locked: MediaServer
) -> None:
    job_id = client.download(url(locked, "/bytes/100/a.mp4", "peel:wr0ng-0ne"))
    job = client.wait_status(job_id, "failed")
    assert job["error_code"] == "login_required"
    assert "user name and password" in job["error_message"]
    told = [text for topic, text in client.messages if "/command" not in topic]
    assert "wr0ng" not in " ".join(told) + service.log
    again = client.request("download", url=url(locked, "/bytes/100/a.mp4"), on_duplicate="reuse")
    client.wait_status(again["job_id"], "completed")


def test_a_password_survives_a_restart_and_goes_with_its_job(
    service: Service, client: Client, locked: MediaServer
) -> None:
    client.request("pause")
    job_id = client.download(url(locked, "/bytes/20000/a.mp4"))
    other = client.request("download", url=url(locked, "/bytes/20000/a.mp4"), on_duplicate="reuse")
    assert other["job_id"] == job_id
    gone = client.download(url(locked, "/bytes/20000/gone.mp4"))
    client.request("cancel", id=gone)
    service.stop()
    store = service.root / ".mediarip" / "store.db"
    with sqlite3.connect(store) as connection:
        assert not leaks("".join(connection.iterdump()))
        assert connection.execute("SELECT count(*) FROM logins").fetchone() == (2,)
    assert (service.root / ".mediarip" / "secrets.key").stat().st_mode & 0o777 == 0o600
    service.start()
    client.request("resume")
    client.wait_status(job_id, "completed")
    client.request("delete", id=gone)
    service.stop()
    with sqlite3.connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM logins").fetchone() == (0,)
    assert_nowhere(service, client)


def test_what_a_refusal_repeats_is_without_passwords(service: Service, client: Client) -> None:
    for name, arguments in (
        ("cancel", {"id": "https://peel:p%4055w0rd@a.example/x"}),
        ("download", {"https://peel:p%4055w0rd@a.example/x": 1}),
        ("download", {"url": "https://peel:p%4055w0rd@a.example:99999/x"}),
        ("download", {"url": "ftp://peel:p%4055w0rd@a.example/x"}),
        ("download", {"query": "ftp://peel:p%4055w0rd@a.example/x"}),
        ("download", {"url": "a https://peel:p%4055w0rd@a.example/x https://b.example"}),
    ):
        assert not client.request(name, **arguments)["ok"]
    assert_nowhere(service, client)
