"""Replies and events go to their own topics, and where their receivers may ask for them."""

from __future__ import annotations

import pytest

from mediarip_mqtt.contract.reply_topics import ReplyTopics
from mediarip_mqtt.contract.settings import HomeAssistantSettings
from mediarip_mqtt.contract.topics import Topics

SHARED = ReplyTopics(Topics("mediarip"), HomeAssistantSettings())
ISOLATED = ReplyTopics(Topics("mediarip", isolated=True), HomeAssistantSettings())


@pytest.mark.parametrize(
    "topic",
    [
        "mediarip/response",
        "mediarip/event",
        "mediarip/session/alice/event",
        "mediarip/session/alice/response",
        "mediarip/session/alice/response/phone",
        "phone/answers",
    ],
)
def test_the_service_sends_replies_and_events(topic: str) -> None:
    assert ISOLATED.may_send(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "mediarip",
        "mediarip/status",
        "mediarip/command",
        "mediarip/job/0199/state",
        "mediarip/session/alice/jobs",
        "mediarip/session/alice/command",
        "mediarip/session/alice/event/more",
        "homeassistant/device/lamp/config",
        "homeassistant/status",
        "homeassistant",
        "$SYS/broker",
        "all/#",
        "a\0b",
    ],
)
def test_the_service_sends_no_reply_or_event_elsewhere(topic: str) -> None:
    assert not ISOLATED.may_send(topic)
    assert not SHARED.may_send(topic)


def test_an_isolated_session_s_replies_stay_below_its_own() -> None:
    assert ISOLATED.may_name("mediarip/session/alice/response/1", "alice")
    assert not ISOLATED.may_name("phone/answers", "alice")
    assert not ISOLATED.may_name("mediarip/session/bob/response/1", "alice")
    assert SHARED.may_name("phone/answers", "alice")
