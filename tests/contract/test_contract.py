"""The MQTT contract, version 1, clause by clause, as anyone on the broker sees it.

What is written here comes from the contract's text, not from the code; each payload is also held
against the generated docs/asyncapi.yaml, in which every key has to be named.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Mosquitto, free_port, wait_for
from tests.support.contract import Contract, Listener, Seen
from tests.support.server import MediaServer
from tests.support.service import Service

INTAKE_CODES = {
    "invalid_json",
    "invalid_payload",
    "unknown_command",
    "retained_command",
    "payload_too_large",
    "invalid_url",
    "blocked_address",
    "unknown_preset",
    "unsafe_path",
    "job_not_found",
    "title_not_found",
    "ambiguous_id",
    "invalid_transition",
    "queue_full",
    "forbidden",
    "storage_unavailable",
}
JOB_CODES = {
    "unsupported_url": "/page/nothing.html",
    "unavailable": "/status/500/x.mp4",
    "login_required": "/status/401/x.mp4",
    "geo_restricted": "/status/451/x.mp4",
    "drm_protected": "/text/drm.m3u8",
    "rate_limited": "/status/429/x.mp4",
    "forbidden_by_site": "/status/403/x.mp4",
    "not_found": "/status/404/x.mp4",
    "network": "/redirect?to=http://127.0.0.1:1/nobody-listens.mp4",
    "timeout": "/status/408/x.mp4",
    "postprocessing": "/bytes/3000/x.mp4",
    "cancelled": "/silent/x.mp4",
}
# Mostly of a job; what a local server can't say, and where it is tested instead.
ELSEWHERE = {
    "private": "tests/engine/test_ytdlp_engine.py",
    "age_restricted": "tests/engine/test_ytdlp_engine.py",
    "not_yet_live": "tests/engine/test_ytdlp_engine.py",
    "js_runtime_missing": "tests/engine/test_ytdlp_engine.py",
    "disk_full": "tests/faults/test_volume.py",
    "storage_unavailable": "tests/engine/test_ytdlp_engine.py",
    "internal": "tests/engine/test_ytdlp_engine.py",
    "conflict": "tests/commands/test_library_commands.py",
    "not_a_list": "tests/subscriptions/test_service.py",
    "subscription_not_found": "tests/commands/test_subscription_commands.py",
    "too_many_subscriptions": "tests/commands/test_subscription_commands.py",
}
EVENTS = {
    "queued",
    "started",
    "completed",
    "failed",
    "retrying",
    "cancelled",
    "deleted",
    "playlist_completed",
    "storage_lost",
    "storage_restored",
    "disk_low",
    "ytdlp_updated",
}
DRM = """\
#EXTM3U
#EXT-X-VERSION:5
#EXT-X-TARGETDURATION:1
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"
#EXTINF:1.0,
/media/hls/s000.ts
#EXT-X-ENDLIST
"""
POSTER = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=640x360"]
POSTER += ["-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]
NETSCAPE = "# Netscape HTTP Cookie File\n.a.example\tTRUE\t/\tTRUE\t4102444800\tname\tvalue\n"

Start = Callable[..., Service]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


@pytest.fixture
def listener(mosquitto: Mosquitto, contract: Contract) -> Iterator[Listener]:
    """A client of everything; whatever it has heard is as the contract says."""
    one = Listener(mosquitto.port)
    yield one
    one.close()
    contract.judge(one.others)


@pytest.fixture
def start(tmp_path: Path, mosquitto: Mosquitto, listener: Listener) -> Iterator[Start]:
    services: list[Service] = []

    def start(**settings: str) -> Service:
        nowhere = {"UPDATES__INDEX_URL": f"http://127.0.0.1:{free_port()}/simple"}
        folder = tmp_path / str(len(services))
        folder.mkdir()
        one = Service(folder, mosquitto.port, fresh=False, **nowhere, **settings)
        services.append(one)
        return one.start()

    yield start
    for one in services:
        one.stop()


def refused(listener: Listener, topic: str, payload: str | bytes, **how: Any) -> dict[str, Any]:
    """Publish what must be refused; return its error."""
    count = len(listener.payloads("response"))
    listener.publish(topic, payload, **how)
    listener.wait_count("response", count + 1)
    reply = json.loads(listener.payloads("response")[-1])
    assert reply["ok"] is False, reply
    assert set(reply["error"]) == {"code", "message", "field"}
    assert reply["error"]["message"].endswith((".", ")"))
    return dict(reply["error"])


def answered_once(listener: Listener, request_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the one reply to each request; the last one was sent behind all the others."""
    for one in request_ids:
        wait_for(lambda: listener.replies(one), what=f"the reply to {one}")  # noqa: B023 - called at once
    assert listener.request("list")["ok"]
    found = {one: listener.replies(one) for one in request_ids}
    assert {one: len(replies) for one, replies in found.items()} == dict.fromkeys(found, 1)
    return {one: replies[0] for one, replies in found.items()}


def test_every_topic_is_published_with_its_flags_and_its_payload(
    start: Start, listener: Listener, media: MediaServer, contract: Contract
) -> None:
    service = start(LIBRARY__ENABLED="true")
    poster = subprocess.run(POSTER, capture_output=True, check=True).stdout
    media.text("poster.png", poster, "image/png")
    page = media.text(
        "film.html",
        "<title>A film</title><video poster='/text/poster.png' src='/media/video.mp4'></video>",
    )
    job = listener.wait_status(listener.download(page), "completed")
    wait_for(lambda: '"tile":' in (listener.kept("jobs/finished") or ""), 30)
    wait_for(lambda: listener.json(f"job/{job['id']}/progress").get("progress_percent") == 100)
    wait_for(lambda: listener.kept("thumbnail"))
    wait_for(lambda: listener.json("library").get("count") == 1)
    wait_for(lambda: "homeassistant/device/mediarip/config" in listener.retained)
    followed = listener.request("subscribe", url=media.url("/feed/onebad.xml"))["subscription_id"]
    wait_for(lambda: listener.kept(f"subscription/{followed}/state"))
    assert listener.request("delete", id=job["id"])["ok"]
    wait_for(lambda: listener.kept(f"job/{job['id']}/progress") is None)
    service.kill()
    wait_for(lambda: listener.kept("status") == "offline", what="the last will")
    wanted = {name for name in contract.sent() if not name.startswith("session.")}
    assert contract.judge(listener.others) == wanted
    statuses = [one.payload for one in listener.seen if one.topic == "mediarip/status"]
    assert statuses == ["online", "offline"]


def test_an_isolated_session_s_topics_stand_below_its_own(
    start: Start, listener: Listener, media: MediaServer, contract: Contract
) -> None:
    start(SESSION__MODE="isolated")
    listener.publish("session/alice/command", media.url("/bytes/2000/a.mp4"))
    named = {"url": media.url("/bytes/2000/b.mp4"), "request_id": "b"}
    listener.publish("session/alice/command/download", named)
    wait_for(lambda: len(listener.json("session/alice/jobs").get("finished", [])) == 2)
    feed = {"url": media.url("/feed/onebad.xml"), "request_id": "c"}
    listener.publish("session/alice/command/subscribe", feed)
    wait_for(lambda: listener.json("session/alice/subscriptions").get("count"))
    wait_for(lambda: any("/subscription/" in one.topic for one in listener.others))
    ours = {name for name in contract.sent() if name.startswith("session.")}
    assert contract.judge(listener.others) >= ours
    hers = json.loads(listener.payloads("session/alice/response")[0])["job_id"]
    told = {one.topic for one in listener.others if hers in one.payload or hers in one.topic}
    assert all(topic.startswith("mediarip/session/alice/") for topic in told)
    error = json.loads(wait_for(lambda: _asked(listener, "session/alice", "pause", "")))["error"]
    assert error["code"] == "forbidden"


def _asked(listener: Listener, base: str, command: str, payload: str) -> str:
    count = len(listener.payloads(f"{base}/response"))
    listener.publish(f"{base}/command/{command}", payload)
    listener.wait_count(f"{base}/response", count + 1)
    return listener.payloads(f"{base}/response")[-1]


def test_every_command_is_answered_exactly_once_on_each_of_its_topics(
    start: Start, listener: Listener, media: MediaServer
) -> None:
    start(LIBRARY__ENABLED="true")
    url = media.url("/bytes/2000/a.mp4")
    listener.wait_status(listener.download(url), "completed")
    running = listener.download(media.url("/silent/b.mp4"))
    commands: list[tuple[str, dict[str, Any]]] = [
        ("download", {"url": url}),
        ("probe", {"url": url}),
        ("pause", {}),
        ("pause", {"id": running}),
        ("prioritize", {"id": running, "priority": "low"}),
        ("resume", {"id": running}),
        ("resume", {}),
        ("cancel", {"id": running}),
        ("cancel", {"id": "all"}),
        ("retry", {"id": running}),
        ("list", {"status": ["completed"], "limit": 5}),
        ("get", {"id": running}),
        ("get", {"id": "all"}),
        ("settings", {"max_concurrent": 2}),
        ("settings", {}),
        ("cookies", {"content": NETSCAPE}),
        ("cookies", {"delete": True}),
        ("errors", {}),
        ("clear", {}),
        ("update_ytdlp", {"check": True}),
        ("purge", {"older_than": 0, "dry_run": True}),
        ("titles", {"query": "a"}),
        ("review", {}),
        ("tag", {"id": "last", "add": ["sea"]}),
        ("watched", {"title": "unknown"}),
        ("archive", {"id": "last", "dry_run": True}),
        ("restore", {"id": "last"}),
        ("subscribe", {"url": media.url("/feed/onebad.xml"), "dry_run": True}),
        ("subscriptions", {}),
        ("check", {"id": "all"}),
        ("unsubscribe", {"id": "nobody"}),
        ("delete", {"id": "all"}),
    ]
    ids = []
    for number, (name, fields) in enumerate(commands):
        for where in ("command", f"command/{name}", f"session/kitchen/command/{name}"):
            ids.append(f"{number} {name} {where}")
            listener.publish(where, {"command": name, "request_id": ids[-1], **fields}, wait=False)
    replies = answered_once(listener, ids)
    for request_id, reply in replies.items():
        name = request_id.split()[1]
        assert reply["command"] == name
    done = {one.split()[1] for one, reply in replies.items() if reply["ok"]}
    # Nothing is archived, and there is nothing to unsubscribe from.
    refused = {"restore", "unsubscribe"}
    assert done == {name for name, _ in commands} - refused


def test_a_command_may_be_plain_text(start: Start, listener: Listener, media: MediaServer) -> None:
    start(DOWNLOADS__SEARCH_PREFIX=media.url("/media/video.mp4?q="))
    texts = [
        ("command", media.url("/bytes/2000/a.mp4")),
        ("command", "harbour at night"),
        ("command/download", f'"{media.url("/bytes/2000/b.mp4")}"'),
        ("command/probe", media.url("/bytes/2000/a.mp4")),
        *((f"command/{name}", "") for name in ("pause", "resume", "list", "errors", "settings")),
        ("command/get", "last"),
        ("command/cookies", NETSCAPE),
        ("session/kitchen/command", media.url("/bytes/2000/c.mp4")),
        ("setting/max_attempts/set", "2"),
    ]
    for number, (topic, payload) in enumerate(texts):
        listener.publish(topic, payload)
        listener.wait_count("response", number + 1)
        reply = json.loads(listener.payloads("response")[-1])
        assert reply["ok"], (topic, reply)
    assert listener.request("list")["ok"]
    assert len(listener.payloads("response")) == len(texts) + 1
    wait_for(lambda: listener.kept("setting/max_attempts") == "2")


def test_each_error_code_of_the_intake(
    start: Start, listener: Listener, media: MediaServer
) -> None:
    start(
        SECURITY__ALLOW_PRIVATE_ADDRESSES="false",
        SECURITY__ALLOWED_HOSTS="127.0.0.1",
        DOWNLOADS__QUEUE_LIMIT="2",
    )
    assert listener.request("pause")["ok"]
    jobs = [listener.download(media.url(f"/bytes/1000/{name}.mp4")) for name in "ab"]
    a = '"url": "https://a.example/x"'
    cases = {
        "invalid_json": ("command", '{"url": '),
        "invalid_payload": ("command", f'{{{a}, "exec": "id"}}'),
        "unknown_command": ("command", '{"command": "fly"}'),
        "payload_too_large": ("command", "x" * 300_000),
        "invalid_url": ("command", "file:///etc/passwd"),
        "blocked_address": ("command", "http://10.0.0.1/x.mp4"),
        "unknown_preset": ("command", f'{{{a}, "preset": "8k"}}'),
        "unsafe_path": ("command", f'{{{a}, "folder": "../up"}}'),
        "job_not_found": ("command/get", "nothing"),
        "title_not_found": ("command/tag", "nothing"),
        "ambiguous_id": ("command/get", jobs[0][:4]),
        "invalid_transition": ("command/delete", jobs[0]),
        "queue_full": ("command", media.url("/bytes/1000/c.mp4")),
    }
    found = {code: refused(listener, *case)["code"] for code, case in cases.items()}
    found["retained_command"] = refused(listener, "command", "x", retain=True)["code"]
    listener.publish("command", "", retain=True)
    assert found == {code: code for code in found}
    # The two have tests of their own, above and below.
    assert set(found) == INTAKE_CODES - {"forbidden", "storage_unavailable"}
    assert listener.request("list")["count"] == 2


GET = '{"command": "get", "request_id": "r1", "id": "'


@pytest.mark.parametrize(
    ("payload", "retain", "code"),
    [
        (GET + 'last"}', True, "retained_command"),
        (GET + "x" * 300_000 + '"}', False, "payload_too_large"),
        (GET.encode() + b'\xff"}', False, "invalid_payload"),
        (GET + 'a\x00"}', False, "invalid_payload"),
        (GET + 'a\\u0000"}', False, "invalid_payload"),
    ],
    ids=["retained", "too large", "not UTF-8", "NUL", "escaped NUL"],
)
def test_a_refusal_names_its_command_and_request_id_wherever_they_can_be_read(
    payload: str | bytes,
    retain: bool,  # noqa: FBT001 - a parameter of the test
    code: str,
    start: Start,
    listener: Listener,
) -> None:
    start()
    assert refused(listener, "command", payload, retain=retain)["code"] == code
    reply = json.loads(listener.payloads("response")[-1])
    assert (reply["command"], reply["request_id"]) == ("get", "r1")
    listener.publish("command", "", retain=True)


@pytest.mark.slow
def test_a_lost_volume_is_answered_and_told(start: Start, listener: Listener) -> None:
    service = start()
    away = service.root.with_name("away")
    service.root.rename(away)
    lost = wait_for(lambda: listener.events("storage_lost"), what="the loss of the volume")
    assert refused(listener, "command/list", "")["code"] == "storage_unavailable"
    away.rename(service.root)
    wait_for(lambda: listener.events("storage_restored"), what="the volume's return")
    assert lost[0]["reason"] == "not mounted"
    assert listener.request("list")["ok"]


def test_each_error_code_of_a_job(start: Start, listener: Listener, media: MediaServer) -> None:
    start(DOWNLOADS__MAX_ATTEMPTS="1", DOWNLOADS__MAX_CONCURRENT="6")
    media.text("drm.m3u8", DRM)
    options = {"postprocessing": {"media_type": "audio", "output_format": "mp3"}}
    jobs = {
        code: listener.download(media.url(path), **options.get(code, {}))
        for code, path in JOB_CODES.items()
    }
    listener.wait_status(jobs["cancelled"], "extracting")
    assert listener.request("cancel", id=jobs["cancelled"])["ok"]
    ended = {code: listener.wait_status(one, "failed", "cancelled") for code, one in jobs.items()}
    assert {code: job["error_code"] for code, job in ended.items()} == {one: one for one in jobs}
    assert all(job["error_message"] for job in ended.values())
    rows = listener.request("errors", limit=200)
    assert {one["error_code"] for one in rows["errors"]} == set(jobs) - {"cancelled"}
    assert [one["url"] for one in rows["unsupported_urls"]] == [
        media.url(JOB_CODES["unsupported_url"])
    ]


def test_each_event_happens_once_and_carries_its_job(
    start: Start, listener: Listener, media: MediaServer, contract: Contract
) -> None:
    full = start(STORAGE__MIN_FREE="1024T")
    wait_for(lambda: listener.events("disk_low"))
    full.stop()
    start()
    flaky = listener.download(media.url("/flaky/1/503/e/bytes/2000/a.mp4"))
    gone = listener.download(media.url("/status/404/b.mp4"))
    stopped = listener.download(media.url("/silent/c.mp4"))
    feed = listener.download(media.url("/feed/onebad.xml"))
    for job_id in (flaky, gone, feed):
        listener.wait_status(job_id, "completed", "failed")
    assert listener.request("cancel", id=stopped)["ok"]
    assert listener.request("delete", id=gone)["ok"]
    assert listener.request("update_ytdlp")["ok"]
    wait_for(lambda: listener.events("ytdlp_updated"), 60)
    kinds = {one["event_type"] for one in listener.events()}
    assert kinds == EVENTS - {"storage_lost", "storage_restored"}  # in a test of their own
    assert len({one["event_id"] for one in listener.events()}) == len(listener.events())
    for one in listener.events():
        assert ("job" in one) != (one["event_type"] in {"disk_low", "ytdlp_updated"})
    assert listener.events("playlist_completed")[0]["job"]["id"] == feed
    described = {name.removeprefix("event.") for name in contract.messages("event")}
    # test_(retention|library|archive|organize)_commands.py, test_history_transfer.py
    elsewhere = {"purged", "imported", "review_needed", "organized", "archived", "restored"}
    elsewhere |= {"missing", "watched", "library_run_ended"}
    # tests/subscriptions
    elsewhere |= {"subscription_new", "subscription_failed", "subscription_recovered"}
    assert described == EVENTS | elsewhere


def test_the_contract_s_error_codes_are_all_described_and_tested_somewhere(
    contract: Contract,
) -> None:
    described = set(contract.document["components"]["schemas"]["ErrorCode"]["enum"])
    assert described == INTAKE_CODES | JOB_CODES.keys() | ELSEWHERE.keys()
    root = Path(__file__).parents[2]
    for code, path in ELSEWHERE.items():
        assert code in (root / path).read_text("utf-8").lower(), code


@pytest.mark.parametrize(
    "wrong",
    [
        Seen("mediarip/ytdlp", "{}", 1, retained=True),
        Seen("mediarip/status", "away", 1, retained=True),
        Seen("mediarip/status", "online", 0, retained=True),
        Seen("mediarip/status", "online", 1, retained=False),
        Seen("mediarip/setting/max_attempts", "many", 1, retained=True),
        Seen("mediarip/event", '{"event_type": "sneezed", "event_id": "x"}', 1, retained=False),
        Seen("mediarip/command", "https://a.example/x", 1, retained=False),
        Seen("mediarip/gossip", "", 1, retained=False),
    ],
    ids=str,
)
def test_what_the_contract_does_not_describe_is_noticed(contract: Contract, wrong: Seen) -> None:
    with pytest.raises(AssertionError):
        contract.judge([wrong])
