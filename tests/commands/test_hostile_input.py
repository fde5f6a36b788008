"""Whatever arrives: a typed command or a clear refusal, never anything else."""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mediarip_mqtt.commands import parse as parsing
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.intake import HEAD_SIZE
from mediarip_mqtt.commands.plain_text import repair_url
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.replies import Refused
from mediarip_mqtt.contract.errors import CommandError, ConfigError, DownloadError
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import SecuritySettings, Settings
from mediarip_mqtt.contract.topics import Topics, dumps
from mediarip_mqtt.contract.urls import check_url
from mediarip_mqtt.engine.page_info import media_info
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.service import load_settings
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.service import Service

ANY_JSON: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.sampled_from(
        ["--exec", "-o", "../../x", "file:///etc/passwd", "%(title)s", "\x00", "\u202e"]
    ),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5)
    ),
    max_leaves=20,
)
NAMES = sorted(CLASSES)
KEYS = sorted({key for cls in CLASSES.values() for key in cls.model_fields} | {"command"})
COMMANDS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=10), ANY_JSON, max_size=8)


def parse(payload: bytes, name: str | None) -> None:
    head = parsing.read_head(payload, name)
    parsing.read_head(payload[:HEAD_SIZE], name)
    try:
        command = parsing.parse(payload, name)
    except CommandError as error:
        refusal = Refused.of(error, head.command, head.request_id).model_dump_json()
        assert json.loads(refusal.encode())["request_id"] == head.request_id
        return
    assert isinstance(command, Command)
    assert command.command_name in NAMES
    assert head == parsing.Head(command.command_name, command.request_id)


@given(payload=st.binary(max_size=300), name=st.none() | st.sampled_from(NAMES))
def test_any_bytes_are_a_command_or_a_refusal(payload: bytes, name: str | None) -> None:
    parse(payload, name)


@given(payload=st.text(max_size=300), name=st.none() | st.sampled_from(NAMES))
def test_any_text_is_a_command_or_a_refusal(payload: str, name: str | None) -> None:
    parse(payload.encode("utf-8", "surrogatepass"), name)


@given(content=COMMANDS, name=st.none() | st.sampled_from(NAMES))
def test_any_object_is_a_command_or_a_refusal(content: Any, name: str | None) -> None:
    parse(json.dumps(content).encode("utf-8", "surrogatepass"), name)


@given(depth=st.integers(1, 100_000), name=st.none() | st.sampled_from(NAMES))
@settings(max_examples=20)
def test_deep_nesting_is_refused(depth: int, name: str | None) -> None:
    parse(b'{"url":' + b"[" * depth + b"]" * depth + b"}", name)


SIZE = 250_000
GREAT = {
    "search": "search" * (SIZE // 6),
    "letters": "a" * SIZE,
    "labels": "a." * (SIZE // 2),
    "dashes": "a-" * (SIZE // 2),
    "schemes": "https:" * (SIZE // 6),
    "urls": "https://a.example/ " * (SIZE // 19),
    "spaces": f"1{' ' * SIZE}x",
    "digits": "1" * SIZE,
    "marks": "a" + "\u0301\u0327" * (SIZE // 4),
    "brackets": "[" * SIZE,
    "quotes": '"' * SIZE,
    "commas": "en," * (SIZE // 3),
}
TEXT_KEYS = ["url", "query", "rate_limit", "quality", "playlist_items", "subtitles", "not_before"]


@pytest.mark.parametrize("kind", GREAT)
def test_a_great_payload_of_any_kind_is_answered_at_once(kind: str) -> None:
    text = GREAT[kind]
    objects = [{"url": "https://a.example/x", key: text} for key in (*TEXT_KEYS, text)]
    for payload in (text, json.dumps(text), *map(json.dumps, objects)):
        for name in (None, "probe", "cancel"):
            began = time.perf_counter()
            with pytest.raises(CommandError):
                parsing.parse(payload.encode(), name)
            assert time.perf_counter() - began < 2
    began = time.perf_counter()
    with pytest.raises(CommandError):
        Preferences(Settings()).check("rate_limit", text)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("kind", GREAT)
def test_the_longest_text_that_is_looked_at_takes_no_time(kind: str) -> None:
    began = time.perf_counter()
    repair_url(GREAT[kind][:8192])
    assert time.perf_counter() - began < 0.5


@given(topic=st.text(max_size=60))
def test_any_topic_is_one_of_ours_or_none(topic: str) -> None:
    topics = Topics("mediarip")
    for one in (topic, f"mediarip/{topic}", f"mediarip/session/{topic}/command"):
        topics.parse(one)
        topics.parse_job(one)


@given(key=st.sampled_from(sorted(Preferences(Settings()).values())) | st.text(), value=ANY_JSON)
def test_any_value_of_a_setting_is_taken_or_refused(key: str, value: Any) -> None:
    preferences = Preferences(Settings())
    try:
        taken = preferences.check(key, value)
    except CommandError:
        return
    dumps(taken)


@given(url=st.text(max_size=100) | st.from_regex(r"https?://[^/\s]{0,40}(:[0-9]*)?/\S{0,20}"))
def test_any_url_is_accepted_in_its_normal_form_or_refused(url: str) -> None:
    security = SecuritySettings()
    try:
        normal = check_url(url, security)
    except CommandError:
        return
    assert check_url(normal, security) == normal


@given(content=st.dictionaries(st.sampled_from(["mqtt", "storage", "downloads", "x"]), ANY_JSON))
@settings(max_examples=50)
def test_any_configuration_is_taken_or_named_as_wrong(content: Any, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(json.dumps(content))
    with contextlib.suppress(ConfigError):
        load_settings.load(path)


INFO_KEYS = re.findall(
    r"\S+",
    """title id uploader channel duration thumbnail thumbnails live_status extractor extractor_key
    webpage_url original_url url formats entries _type playlist_index format_id height width fps
    vcodec acodec tbr filesize ext""",
)
INFO: SearchStrategy[Any] = st.dictionaries(st.sampled_from(INFO_KEYS), ANY_JSON, max_size=12)


@given(
    info=INFO,
    formats=st.none() | st.lists(INFO, max_size=3),
    entries=st.none() | st.lists(INFO, max_size=3),
)
def test_any_page_s_data_become_what_can_be_stored_or_a_failure(
    info: dict[str, Any], formats: Any, entries: Any
) -> None:
    task = Task(job_id="x", url="https://example.org/", temp_dir=Path())
    if formats is not None:
        info["formats"] = formats
    if entries is not None:
        info |= {"entries": entries, "_type": "playlist"}
    try:
        found = media_info(task, info, SecuritySettings())
    except DownloadError:
        return
    dumps(found.model_dump(mode="json")).encode()


def test_an_item_s_url_and_title_of_a_page_are_fit_to_be_published() -> None:
    task = Task(job_id="x", url="https://example.org/", temp_dir=Path())
    urls = ["https://a.example/a b\x1b[2J\u202e\ud800?q=é", " ytsearch1:two words\n", "\x00"]
    entries = [{"_type": "url", "url": url, "title": "\x07"} for url in urls]
    info = {"_type": "playlist", "entries": entries, "title": "A\nlist\u202e"}
    found = media_info(task, info, SecuritySettings())
    assert found.title == "A list"
    assert [(one.url, one.title) for one in found.entries] == [
        ("https://a.example/a%20b%1B[2J%E2%80%AE?q=é", None),
        ("ytsearch1:two words", None),
        ("%00", None),
    ]


def test_what_a_previous_life_left_on_the_topics_does_no_harm(
    mosquitto: Mosquitto, client: Client, tmp_path: Path
) -> None:
    left = {
        "job/../../x/state": "{}",
        "job/0199/state": "\x01not json",
        "job/0199/progress": "[" * 5000,
        "job/a/b/c/state": "{}",
        "state": "nonsense",
        "jobs": "nonsense",
        "session/eve/jobs": "nonsense",
        "setting/max_concurrent": "nonsense",
        "command": "https://example.org/x",
        "command/cancel": "all",
        "status": "online",
    }
    for topic, payload in left.items():
        client.publish(topic, payload, retain=True)
    home = Client(mosquitto.port, "homeassistant")
    home.publish("device/mediarip/config", "[1, 2", retain=True)
    home.publish("sensor/mediarip/x/config", json.dumps({"origin": 7}), retain=True)
    service = Service(tmp_path, mosquitto.port).start()
    try:
        wait_for(lambda: client.kept("job/0199/state") is None)
        wait_for(lambda: client.kept("session/eve/jobs") is None)
        wait_for(lambda: client.json("jobs")["finished"] == [])
        wait_for(lambda: client.kept("setting/max_concurrent") == "3")
        wait_for(lambda: "components" in home.json("device/mediarip/config"))
        assert client.request("list")["count"] == 0
        assert "Traceback" not in service.log
    finally:
        service.stop()
        home.close()
