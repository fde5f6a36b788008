"""Feeds that are made to keep a parser busy."""

from __future__ import annotations

import time

import pytest

from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.engine import feeds

SIZE = 60_000
REST = "<channel><item><title>a</title><link>https://e.com/1</link></item></channel></rss>"


def seconds(text: str) -> float:
    begin = time.process_time()
    answer = feeds.parse(feeds.Document("https://e.com/feed", text), SecuritySettings())
    assert len(answer.items) == 1
    return time.process_time() - begin


@pytest.mark.parametrize(
    "text",
    [
        "\n" * SIZE + '<rss version="2.0">' + REST,
        "<!--" + "\n" * SIZE + '--><rss version="2.0">' + REST,
        '<rss version="2.0">' + " " * SIZE + REST,
    ],
    ids=["before", "comment", "within"],
)
def test_blanks_take_no_longer_than_a_long_title(text: str) -> None:
    title = '<rss version="2.0">' + REST.replace("<title>a", "<title>" + "a" * SIZE)
    assert seconds(text) < 20 * seconds(title) + 1
