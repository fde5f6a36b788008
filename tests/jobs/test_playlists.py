"""A playlist's items, from the feed to their names, through restarts and retries."""

from __future__ import annotations

from pathlib import Path

from tests.support.broker import Client, Mosquitto
from tests.support.server import MediaServer
from tests.support.service import Service

NAME = "%(playlist_title)s/%(playlist_index)02d of %(n_entries)s %(upload_date)s %(title)s.%(ext)s"


def show(media: MediaServer, count: int) -> str:
    items = "".join(
        f"<item><title>Part {n}</title><guid>g{n}</guid>"
        f"<pubDate>Wed, 0{n} May 2024 12:00:00 +0000</pubDate>"
        f"<enclosure url='{media.url(f'/track/{n}/default.mp3')}'/></item>"
        for n in range(1, count + 1)
    )
    return media.text("show.xml", f"<rss><channel><title>Show</title>{items}</channel></rss>")


def test_an_item_keeps_its_place_and_title_through_a_restart_and_a_retry(
    client: Client, service: Service, media: MediaServer
) -> None:
    media.file("track/1/default.mp3", "audio.mp3")
    job_id = client.download(show(media, 2), output_template=NAME)
    client.wait_status(job_id, "completed", "failed")
    jobs = client.request("list", limit=10)["jobs"]
    (failed,) = [client.job(job["id"]) for job in jobs if job["status"] == "failed"]
    assert (failed["playlist_index"], failed["title"]) == (2, "Part 2")
    assert failed["url"] == media.url("/track/2/default.mp3")
    service.kill()
    service.start()
    media.file("track/2/default.mp3", "audio.mp3")
    assert client.request("retry", id=failed["id"])["ok"]
    client.wait_status(failed["id"], "completed")
    assert service.media() == [
        "Show/01 of 2 20240501 Part 1.mp3",
        "Show/02 of 2 20240502 Part 2.mp3",
    ]


def test_a_playlist_and_a_probe_say_what_was_left_out(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__PLAYLIST_LIMIT="2").start()
    try:
        for number in range(1, 6):
            media.file(f"track/{number}/default.mp3", "audio.mp3")
        job_id = client.download(show(media, 5), output_template=NAME)
        job = client.wait_status(job_id, "completed", "failed")
        said = "Only 2 of 5 items were taken (playlist_limit)."
        assert job["warning"].startswith(said)
        assert said in service.log
        page = client.request("probe", url=show(media, 5))
        assert page["warning"].startswith(said)
        assert (len(page["entries"]), page["entry_count"]) == (2, 5)
        rest = client.download(show(media, 5), output_template=NAME, playlist_items="3:4")
        assert client.wait_status(rest, "completed")["warning"] is None
        assert [name[5:13] for name in service.media()] == [f"0{n} of 5 " for n in (1, 2, 3, 4)]
    finally:
        service.stop()
