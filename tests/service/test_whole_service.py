"""What a sender relies on, with the real service, a real broker and a real volume."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.homeassistant.pictures import BLANK
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service


def probed(path: Path) -> list[dict[str, Any]]:
    """Return the streams of a file as ffprobe sees them."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_streams", str(path)],
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return found


def streams(path: Path) -> dict[str, str]:
    """Return the streams of a file, kind to codec."""
    return {one["codec_type"]: one["codec_name"] for one in probed(path)}


def height(path: Path) -> int:
    return max(int(one.get("height", 0)) for one in probed(path))


def test_a_published_url_becomes_a_file_and_its_state_is_retained(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.publish("command", media.url("/media/video.mp4"), qos=0)
    reply = json.loads(wait_for(lambda: client.payloads("response"))[0])
    assert reply["ok"]
    job = client.wait_status(reply["job_id"], "completed")
    assert (service.root / job["filename"]).read_bytes() == (media.media / "video.mp4").read_bytes()
    assert job["filename"] == "video.mp4"
    assert job["filesize"] == (media.media / "video.mp4").stat().st_size
    assert job["progress_percent"] == 100
    # What is retained is the newest state: one that lasts some milliseconds may be passed over.
    seen = client.statuses(job["id"])
    steps = ["queued", "extracting", "downloading", "processing", "completed"]
    assert seen == [one for one in steps if one in seen]
    assert seen[-1] == "completed"
    wait_for(lambda: client.json(f"job/{job['id']}/progress").get("progress_percent") == 100)
    events = wait_for(lambda: client.events("completed"))
    assert events[0]["job"]["filename"] == "video.mp4"
    wait_for(lambda: client.json("state").get("counts", {}).get("completed") == 1)
    wait_for(lambda: client.json("jobs").get("finished"))
    assert client.json("jobs")["finished"][0]["id"] == job["id"]
    assert not service.temporary()


def test_the_retained_queued_state_comes_before_the_page_is_read(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/silent/x.mp4"))
    assert client.wait_status(job_id, "queued", "extracting")
    assert client.request("cancel", id=job_id)["ok"]


def test_audio_is_extracted_in_the_wanted_format(
    service: Service, client: Client, media: MediaServer
) -> None:
    as_it_is = client.download(media.url("/media/video.mp4"), preset="audio")
    as_mp3 = client.download(media.url("/media/video.mp4"), media_type="audio", output_format="mp3")
    first = client.wait_status(as_it_is, "completed", "failed")
    second = client.wait_status(as_mp3, "completed", "failed")
    assert streams(service.root / first["filename"]) == {"audio": "aac"}
    assert streams(service.root / second["filename"]) == {"audio": "mp3"}
    assert second["filename"].endswith(".mp3")


@pytest.mark.slow
def test_hls_is_downloaded_and_its_parts_are_merged(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/media/avhls/master.m3u8"))
    small = client.download(media.url("/media/avhls/master.m3u8"), quality="120p")
    job = client.wait_status(job_id, "completed", "failed")
    assert job["status"] == "completed", job
    assert set(streams(service.root / job["filename"])) == {"video", "audio"}
    assert height(service.root / job["filename"]) == 240
    job = client.wait_status(small, "completed", "failed")
    assert height(service.root / job["filename"]) == 120
    percents = [
        json.loads(payload)["progress_percent"]
        for payload in client.payloads(f"job/{job_id}/progress")
        if payload
    ]
    assert percents == sorted(percents)


def test_a_feed_becomes_a_playlist_and_a_bad_item_does_not_fail_it(
    service: Service, client: Client, media: MediaServer
) -> None:
    urls = [media.url("/bytes/5000/a.mp4"), media.url("/status/404/b.mp4")]
    urls.append(media.url("/bytes/6000/c.mp4"))
    job = client.wait_status(
        client.download(media.feed("show", urls)), "completed", "failed", "cancelled"
    )
    assert job["status"] == "completed", job
    assert job["items"] == {"total": 3, "completed": 2, "failed": 1, "cancelled": 0}
    assert job["title"] == "show"
    event = wait_for(lambda: client.events("playlist_completed"))[0]
    assert event["job"]["items"]["failed"] == 1
    assert len(service.media()) == 2
    items = client.request("list", limit=10)["jobs"]
    bad = next(one for one in items if one["url"] == urls[1])
    assert (bad["parent_id"], bad["error_code"]) == (job["id"], "not_found")


def test_a_playlist_fails_only_where_all_its_items_do(
    service: Service, client: Client, media: MediaServer
) -> None:
    feed = media.feed("bad", [media.url("/status/404/a.mp4"), media.url("/status/410/b.mp4")])
    job = client.wait_status(client.download(feed), "completed", "failed")
    assert job["status"] == "failed"
    assert job["items"]["failed"] == 2


def test_a_page_with_a_video_is_downloaded(
    service: Service, client: Client, media: MediaServer
) -> None:
    page = media.text(
        "page.html",
        "<html><head><title>A film</title></head><body><video src='/media/video.mp4'></video>"
        "</body></html>",
    )
    job = client.wait_status(client.download(page), "completed", "failed")
    assert job["status"] == "completed", job
    assert "A film" in job["title"]
    assert "video" in streams(service.root / job["filename"])


def test_a_second_file_of_the_same_name_gets_another_name(
    service: Service, client: Client, media: MediaServer
) -> None:
    for size in (3000, 4000, 5000):
        client.wait_status(client.download(media.url(f"/bytes/{size}/same.mp4")), "completed")
    assert service.media() == ["same (2).mp4", "same (3).mp4", "same.mp4"]


def test_cancel_ends_a_transfer_within_a_second_and_leaves_nothing(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/200000/bytes/90000000/x.mp4"))
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes"))
    began = time.monotonic()
    assert client.request("cancel", id="current")["ok"]
    client.wait_status(job_id, "cancelled")
    wait_for(lambda: not media.open and not service.temporary(), 2)
    assert time.monotonic() - began < 1
    assert service.media() == []


def test_pause_keeps_what_has_arrived_and_resume_goes_on_from_it(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/3000000/bytes/6000000/x.mp4"))
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes", 0) > 1_000_000)
    assert client.request("pause", id=job_id)["ok"]
    client.wait_status(job_id, "paused")
    wait_for(lambda: not media.open)
    assert service.temporary()
    assert client.request("resume", id=job_id)["ok"]
    job = client.wait_status(job_id, "completed")
    assert media.ranges("x.mp4")
    assert job["filesize"] == 6_000_000
    content = (service.root / job["filename"]).read_bytes()
    assert content == made_up(0, 6_000_000)


def test_the_queue_can_be_held_and_ordered(
    service: Service, client: Client, media: MediaServer
) -> None:
    assert client.request("pause")["ok"]
    wait_for(lambda: client.json("state").get("paused") is True)
    assert client.json("state")["pause_reason"] == "user"
    first = client.download(media.url("/bytes/2000/a.mp4"), priority="low")
    second = client.download(media.url("/bytes/2000/b.mp4"))
    third = client.download(media.url("/bytes/2000/c.mp4"))
    assert client.request("prioritize", id=third, priority="high")["ok"]
    assert client.request("settings", max_concurrent=1)["settings"]["max_concurrent"] == 1
    assert client.request("resume")["ok"]
    for job_id in (first, second, third):
        client.wait_status(job_id, "completed")
    wait_for(lambda: len(client.events("completed")) == 3)
    order = [one["job"]["id"] for one in client.events("completed")]
    assert order == [third, second, first]


@pytest.mark.slow
def test_a_transient_failure_is_tried_again_and_a_permanent_one_is_not(
    service: Service, client: Client, media: MediaServer
) -> None:
    flaky = client.download(media.url("/flaky/2/503/k/bytes/3000/x.mp4"))
    gone = client.download(media.url("/status/404/x.mp4"))
    job = client.wait_status(flaky, "completed", "failed")
    assert job["status"] == "completed", job
    assert "retrying" in client.statuses(flaky)
    assert client.events("retrying")[0]["job"]["next_retry_at"]
    failed = client.wait_status(gone, "completed", "failed")
    assert (failed["error_code"], failed["attempt"]) == ("not_found", 1)
    assert "retrying" not in client.statuses(gone)
    rows = client.request("errors")["errors"]
    assert rows[0]["job_id"] == gone


@pytest.mark.parametrize(
    ("code", "error_code"),
    [
        (401, "login_required"),
        (403, "forbidden_by_site"),
        (410, "not_found"),
        (429, "rate_limited"),
        (451, "geo_restricted"),
        (500, "unavailable"),
    ],
)
def test_a_site_s_answer_becomes_a_stable_code(
    code: int,
    error_code: str,
    tmp_path: Path,
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__MAX_ATTEMPTS="1").start()
    try:
        job = client.wait_status(client.download(media.url(f"/status/{code}/x.mp4")), "failed")
        assert job["error_code"] == error_code
        assert job["error_message"]
    finally:
        service.stop()


def test_a_failed_job_can_be_tried_again_and_a_finished_one_deleted_with_its_file(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/flaky/1/404/r/bytes/3000/x.mp4"))
    client.wait_status(job_id, "failed")
    assert client.request("delete", id="nothing")["error"]["code"] == "job_not_found"
    assert client.request("retry", id=job_id)["ok"]
    client.wait_status(job_id, "completed")
    assert client.request("retry", id=job_id)["error"]["code"] == "invalid_transition"
    assert client.request("cancel", id=job_id)["error"]["code"] == "invalid_transition"
    assert service.media() == ["x.mp4"]
    assert client.request("delete", id="last", files=True)["ok"]
    wait_for(lambda: client.kept(f"job/{job_id}/state") is None)
    wait_for(lambda: client.kept(f"job/{job_id}/progress") is None)
    assert service.media() == []
    assert client.request("get", id=job_id)["error"]["code"] == "job_not_found"


def test_ids_may_be_short_where_they_are_not_ambiguous(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.request("pause")
    first = client.download(media.url("/bytes/1000/a.mp4"))
    second = client.download(media.url("/bytes/1000/b.mp4"))
    assert client.request("get", id=first[:4])["error"]["code"] == "ambiguous_id"
    assert client.request("get", id=second[:-4])["job"]["id"] == second
    assert client.request("get", id="last")["job"]["id"] == second
    reply = client.request("cancel", id="all")
    assert set(reply["job_ids"]) == {first, second}


def test_a_request_id_acts_once_and_is_answered_again(
    service: Service, client: Client, media: MediaServer
) -> None:
    url = media.url("/bytes/1000/a.mp4")
    first = client.request("download", url=url, request_id="r1")
    client.publish("command", {"url": url, "request_id": "r1"})
    wait_for(lambda: len(client.replies("r1")) == 2)
    assert client.replies("r1")[1] == first
    assert client.request("list")["count"] == 1
    client.publish("session/kitchen/command", {"url": url, "request_id": "r1"})
    wait_for(lambda: len(client.replies("r1")) == 3)
    assert client.replies("r1")[2]["job"]["session_id"] == "kitchen"


def test_progress_is_told_several_times_a_second_and_never_falls(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/1000000/bytes/4000000/x.mp4"))  # some four seconds
    client.wait_status(job_id, "completed")
    told = [json.loads(one) for one in client.payloads(f"job/{job_id}/progress") if one]
    percents = [one["progress_percent"] for one in told]
    assert percents == sorted(percents)
    assert len(set(percents)) >= 10
    at = [datetime.fromisoformat(one["updated_at"]) for one in told]
    assert len(told) <= 5 * ((at[-1] - at[0]).total_seconds() + 1) + 3


def test_an_mqtt5_request_gets_its_reply_on_its_own_topic(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.publish("command/list", "", response_topic="reply/me", correlation=b"c1")
    wait_for(lambda: [one for one in client.messages if one[0] == "reply/me"])
    client.publish("command/list", "", response_topic="mediarip/command", correlation=b"c1")
    wait_for(lambda: len(client.payloads("response")) == 2)
    assert len(client.payloads("command")) == 0


@pytest.mark.parametrize("command", ["pause", "list", "nonsense"])
def test_a_reply_topic_that_no_broker_takes_is_not_used(
    command: str, service: Service, client: Client
) -> None:
    client.publish(f"command/{command}", "", response_topic="a/" * 220 + "b", correlation=b"c")
    wait_for(lambda: client.payloads("response"))
    assert client.request("resume")["ok"]
    assert "lost" not in service.log


@pytest.mark.slow
def test_a_stored_message_for_which_a_broker_would_end_the_connection_is_not_sent(
    service: Service, client: Client, media: MediaServer
) -> None:
    service.stop()
    with contextlib.closing(sqlite3.connect(service.root / ".mediarip" / "store.db")) as store:
        store.execute(
            "INSERT INTO outbox (topic, payload, created_at) VALUES (?, 'x', '2026-01-01')",
            ("a/" * 220 + "b",),
        )
        store.commit()
    service.start()
    wait_for(lambda: "it is not sent" in service.log, 30, "the message to be refused")
    assert client.request("list", timeout=60)["ok"]
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    wait_for(lambda: client.events("completed"))
    assert "Traceback" not in service.log


@pytest.mark.slow
def test_a_lost_temporary_folder_ends_no_more_than_the_attempt(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    scratch = tmp_path / "scratch"
    options: dict[str, Any] = {
        "DOWNLOADS__MAX_CONCURRENT": "1",
        "STORAGE__TEMP_DIR": str(scratch),
    }
    service = Service(tmp_path, mosquitto.port, **options).start()
    try:
        first = client.download(media.url("/slow/100000/bytes/9000000/first.mp4"))
        client.wait_status(first, "downloading")
        second = client.download(media.url("/bytes/9000/second.mp4"))
        wait_for(lambda: client.job(second).get("title"), what="the page to be read ahead")
        [folder] = scratch.iterdir()
        away = folder.rename(tmp_path / "away")
        folder.symlink_to("nowhere")
        client.request("cancel", id=first)
        wait_for(lambda: client.job(second)["status"] == "retrying")
        folder.unlink()
        away.rename(folder)
        client.wait_status(second, "completed")
        assert service.running
    finally:
        service.stop()


def test_a_retained_command_is_refused_also_while_the_service_runs(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.publish("command", media.url("/bytes/1000/a.mp4"), retain=True)
    reply = json.loads(wait_for(lambda: client.payloads("response"))[0])
    assert reply["error"]["code"] == "retained_command"
    assert "mediarip/command" in service.log
    client.publish("command", "", retain=True)
    assert client.request("list")["count"] == 0


def test_bad_input_is_answered_and_the_service_goes_on(
    service: Service, client: Client, media: MediaServer
) -> None:
    cases: list[tuple[str | bytes, str]] = [
        ('{"url": ', "invalid_json"),
        (b"\xff\xfe\x00", "invalid_payload"),
        ("file:///etc/passwd", "invalid_url"),
        ('{"command": "fly"}', "unknown_command"),
        ("x" * 300_000, "payload_too_large"),
        ('{"url": "https://a.example/x", "output_template": "../../%(title)s"}', "unsafe_path"),
        ('{"url": "https://a.example/x", "folder": "/etc"}', "unsafe_path"),
        ('{"url": "https://a.example/x", "preset": "8k"}', "unknown_preset"),
        ('{"url": "https://a.example/x", "exec": "id"}', "invalid_payload"),
    ]
    for number, (payload, code) in enumerate(cases):
        client.publish("command", payload)
        client.wait_count("response", number + 1)
        reply = json.loads(client.payloads("response")[-1])
        assert reply["ok"] is False
        assert reply["error"]["code"] == code, reply
    assert client.request("list")["count"] == 0


def test_probe_looks_at_a_page_and_downloads_nothing(
    service: Service, client: Client, media: MediaServer
) -> None:
    reply = client.request("probe", url=media.url("/media/avhls/master.m3u8"))
    assert reply["ok"], reply
    assert {one["height"] for one in reply["formats"]} >= {120, 240}
    reply = client.request("probe", url=media.feed("f", [media.url("/bytes/9/a.mp4")] * 2))
    assert len(reply["entries"]) == 2
    assert client.request("probe", url=media.url("/status/404/x"))["error"]["code"] == "not_found"
    assert service.media() == []


def test_a_probe_does_not_wait_behind_running_downloads(
    service: Service, client: Client, media: MediaServer
) -> None:
    for number in range(5):
        client.download(media.url(f"/slow/50000/bytes/9000000/{number}.mp4"))
    wait_for(lambda: client.json("state").get("counts", {}).get("downloading") == 3)
    assert client.request("probe", 5, url=media.url("/media/video.mp4"))["ok"]
    waiting = client.download(media.url("/media/video.mp4"), priority="high")
    wait_for(lambda: client.job(waiting).get("title") == "video", 5, "the next job's page")
    assert client.request("cancel", id="all")["count"] == 6


def test_settings_are_kept_and_bad_ones_are_refused(service: Service, client: Client) -> None:
    reply = client.request("settings", max_concurrent=2)
    assert reply["settings"]["max_concurrent"] == 2
    details = reply["details"]["max_concurrent"]
    assert (details["default"], details["minimum"], details["source"]) == (3, 1, "runtime")
    wait_for(lambda: client.kept("setting/max_concurrent") == "2")
    wait_for(lambda: client.json("info")["settings"]["max_concurrent"]["value"] == 2)
    assert client.request("settings", max_concurrent=99)["error"]["field"] == "max_concurrent"
    client.publish("setting/rate_limit/set", "500000")
    wait_for(lambda: client.kept("setting/rate_limit") == "500000")
    service.stop()
    service.start()
    assert client.request("settings")["settings"]["max_concurrent"] == 2


def test_the_topics_of_a_service_say_what_it_is(service: Service, client: Client) -> None:
    wait_for(lambda: client.kept("status") == "online")
    info = client.json("info")
    assert {"version", "ytdlp", "ffmpeg", "store", "journal_mode", "commands"} <= set(info)
    assert "1080p" in info["presets"]
    state = client.json("state")
    assert {"counts", "active", "paused", "pause_reason", "speed", "disk_free"} <= set(state)
    service.kill()
    wait_for(lambda: client.kept("status") == "offline")
    service.start()
    wait_for(lambda: client.kept("status") == "online")
    service.stop()
    wait_for(lambda: client.kept("status") == "offline")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_downloads_go_on_where_they_were_after_a_restart(
    how: str, service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/2000000/bytes/5000000/x.mp4"))
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes", 0) > 1_000_000)
    if how == "stop":
        assert service.stop() < 10
        assert client.job(job_id)["status"] == "queued"
    else:
        service.kill()
    late = media.url("/bytes/1000/late.mp4")
    client.publish("command", {"url": late, "request_id": "late"})
    service.start()
    job = client.wait_status(job_id, "completed", "failed")
    assert job["status"] == "completed", job
    assert media.ranges("x.mp4")
    content = (service.root / job["filename"]).read_bytes()
    assert content == made_up(0, 5_000_000)
    shown = [json.loads(one) for one in client.payloads(f"job/{job_id}/progress") if one]
    percents = [one["progress_percent"] for one in shown]
    assert percents == sorted(percents)  # never backwards, a kill between them or not
    wait_for(lambda: client.replies("late"))  # kept by the broker while the service was down
    client.wait_status(client.replies("late")[0]["job_id"], "completed")
    assert sorted(service.media()) == ["late.mp4", "x.mp4"]


def test_retained_topics_equal_the_store_after_a_restart(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")
    service.stop()
    orphan = "01990000-0000-7000-8000-000000000000"
    client.publish(f"job/{orphan}/state", '{"id": "gone"}', retain=True)
    client.publish(f"job/{orphan}/progress", '{"id": "gone"}', retain=True)
    client.publish(f"job/{job_id}/state", '{"status": "a lie"}', retain=True)
    service.start()
    wait_for(lambda: client.kept(f"job/{orphan}/state") is None)
    wait_for(lambda: client.kept(f"job/{orphan}/progress") is None)
    client.wait_status(job_id, "completed")


@pytest.mark.slow
def test_the_broker_may_come_and_go(
    service: Service, client: Client, mosquitto: Mosquitto, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/2000000/bytes/4000000/x.mp4"))
    client.wait_status(job_id, "downloading")
    mosquitto.kill()
    wait_for(lambda: "was lost" in service.log)
    with sqlite3.connect(service.root / ".mediarip" / "store.db") as store:
        wait_for(lambda: store.execute("SELECT status FROM jobs").fetchone()[0] == "completed")
    store.close()
    mosquitto.start()
    client.wait_status(job_id, "completed")
    wait_for(lambda: client.kept("status") == "online")
    wait_for(lambda: client.events("completed"))
    assert service.log.count("was lost") == 1


def test_nothing_is_written_outside_the_root_whatever_a_page_says(
    service: Service, client: Client, media: MediaServer, tmp_path: Path
) -> None:
    before = {one for one in tmp_path.rglob("*") if service.root not in one.parents}
    page = media.text(
        "evil.html",
        "<html><head><title>../../../../tmp/pwned\x07\u202e</title></head><body>"
        "<video src='/media/video.mp4'></video></body></html>",
    )
    job_id = client.download(page, output_template="%(title)s/%(uploader)s/%(title)s.%(ext)s")
    job = client.wait_status(job_id, "completed", "failed")
    assert job["status"] == "completed", job
    assert (service.root / job["filename"]).resolve().is_relative_to(service.root.resolve())
    after = {one for one in tmp_path.rglob("*") if service.root not in one.parents}
    assert {one for one in after - before if "broker" not in one.parts} == set()


def test_inside_addresses_are_refused_by_default(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(
        tmp_path,
        mosquitto.port,
        SECURITY__ALLOW_PRIVATE_ADDRESSES="false",
        SECURITY__ALLOWED_HOSTS="127.0.0.1",
    ).start()
    try:
        for host in ("10.0.0.1", "localhost", "2130706434", "0x7f.2", "[::1]", "nas"):
            reply = client.request("download", url=f"http://{host}:{media.port}/x.mp4")
            assert reply["error"]["code"] == "blocked_address", (host, reply)
        target = f"http://127.0.0.2:{media.port}/bytes/1000/x.mp4"
        job = client.wait_status(
            client.download(media.url(f"/redirect?to={target}")), "failed", "completed"
        )
        assert job["error_code"] == "blocked_address"
        allowed = client.download(media.url("/bytes/1000/x.mp4"))
        assert client.wait_status(allowed, "completed", "failed")["status"] == "completed"
    finally:
        service.stop()


def test_a_second_service_on_the_same_store_is_refused(
    service: Service, mosquitto: Mosquitto, client: Client
) -> None:
    second = Service(service.folder, mosquitto.port, MQTT__NODE_ID="other")
    second.start(wait=False)
    assert second._process is not None  # noqa: SLF001 - its exit code is what matters
    assert second._process.wait(15) != 0  # noqa: SLF001 - the same
    assert "Another mediarip-mqtt runs" in second.log
    assert "Traceback" not in second.log
    assert client.request("list")["ok"]


def test_the_queue_has_a_limit(tmp_path: Path, mosquitto: Mosquitto, client: Client) -> None:
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__QUEUE_LIMIT="2").start()
    try:
        client.request("pause")
        for _ in range(2):
            client.download("https://a.example/x")
        reply = client.request("download", url="https://a.example/x")
        assert reply["error"]["code"] == "queue_full"
    finally:
        service.stop()


def test_an_unknown_setting_is_refused_and_the_service_goes_on(
    service: Service, client: Client
) -> None:
    client.publish("setting/nonsense/set", "1")
    client.wait_count("response", 1)
    assert json.loads(client.payloads("response")[0])["error"]["field"] == "nonsense"
    assert client.request("settings", nonsense=1)["error"]["code"] == "invalid_payload"
    client.publish("setting/max_concurrent/set", "a lot")
    client.wait_count("setting/max_concurrent", 2)  # the truth again, for the control that asked
    assert client.kept("setting/max_concurrent") == "3"
    assert client.request("list")["ok"]


def test_a_cancelled_playlist_says_so_once(
    service: Service, client: Client, media: MediaServer
) -> None:
    urls = [media.url("/bytes/1000/a.mp4"), media.url("/slow/9000/bytes/9000000/b.mp4")]
    job_id = client.download(media.feed("show", urls))
    wait_for(lambda: client.job(job_id).get("items", {}) and client.events("completed"))
    assert client.request("cancel", id=job_id)["ok"]
    client.wait_status(job_id, "cancelled")
    wait_for(lambda: len(client.events("cancelled")) == 2)
    assert client.request("list")["ok"]  # behind all that the cancel has caused
    assert [one["job"]["id"] for one in client.events("cancelled")].count(job_id) == 1
    assert not client.events("playlist_completed")
    assert client.job(job_id)["items"] == {"total": 2, "completed": 1, "failed": 0, "cancelled": 1}


def test_no_size_that_a_site_claims_harms_the_service(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/500000/bytes/100000000000000000000/x.mp4"))
    # Progress is published behind its commit: the store has taken what the site claims.
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("downloaded_bytes"))
    assert client.request("cancel", id=job_id)["ok"]
    client.wait_status(job_id, "cancelled")


def test_a_repeated_delete_of_the_last_job_removes_one_job_s_files(
    service: Service, client: Client, media: MediaServer
) -> None:
    for name in ("a", "b"):
        client.wait_status(client.download(media.url(f"/bytes/1000/{name}.mp4")), "completed")
    for _ in range(2):
        client.publish("command/delete", {"id": "last", "files": True, "request_id": "same"})
    wait_for(lambda: len(client.replies("same")) == 2)
    assert service.media() == ["a.mp4"]
    assert client.request("list")["count"] == 1


def test_a_pause_costs_no_attempt(service: Service, client: Client, media: MediaServer) -> None:
    job_id = client.download(media.url("/slow/100000/bytes/9000000/x.mp4"))
    for _ in range(3):
        client.wait_status(job_id, "downloading")
        assert client.request("pause", id=job_id)["ok"]
        client.wait_status(job_id, "paused")
        assert client.request("resume", id=job_id)["ok"]
    assert client.wait_status(job_id, "downloading")["attempt"] == 1


def test_after_a_stop_the_retained_topics_tell_of_nothing_that_runs(
    service: Service, client: Client, media: MediaServer
) -> None:
    job_id = client.download(media.url("/slow/100000/bytes/9000000/x.mp4"))
    client.wait_status(job_id, "downloading")
    wait_for(lambda: client.json("state").get("active") == 1)
    service.stop()
    wait_for(lambda: client.kept("status") == "offline")
    assert client.json("state")["active"] == 0
    assert client.json("state")["counts"]["queued"] == 1
    assert client.json("jobs")["active"] == []


def test_a_repeated_probe_gets_one_answer_for_both_while_it_runs(
    service: Service, client: Client, media: MediaServer
) -> None:
    page = media.url("/slow/20000/media/hls/i.m3u8")
    for _ in range(2):
        client.publish("command/probe", {"url": page, "request_id": "p"})
    wait_for(lambda: client.replies("p"))
    client.publish("command/probe", {"url": page, "request_id": "p"})
    wait_for(lambda: len(client.replies("p")) == 2)
    assert client.replies("p")[0] == client.replies("p")[1]


def test_the_picture_of_the_current_or_last_job_is_a_small_jpeg(
    service: Service, client: Client, media: MediaServer
) -> None:
    source = ["-f", "lavfi", "-i", "testsrc=size=1920x1080", "-frames:v", "1"]
    command = ["ffmpeg", "-v", "error", *source, "-f", "image2pipe", "-c:v", "png", "-"]
    picture = subprocess.run(command, capture_output=True, check=True).stdout
    media.text("poster.png", picture, "image/png")
    page = media.text(
        "film.html",
        "<title>A film</title><video poster='/text/poster.png' src='/media/video.mp4'></video>",
    )
    job = client.wait_status(client.download(page), "completed")
    assert job["thumbnail"] == media.url("/text/poster.png")
    shown = base64.b64decode(wait_for(lambda: client.kept("thumbnail") or ""))
    assert shown.startswith(b"\xff\xd8\xff")
    assert len(shown) < 100_000
    # A job without a picture does not keep the last one's.
    client.wait_status(client.download(media.url("/bytes/1000/plain.mp4")), "completed")
    wait_for(lambda: base64.b64decode(client.kept("thumbnail") or "") == BLANK)
    # Nor does the broker keep that of a job that is gone.
    assert client.request("delete", id="all")["ok"]
    wait_for(lambda: client.kept("thumbnail") is None)
    assert service.running


def test_finished_jobs_can_be_cleared_from_the_lists_and_are_kept(
    service: Service, client: Client, media: MediaServer
) -> None:
    jobs = [client.download(media.url(f"/bytes/1000/{name}.mp4")) for name in "ab"]
    for job_id in jobs:
        client.wait_status(job_id, "completed")
    wait_for(lambda: len(client.json("jobs")["finished"]) == 2)
    assert client.request("clear", id=jobs[0])["count"] == 1
    wait_for(lambda: [one["id"] for one in client.json("jobs")["finished"]] == [jobs[1]])
    assert client.request("clear")["count"] == 1
    wait_for(lambda: not client.json("jobs")["finished"])
    assert client.request("list")["count"] == 2
    assert len(service.media()) == 2


def test_only_the_failed_jobs_can_be_retried_together(
    service: Service, client: Client, media: MediaServer
) -> None:
    failed = client.download(media.url("/flaky/1/404/k/bytes/1000/a.mp4"))
    client.wait_status(failed, "failed")
    cancelled = client.download(media.url("/silent/b.mp4"))
    assert client.request("cancel", id=cancelled)["ok"]
    client.wait_status(cancelled, "cancelled")
    assert client.request("retry", id="all", status="failed")["job_ids"] == [failed]
    client.wait_status(failed, "completed")
    assert client.job(cancelled)["status"] == "cancelled"
    assert service.running


def test_the_default_quality_holds_for_downloads_that_name_none(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.publish("setting/default_quality/set", "480p")
    wait_for(lambda: client.kept("setting/default_quality") == "480p")
    url = media.url("/media/avhls/master.m3u8")
    assert client.request("download", url=url)["job"]["quality"] == "480p"
    assert client.request("download", url=url, preset="360p")["job"]["quality"] is None
    assert client.request("download", url=url, preset="audio")["job"]["quality"] is None
    assert not client.request("settings", default_quality="4711p")["ok"]
    assert service.running


def test_the_reply_to_a_command_for_many_jobs_comes_before_their_events(
    service: Service, client: Client, media: MediaServer
) -> None:
    assert client.request("pause")["ok"]
    jobs = [media.url(f"/bytes/10/{number}.mp4") for number in range(60)]
    for url in jobs[:-1]:
        client.publish("command", url)
    client.download(jobs[-1])
    wait_for(lambda: len(client.events("queued")) == 60)
    client.messages.clear()
    assert client.request("cancel", id="all")["count"] == 60
    wait_for(lambda: len(client.events("cancelled")) == 60)
    topics = [topic for topic, _ in client.messages if topic.endswith(("/event", "/response"))]
    assert topics[0] == "mediarip/response"
    assert service.running
