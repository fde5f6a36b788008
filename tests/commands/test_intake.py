"""From a message to one reply, once; on a real store, without a broker."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mediarip_mqtt.commands import admission
from mediarip_mqtt.commands.intake import HEAD_SIZE
from mediarip_mqtt.commands.job_commands import Cancel, Delete, Get
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.contract.errors import (
    DownloadError,
    ErrorCode,
    StoreError,
    StoreProblem,
)
from mediarip_mqtt.contract.runtime_settings import PREFIX
from mediarip_mqtt.store import Store
from tests.support.intake import Desk, Sent

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
PAGE = {"url": "https://videos.example/film"}
REFUSED = {"url": "file:///x", "status": "failed", "completed_at": "2026-01-02T03:04:05Z"}
NETSCAPE = "# Netscape HTTP Cookie File\n.a.example\tTRUE\t/\tTRUE\t4102444800\tname\tvalue\n"


def described(sent: Sent) -> bool:
    """Whether a reply is as the generated contract says."""
    schema = json.loads((SCHEMAS / f"reply.{sent.reply['command']}.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(sent.reply)
    return True


# One reply


# Their examples are about a job at work, a title, a subscription, or a library that is enabled.
ABOUT_OTHERS = frozenset(
    {
        *("cancel", "pause", "prioritize"),
        *("archive", "restore", "organize", "adopt"),
        *("unsubscribe", "subscriptions"),
    }
)
LATER = frozenset({"probe", "subscribe"})  # answered once the page was read


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in LATER])
@pytest.mark.parametrize("qos", [0, 1])
async def test_every_command_gets_one_reply_that_is_as_described(
    name: str, qos: int, desk: Desk
) -> None:
    await desk.in_review()
    await desk.ended("a.mp4")
    payload = {**CLASSES[name].example, "request_id": "r1"}
    (sent,) = await desk.send(f"command/{name}", payload, qos=qos)
    assert sent.topic == "mediarip/response"
    assert (sent.reply["command"], sent.reply["request_id"]) == (name, "r1")
    assert list(sent.reply)[:3] == ["ok", "command", "request_id"]
    assert described(sent)
    if name not in ABOUT_OTHERS:
        assert sent.reply["ok"], sent.reply


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("get", {"id": "all"}),
        ("cancel", {"id": "all"}),
        ("pause", {"id": "all"}),
        ("pause", {}),
        ("delete", {"id": "all"}),
        ("settings", {}),
        ("cookies", {"content": NETSCAPE}),
        ("cookies", {}),
        ("purge", {"older_than": 0, "files": True}),
        (
            "import",
            {
                "jobs": [
                    {"url": "file:///x", "status": "failed", "completed_at": "2026-01-02T03:04:05Z"}
                ]
            },
        ),
    ],
)
async def test_every_shape_of_a_reply_is_as_described(
    name: str, payload: dict[str, Any], desk: Desk
) -> None:
    await desk.ended("a.mp4")
    (sent,) = await desk.send(f"command/{name}", payload)
    assert sent.reply["ok"], sent.reply
    assert described(sent)


async def test_a_request_with_a_response_topic_gets_the_same_reply_there_too(desk: Desk) -> None:
    for name in ("list", "download"):  # answered directly, and through the outbox
        here, there = await desk.send(
            f"command/{name}",
            PAGE if name == "download" else {},
            response_topic="me/answers",
            correlation=b"\x00c",
        )
        assert (here.topic, here.correlation) == ("mediarip/response", None)
        assert (there.topic, there.correlation) == ("me/answers", b"\x00c")
        assert here.payload == there.payload


@pytest.mark.parametrize(
    "topic",
    [
        "a/+/b",
        "a/#",
        "$SYS/x",
        "mediarip",
        "mediarip/command",
        "mediarip/job/x/state",
        "a\x07b",
        "a" * 513,
        "/".join("a" * 32),
    ],
)
async def test_no_reply_goes_to_a_topic_that_is_none_or_ours(topic: str, desk: Desk) -> None:
    (sent,) = await desk.send("command/list", response_topic=topic)
    assert sent.topic == "mediarip/response"


async def test_what_asks_for_nothing_gets_no_reply(desk: Desk) -> None:
    assert await desk.send("command/cancel", b"", retain=True) == []
    assert await desk.send("state", b"{}") == []
    assert await desk.send("command/a/b", b"{}") == []


async def test_every_reply_waits_in_the_outbox_for_the_broker(desk: Desk) -> None:
    for name, payload in (("list", b""), ("download", PAGE), ("cancel", b"{"), ("none", b"")):
        await desk.intake.handle(desk.message(f"command/{name}", payload))
    assert desk.responded == []  # none only in memory
    assert len(await desk.replies()) == 4


async def test_a_failure_of_the_service_is_answered_and_the_next_command_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Cancel, "run", fail)
    reply = await desk.ask("cancel", {"id": "all", "request_id": "r1"})
    assert (reply["command"], reply["request_id"]) == ("cancel", "r1")
    assert reply["error"]["code"] == "internal"
    assert "ZeroDivisionError" in caplog.text
    assert (await desk.ask("list"))["ok"]


# Once


async def test_a_request_id_acts_once_in_its_session(desk: Desk) -> None:
    first = await desk.ask("download", PAGE | {"request_id": "r1"})
    again = await desk.ask("download", {"url": "https://other.example/", "request_id": "r1"})
    other = await desk.send("session/kitchen/command", PAGE | {"request_id": "r1"})
    assert again == first
    assert other[0].reply["job_id"] != first["job_id"]
    assert len(await desk.jobs()) == 2


async def test_a_refusal_is_remembered_with_its_request_id_too(desk: Desk) -> None:
    first = await desk.ask("cancel", {"id": "last", "request_id": "r1"})
    assert first["error"]["code"] == "job_not_found"
    job = await desk.ask("download", PAGE)
    assert await desk.ask("cancel", {"id": "last", "request_id": "r1"}) == first
    assert (await desk.ask("get", {"id": job["job_id"]}))["job"]["status"] == "queued"


@pytest.mark.parametrize("payload", ["https://videos.example/film", json.dumps(PAGE)])
async def test_a_redelivery_acts_once_and_is_answered_again(payload: str, desk: Desk) -> None:
    (first,) = await desk.send("command", payload, mid=7)
    (again,) = await desk.send("command", payload, mid=7, dup=True)
    assert again == first
    assert len(await desk.jobs()) == 1
    await desk.send("command", payload, mid=7)  # a new message that got a used packet id
    await desk.send("command", payload + " ", mid=7, dup=True)  # another message
    await desk.send("command", payload, mid=0, qos=0, dup=True)
    assert len(await desk.jobs()) == 4
    await desk.intake.new_session()  # the broker counts anew
    await desk.send("command", payload, mid=7, dup=True)
    assert len(await desk.jobs()) == 5


async def test_a_probe_that_comes_again_waits_for_its_one_answer(desk: Desk) -> None:
    for dup in (False, True):
        assert await desk.send("command/probe", PAGE, mid=7, dup=dup) == []
    for _ in range(2):
        assert await desk.send("command/probe", PAGE | {"request_id": "p"}) == []
    assert len(await desk.store.read(lambda tx: tx.probes())) == 2


async def test_a_repeated_delete_of_the_last_job_takes_no_other_job(desk: Desk) -> None:
    kept, gone = [await desk.ended(name) for name in ("a.mp4", "b.mp4")]
    wanted = {"id": "last", "files": True, "request_id": "r1"}
    first = await desk.ask("delete", wanted, mid=7)
    assert first["job_id"] == gone
    assert await desk.ask("delete", wanted) == first
    assert await desk.ask("delete", wanted, mid=7, dup=True) == first
    assert [job.id for job in await desk.jobs()] == [kept]
    assert desk.files() == ["a.mp4"]


class KilledError(BaseException):
    """The process ended."""


async def test_after_a_kill_between_the_files_and_the_rows_the_same_job_goes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = [await desk.ended(name) for name in ("a.mp4", "b.mp4")]

    async def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(Store, "write", killed)
    with pytest.raises(KilledError):
        await desk.send("command/delete", {"id": "last", "files": True}, mid=7)
    monkeypatch.undo()
    assert desk.files() == ["a.mp4"]
    reply = await desk.ask("delete", {"id": "last", "files": True}, mid=7, dup=True)
    assert reply["job_id"] == gone
    assert [job.id for job in await desk.jobs()] == [kept]
    assert desk.files() == ["a.mp4"]


async def test_cookies_that_were_replaced_do_not_come_back_with_an_old_request(desk: Desk) -> None:
    first = await desk.ask("cookies", {"content": NETSCAPE, "request_id": "r1"})
    assert first["cookies"]["count"] == 1
    assert (await desk.ask("cookies", {"delete": True}))["cookies"]["stored"] is False
    assert await desk.ask("cookies", {"content": NETSCAPE, "request_id": "r1"}) == first
    assert (await desk.ask("cookies"))["cookies"]["stored"] is False


async def test_whether_it_was_answered_is_asked_before_anything_is_prepared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []

    async def prepare(self: Delete, *_: object) -> None:
        prepared.append(self.id)

    monkeypatch.setattr(Delete, "prepare", prepare)
    await desk.ended("a.mp4")
    for _ in range(2):
        await desk.ask("delete", {"id": "last", "request_id": "r1"})
    assert prepared == ["last"]


# Refused before it is a command


GET = '{"command": "get", "request_id": "r1", "id": '
LONG = {"command": "list", "request_id": "r1", "x": "y" * 300_000}


@pytest.mark.parametrize(
    ("payload", "command", "request_id"),
    [
        ({"command": "cancel", "id": "all", "request_id": "r1"}, "cancel", "r1"),
        (PAGE | {"request_id": "r1"}, "download", "r1"),
        ("https://videos.example/film", "download", None),
        (LONG, "list", "r1"),
    ],
)
async def test_a_retained_command_is_refused_by_its_name_and_request_id(
    payload: object, command: str, request_id: str | None, desk: Desk
) -> None:
    (sent,) = await desk.send("command", payload, retain=True)
    assert sent.error["code"] == "retained_command"
    assert (sent.reply["command"], sent.reply["request_id"]) == (command, request_id)
    assert await desk.jobs() == []


@pytest.mark.parametrize(
    ("payload", "code", "command", "request_id"),
    [
        (LONG, "payload_too_large", "list", "r1"),
        ({"x": "y" * 300_000, "request_id": "r1"}, "payload_too_large", None, "r1"),
        (
            {"x": "y" * 300_000, "request_id": "r1", "command": "list", "z": {"a": [1]}},
            *("payload_too_large", "list", "r1"),
        ),
        ({"x": "y" * 300_000, "z": {"request_id": "r1"}}, "payload_too_large", None, None),
        ({"x": "y" * 300_000 + ', "request_id": "r1"'}, "payload_too_large", None, None),
        ("x" * 300_000, "payload_too_large", "download", None),
        (GET.encode() + b'"\xff"}', "invalid_payload", "get", "r1"),
        (GET + '"a\x00"}', "invalid_payload", "get", "r1"),
        (GET + '"a\\u0000"}', "invalid_payload", "get", "r1"),
        (GET + '"a\\u202e"}', "invalid_payload", "get", "r1"),
        (GET, "invalid_json", "get", "r1"),
        ({"command": "fly", "request_id": "r1"}, "unknown_command", "fly", "r1"),
        ({"command": "get", "request_id": "\u202e"}, "invalid_payload", "get", None),
    ],
)
async def test_a_refusal_names_its_command_and_request_id_as_far_as_they_can_be_read(
    payload: object, code: str, command: str | None, request_id: str | None, desk: Desk
) -> None:
    (sent,) = await desk.send("command", payload)
    assert sent.error["code"] == code
    assert (sent.reply["command"], sent.reply["request_id"]) == (command, request_id)
    assert await desk.jobs() == []


async def test_the_topic_names_the_command_where_the_payload_can_t(desk: Desk) -> None:
    for payload in (b"\xff\xfe", "{", "x" * 300_000):
        assert (await desk.ask("cancel", payload))["command"] == "cancel"
    reply = await desk.ask("c\u202e" * 100, "x")
    assert reply["command"] == "c" * 64


async def test_of_a_great_payload_only_the_beginning_is_read(desk: Desk) -> None:
    far = b'{"a": "%s", "request_id": "r1"}' % (b"x" * HEAD_SIZE)
    payload = far + b" " * 50_000_000
    began = time.perf_counter()
    reply = await desk.ask("list", payload)
    assert time.perf_counter() - began < 2
    assert (reply["command"], reply["request_id"]) == ("list", None)
    assert reply["error"]["code"] == "payload_too_large"


# The store


@pytest.mark.parametrize("name", ["list", "download", "delete", "purge"])
async def test_where_the_store_can_t_be_used_that_is_said(name: str, desk: Desk) -> None:
    desk.store.suspend("hanging")
    reply = await desk.ask(name, {**CLASSES[name].example, "request_id": "r1"})
    assert (reply["command"], reply["request_id"]) == (name, "r1")
    assert reply["error"]["code"] == "storage_unavailable"


@pytest.mark.parametrize(
    ("kind", "said"), [(StoreProblem.FULL, "volume is full"), (StoreProblem.LOST, "is back")]
)
async def test_what_may_be_done_and_what_to_do_about_the_store_is_said(
    kind: StoreProblem, said: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.ended("a.mp4")

    async def fail(*_: object) -> None:
        raise StoreError("no", kind=kind)

    monkeypatch.setattr(desk.store, "write", fail)
    for name in ("download", "delete"):
        await desk.intake.handle(desk.message(f"command/{name}", CLASSES[name].example))
    first, second = (sent.error["message"] for sent in desk.responded)
    assert said in first
    assert said in second
    assert "nothing was done" in first
    assert "a part may be done" in second


# Sessions


async def test_an_isolated_session_is_kept_to_its_own_jobs_and_topics(isolated: Desk) -> None:
    hers = await isolated.ended("a.mp4", "alice")
    for name in ("get", "delete", "retry", "keep"):
        for ref in (hers, hers[:13], "last"):
            (sent,) = await isolated.send(f"session/bob/command/{name}", {"id": ref})
            assert sent.topic == "mediarip/session/bob/response"
            assert sent.error["code"] == "job_not_found"
    for payload in ({"id": "all", "files": True}, {"older_than": 0}):
        name = "delete" if "id" in payload else "purge"
        (sent,) = await isolated.send(f"session/bob/command/{name}", payload)
        assert sent.reply["count"] == 0
    assert isolated.files() == ["a.mp4"]
    (sent,) = await isolated.send("session/bob/command/list", {"session_id": "alice"})
    assert sent.reply["jobs"] == []
    (sent,) = await isolated.send("session/alice/command/get", {"id": "last"})
    assert sent.reply["job_id"] == hers
    assert (await isolated.ask("get", {"id": hers}))["error"]["code"] == "job_not_found"


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("pause", {}, "forbidden"),
        ("resume", {}, "forbidden"),
        ("settings", {"max_concurrent": 2}, "forbidden"),
        ("update_ytdlp", {}, "forbidden"),
        ("settings", {}, None),
        ("clear", {}, None),
        ("pause", {"id": "all"}, None),
    ],
)
async def test_what_concerns_all_is_for_the_service_s_own_topic(
    name: str, payload: dict[str, Any], code: str | None, isolated: Desk
) -> None:
    (sent,) = await isolated.send(f"session/alice/command/{name}", payload)
    assert sent.reply.get("error", {}).get("code") == code
    assert (await isolated.ask(name, payload))["ok"]


def set_rate(desk: Desk, commands: int) -> None:
    desk.preferences.restore({f"{PREFIX}session_rate": str(commands)})


async def test_a_session_has_a_rate_and_may_ask_again_for_what_was_refused(
    isolated: Desk,
) -> None:
    set_rate(isolated, 2)
    wanted = PAGE | {"request_id": "r1"}
    codes = []
    for _ in range(3):
        (sent,) = await isolated.send("session/alice/command/get", {"id": "nope"})
        codes.append(sent.error["code"])
    assert codes == ["job_not_found", "job_not_found", "rate_limited"]
    (sent,) = await isolated.send("session/alice/command/download", wanted)
    assert sent.error["code"] == "rate_limited"
    set_rate(isolated, 100_000)
    await asyncio.sleep(0.01)  # at that rate some commands more are allowed by then
    (first,) = await isolated.send("session/alice/command/download", wanted)
    assert first.reply["ok"]
    set_rate(isolated, 1)
    codes = []
    for _ in range(2):
        (sent,) = await isolated.send("session/alice/command/get", {"id": "nope"})
        codes.append(sent.error["code"])
    assert codes == ["job_not_found", "rate_limited"]
    (again,) = await isolated.send("session/alice/command/download", wanted)
    assert again.payload == first.payload  # an answer that is known costs nothing


@pytest.mark.parametrize(
    ("topic", "count"),
    [
        ("mediarip/session/alice/response/mine", 2),
        ("mediarip/session/alice/response", 1),
        ("mediarip/session/bob/response/mine", 1),
        ("me/answers", 1),
    ],
)
async def test_an_isolated_session_names_response_topics_below_its_own_only(
    topic: str, count: int, isolated: Desk
) -> None:
    for name in ("list", "cancel"):
        sent = await isolated.send(
            f"session/alice/command/{name}",
            {"id": "all"} if name == "cancel" else {},
            response_topic=topic,
        )
        expected = ["mediarip/session/alice/response", topic]
        assert [one.topic for one in sent] == expected[:count]


@pytest.mark.parametrize(
    "topic",
    [
        "homeassistant/device/mediarip/config",
        "homeassistant",
        "homeassistant/sensor/a/b/c/config",
        "homeassistant/status",
        "mediarip/status",
        "mediarip",
        "mediarip/command/list",
        "mediarip/session/bob/command",
        "mediarip/responses",
        "$SYS/broker",
        "$share/a/b",
        "reply/+",
    ],
)
async def test_no_reply_goes_where_a_sender_could_not_write(topic: str, desk: Desk) -> None:
    """Brokers let a requester name any topic: moquette-io/moquette#893."""
    (sent,) = await desk.send("command/list", {}, response_topic=topic)
    assert sent.topic == "mediarip/response"


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("ha/discovery/sensor/a/config", False),
        ("ha/birth/status", False),
        ("ha/birth/more", False),
        ("homeassistant/answers", True),
        ("mediarip/response/me", True),
    ],
)
async def test_no_reply_goes_to_the_topics_of_home_assistant_as_it_is_configured(
    topic: str,
    allowed: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    names = {"discovery_prefix": "ha/discovery", "birth_topic": "ha/birth/status"}
    desk = await Desk(tmp_path, homeassistant=names).open()
    sent = await desk.send("command/list", {}, response_topic=topic)
    assert (topic in {one.topic for one in sent}) == allowed
    await desk.close()


async def test_beyond_its_rate_a_session_gets_some_refusals_and_then_nothing(
    isolated: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "REFUSALS", 2)
    set_rate(isolated, 1)
    sent = [
        await isolated.send(f"session/mallory/{topic}", payload, retain=retain)
        for topic, payload, retain in (
            ("command/list", "{}", False),
            ("command/list", "{", False),
            ("command/nonsense", "{}", True),
            ("command/list", "{}", False),
        )
    ]
    assert [len(replies) for replies in sent] == [1, 1, 1, 0]
    assert isolated.intake.floods("mallory")
    assert not isolated.intake.floods("alice")
    assert not isolated.intake.floods("")  # the service's own topics
    isolated.intake.tell_dropped({"mallory": 9, "": 1})
    told = {one.topic: one.error["message"] for one in isolated.responded}
    assert "10 messages" in told["mediarip/session/mallory/response"]
    assert "1 messages" in told["mediarip/response"]


@pytest.mark.parametrize(
    ("sender", "code"), [("default", "forbidden"), ("no name", "invalid_payload")]
)
async def test_a_sender_without_a_session_is_answered_where_he_listens(
    sender: str, code: str, isolated: Desk
) -> None:
    wanted = {"id": "all", "request_id": "r1"}
    (sent,) = await isolated.send(
        f"session/{sender}/command/cancel", wanted, response_topic="me/answers"
    )
    assert sent.topic == f"mediarip/session/{sender}/response"
    assert (sent.error["code"], sent.error["field"]) == (code, "session_id")
    assert (sent.reply["command"], sent.reply["request_id"]) == ("cancel", "r1")


async def test_in_open_mode_all_senders_are_one_session(tmp_path: Path) -> None:
    desk = await Desk(tmp_path, "open").open()
    (sent,) = await desk.send("session/alice/command/download", PAGE | {"request_id": "r1"})
    assert sent.reply["job"]["session_id"] == "default"
    assert (await desk.ask("download", PAGE | {"request_id": "r1"})) == sent.reply
    await desk.close()


# Settings


async def test_a_setting_s_topic_sets_it_at_once(desk: Desk) -> None:
    (sent,) = await desk.send("setting/max_concurrent/set", "2")
    assert (sent.topic, sent.reply["command"]) == ("mediarip/response", "settings")
    assert sent.reply["settings"]["max_concurrent"] == 2
    assert described(sent)
    assert desk.preferences.max_concurrent == 2
    assert desk.settings_changed == 1
    (sent,) = await desk.send("setting/default_quality/set", "1080p")  # text without quotes
    assert sent.reply["settings"]["default_quality"] == "1080p"


@pytest.mark.parametrize(
    ("key", "payload"), [("max_concurrent", "many"), ("max_concurrent", b"\xff"), ("nothing", "1")]
)
async def test_a_bad_setting_is_refused_and_the_true_one_published_again(
    key: str, payload: str | bytes, desk: Desk
) -> None:
    (sent,) = await desk.send(f"setting/{key}/set", payload)
    assert (sent.error["code"], sent.error["field"]) == ("invalid_payload", key)
    assert sent.reply["command"] == "settings"
    assert desk.preferences.max_concurrent == 3
    published = {key for changes in desk.changes for key in changes.settings}
    assert published == ({"setting:max_concurrent"} if payload == "many" else set())


async def test_the_log_tells_of_refusals_and_of_the_topic_of_a_retained_command(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await desk.send("command/cancel", "last", retain=True)
    await desk.ask("cancel", "last")
    assert "mediarip/command/cancel" in caplog.text
    assert caplog.text.count("refused: {") == 2


async def test_a_busy_session_keeps_its_count_while_many_others_come(
    isolated: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MAX_BUCKETS", 2)
    set_rate(isolated, 2)
    codes = []
    for name in ("alice", "bob", "alice", "carol", "alice"):
        (sent,) = await isolated.send(f"session/{name}/command/get", {"id": "nope"})
        codes.append(sent.error["code"])
    assert codes == [*["job_not_found"] * 4, "rate_limited"]


async def test_a_fault_of_any_kind_is_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise DownloadError(ErrorCode.NETWORK, "no error of a command")

    monkeypatch.setattr(Get, "run", broken)
    (sent,) = await desk.send("command/get", {"id": "nope", "request_id": "r1"})
    assert (sent.error["code"], sent.reply["request_id"]) == ("internal", "r1")


@pytest.mark.parametrize("name", sorted(CLASSES))
async def test_a_refused_request_says_which_one_it_was(name: str, desk: Desk) -> None:
    # Koenkk/zigbee2mqtt#2223: a request with wrong parameters had no answer that names it, so a
    # program had to wait for its time-out.
    payload = {**CLASSES[name].example, "request_id": "r7", "no_such_key": 1}
    (sent,) = await desk.send(f"command/{name}", payload)
    assert (sent.reply["command"], sent.reply["request_id"]) == (name, "r7")
    assert sent.error["field"] == "no_such_key"
