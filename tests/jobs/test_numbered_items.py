"""Items of a page that have a number only, in the service: each keeps to its own medium."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.support.broker import Client, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

ONE, TWO, NEW = "/slow/30000/bytes/300000/one.mp4", "/slow/30000/bytes/310000/two.mp4", "/new.mp4"
GONE = "not on it any more"


def page(media: MediaServer, *urls: str) -> str:
    videos = "".join(f'<video src="{url}"></video>' for url in urls)
    return media.text("clips.html", f"<html><head><title>Clips</title></head>{videos}</html>")


def items(client: Client, playlist: str) -> list[dict[str, Any]]:
    topics = [
        topic for topic in list(client.retained) if topic.endswith("/state") and "/job/" in topic
    ]
    jobs = [client.json(topic.partition("/")[2]) for topic in topics]
    own = [job for job in jobs if job.get("parent_id") == playlist]
    return sorted(own, key=lambda job: job["playlist_index"])


def _has_begun(client: Client, job_id: str) -> bool:
    return bool(client.json(f"job/{job_id}/progress").get("downloaded_bytes", 0) > 50_000)


def begun(client: Client, media: MediaServer) -> str:
    """Begin the items of a page, then pause them; return the playlist's id."""
    playlist = client.download(page(media, ONE, TWO))
    wait_for(lambda: len(items(client, playlist)) == 2)
    for job in items(client, playlist):
        wait_for(partial(_has_begun, client, job["id"]))
    assert client.request("pause", id=playlist)["ok"]
    wait_for(lambda: {job["status"] for job in items(client, playlist)} == {"paused"})
    return playlist


def test_an_item_goes_on_with_its_own_medium_when_the_page_grows_and_after_a_restart(
    service: Service, client: Client, media: MediaServer
) -> None:
    playlist = begun(client, media)
    page(media, NEW, ONE, TWO)
    service.stop()
    service.start()
    assert client.request("resume", id=playlist)["ok"]
    client.wait_status(playlist, "completed", timeout=60)
    wait_for(lambda: [job["filesize"] for job in items(client, playlist)] == [300_000, 310_000])


def test_an_item_that_is_gone_fails_with_a_reason_each_time(
    service: Service, client: Client, media: MediaServer
) -> None:
    playlist = begun(client, media)
    page(media, NEW, ONE)
    for command in ("resume", "retry"):
        assert client.request(command, id=playlist)["ok"]
        client.wait_status(playlist, "completed", timeout=60)
        wait_for(lambda: GONE in (items(client, playlist)[1]["error_message"] or ""))
        first, second = items(client, playlist)
        assert (first["status"], first["filesize"]) == ("completed", 300_000)
        assert (second["status"], second["error_code"]) == ("failed", "unavailable")
        assert second["attempt"] == 1
    assert len(service.media()) == 1
