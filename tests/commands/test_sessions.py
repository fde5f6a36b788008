"""Isolated sessions: nobody reads, commands or guesses another's jobs, or takes another's turn."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

ACL = Path(__file__).parents[2] / "docs" / "mosquitto-isolated.acl"
USERS = ("mediarip", "homeassistant", "alice", "bob", "default", "no name")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with users (whose passwords are their names) and the access list of the docs."""
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    for name in USERS:
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, name], check=True)
    acl = tmp_path / "acl"
    acl.write_text(ACL.read_text())
    acl.chmod(0o600)
    broker = Mosquitto(
        tmp_path / "broker", f"password_file {passwords}\nacl_file {acl}", anonymous=False
    ).start()
    yield broker
    broker.stop()


@pytest.fixture
def isolated(tmp_path: Path, guarded: Mosquitto) -> Iterator[Service]:
    one = Service(
        tmp_path,
        guarded.port,
        MQTT__USERNAME="mediarip",
        MQTT__PASSWORD="mediarip",
        SESSION__MODE="isolated",
    ).start()
    yield one
    one.stop()


@pytest.fixture
def connect(guarded: Mosquitto) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(name: str, base: str = "") -> Client:
        base = base or f"mediarip/session/{name}"
        clients.append(Client(guarded.port, base, username=name, password=name))
        return clients[-1]

    yield connect
    for one in clients:
        one.close()


def test_a_user_sees_only_his_own_jobs_events_and_replies(
    isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    alice, bob = connect("alice"), connect("bob")
    nosy, root = connect("bob", "mediarip"), connect("mediarip", "mediarip")
    job_id = alice.download(media.url("/bytes/20000/secret.mp4"))
    assert alice.wait_status(job_id, "completed")["session_id"] == "alice"
    wait_for(lambda: alice.events("completed"))
    wait_for(lambda: [one["id"] for one in alice.json("jobs")["finished"]] == [job_id])
    assert bob.request("list")["jobs"] == []
    told = [topic for topic, payload in nosy.messages if "secret" in payload or job_id in topic]
    assert told == []
    elsewhere = [
        topic
        for topic, payload in root.messages
        if ("secret" in payload or job_id in payload)
        and not topic.startswith("mediarip/session/alice/")
    ]
    assert elsewhere == []
    assert isolated.running


def test_a_user_can_neither_touch_nor_guess_another_s_job(
    isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    alice, bob = connect("alice"), connect("bob")
    job_id = alice.download(media.url("/stall/1000/bytes/90000/a.mp4"))
    alice.wait_status(job_id, "downloading")
    for command in ("get", "cancel", "pause", "delete", "prioritize", "retry"):
        for ref in (job_id, job_id[:13], "current", "last"):
            reply = bob.request(command, id=ref)
            assert not reply["ok"], (command, ref)
            assert reply["error"]["code"] == "job_not_found"
    assert bob.request("cancel", id="all")["count"] == 0
    assert bob.request("clear")["count"] == 0
    assert bob.request("errors")["errors"] == []
    again = bob.request("download", url=alice.job(job_id)["url"], on_duplicate="reuse")
    assert again["job_id"] != job_id
    # Through the broker: what bob publishes on alice's topic never arrives.
    intruder = connect("bob", "mediarip/session/alice")
    intruder.publish("command/cancel", job_id)
    assert bob.request("list")["ok"]
    assert alice.job(job_id)["status"] == "downloading"
    assert isolated.running


def test_what_concerns_all_is_refused_to_a_user_and_not_to_the_service_s_own_topic(
    isolated: Service, connect: Callable[..., Client]
) -> None:
    alice, home = connect("alice"), connect("homeassistant", "mediarip")
    for command, fields in (("pause", {}), ("resume", {}), ("settings", {"max_concurrent": 9})):
        reply = alice.request(command, **fields)
        assert reply["error"]["code"] == "forbidden", command
    assert alice.request("settings")["ok"]
    assert home.request("settings", max_concurrent=2)["ok"]
    assert isolated.running


def test_a_reply_goes_nowhere_that_the_user_could_not_write(
    isolated: Service, connect: Callable[..., Client]
) -> None:
    alice, root = connect("alice"), connect("mediarip", "mediarip")
    topics = {
        "reply/anywhere": False,
        "mediarip/session/bob/response": False,
        "mediarip/session/alice/response/mine": True,
    }
    for number, (topic, _) in enumerate(topics.items()):
        request = {"request_id": f"r{number}"}
        alice.publish("command/list", request, response_topic=topic, correlation=b"c")
        wait_for(lambda wanted=f"r{number}": alice.replies(wanted))  # type: ignore[misc] # bound in the loop
    assert alice.request("list")["ok"]
    seen = {topic for topic, payload in root.messages if '"request_id":"r' in payload}
    assert seen == {"mediarip/session/alice/response", "mediarip/session/alice/response/mine"}
    assert isolated.running


@pytest.mark.parametrize(
    ("user", "code"), [("default", "forbidden"), ("no name", "invalid_payload")]
)
def test_a_user_whose_name_is_no_session_s_gets_none_not_the_service_s_own(
    user: str, code: str, isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    home, intruder = connect("homeassistant", "mediarip"), connect(user)
    root = connect("mediarip", "mediarip")
    job_id = home.download(media.url("/stall/1000/bytes/90000/a.mp4"))
    home.wait_status(job_id, "downloading")
    for command, fields in (
        ("list", {}),
        ("cancel", {"id": "all"}),
        ("settings", {"max_concurrent": 1}),
        ("download", {"url": media.url("/bytes/1000/b.mp4")}),
    ):
        reply = intruder.request(command, **fields)
        assert (reply["error"]["code"], reply["error"]["field"]) == (code, "session_id"), command
        assert "name" in reply["error"]["message"]
    elsewhere: Any = {"response_topic": "reply/anywhere", "correlation": b"c"}
    intruder.publish("command/list", {"request_id": "r"}, **elsewhere)
    wait_for(lambda: intruder.replies("r"))
    assert home.request("list")["count"] == 1
    assert home.job(job_id)["status"] == "downloading"
    assert not [topic for topic, _ in root.messages if topic == "reply/anywhere"]
    assert isolated.running


def test_one_user_s_flood_does_not_hold_up_another(
    isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    alice, bob, root = connect("alice"), connect("bob"), connect("homeassistant", "mediarip")
    assert root.request("settings", max_concurrent=1, session_queue_limit=20)["ok"]
    urls = [media.url(f"/slow/30000/bytes/15000/{number}.mp4") for number in range(30)]
    for number, url in enumerate(urls):
        alice.publish("command", {"url": url, "request_id": f"a{number}"})
    wait_for(lambda: alice.replies("a29"))
    codes = [alice.replies(f"a{number}")[0].get("error", {}).get("code") for number in range(30)]
    assert "queue_full" in codes
    job_id = bob.download(media.url("/bytes/1000/b.mp4"))
    job = bob.wait_status(job_id, "completed")
    others = alice.request("list", status="completed")["jobs"]
    between = [
        one for one in others if job["created_at"] < one["completed_at"] < job["completed_at"]
    ]
    assert len(between) < 4  # not behind all of alice's
    assert isolated.running


def test_one_user_s_probes_do_not_hold_up_another_s(
    isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    alice, bob, carol = connect("alice"), connect("bob"), connect("homeassistant", "mediarip")
    for number in range(11):  # pages that never answer
        url = media.url(f"/silent/{number}")
        alice.publish("command/probe", {"url": url, "request_id": f"a{number}"})
    refused = wait_for(lambda: alice.replies("a10"))[0]
    assert refused["error"]["code"] == "queue_full"
    assert "your probes" in refused["error"]["message"]
    for number, one in enumerate((bob, carol, bob)):
        url = media.url(f"/bytes/1000/{number}.mp4")
        one.publish("command/probe", {"url": url, "request_id": f"p{number}"})
        assert wait_for(lambda who=one, wanted=f"p{number}": who.replies(wanted))[0]["ok"]  # type: ignore[misc] # bound in the loop
    assert isolated.running


def test_a_user_s_commands_have_a_rate(isolated: Service, connect: Callable[..., Client]) -> None:
    alice, bob, root = connect("alice"), connect("bob"), connect("homeassistant", "mediarip")
    assert root.request("settings", session_rate=10)["ok"]
    codes = [alice.request("list").get("error", {}).get("code") for _ in range(12)]
    assert codes[0] is None
    assert codes[-1] == "rate_limited"
    assert bob.request("list")["ok"]
    assert root.request("list")["ok"]
    assert isolated.running


def test_what_is_refused_for_its_rate_was_not_begun_and_may_be_asked_again(
    isolated: Service, connect: Callable[..., Client], media: MediaServer
) -> None:
    alice, root = connect("alice"), connect("homeassistant", "mediarip")
    job_id = alice.download(media.url("/bytes/1000/film.mp4"))
    name = alice.wait_status(job_id, "completed")["filename"]
    assert root.request("settings", session_rate=3)["ok"]
    wait_for(lambda: not alice.request("list")["ok"])
    wanted: dict[str, Any] = {"id": job_id, "files": True, "request_id": "again"}
    assert alice.request("delete", **wanted)["error"]["code"] == "rate_limited"
    assert name in isolated.media()
    assert root.request("settings", session_rate=600)["ok"]

    def taken() -> bool:
        alice.publish("command/delete", wanted)
        wait_for(lambda: alice.replies("again"))
        return any(one["ok"] for one in alice.replies("again"))

    wait_for(taken)
    wait_for(lambda: name not in isolated.media())


@pytest.mark.slow
def test_a_change_of_the_mode_leaves_no_topic_where_it_does_not_belong(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port).start()
    client.publish("session/alice/command", {"url": media.url("/bytes/1000/a.mp4")})
    job = wait_for(lambda: client.events("completed"))[0]["job"]
    assert client.job(job["id"])["session_id"] == "alice"
    service.stop()
    service.environment["MEDIARIP__SESSION__MODE"] = "isolated"
    service.start()
    try:
        wait_for(lambda: not client.job(job["id"]))
        moved = wait_for(lambda: client.json(f"session/alice/job/{job['id']}/state"))
        assert moved["filename"] == "a.mp4"
        wait_for(lambda: not client.json("jobs")["finished"])
        assert "a.mp4" not in json.dumps(client.json("state"))
    finally:
        service.stop()
