"""What retained topics are made from, without a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mediarip_mqtt.contract.models import Progress
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.mqtt.card_lists import CardFacts, CardLists, CardSources
from mediarip_mqtt.mqtt.connection import Link
from mediarip_mqtt.mqtt.retained_history import RetainedHistory
from mediarip_mqtt.mqtt.retained_topics import ProgressLimit, ServicePayloads, Sources
from mediarip_mqtt.mqtt.summaries import ServiceStatus, StateSummary
from mediarip_mqtt.store import Store

RETAINED_JOBS = 10
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Wire(Link):
    """A connection that keeps what is published on it: topic and payload."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str]] = []

    async def publish(self, topic: str, payload: Any, **_: Any) -> None:
        self.published.append((topic, payload))

    def payloads(self, topic: str) -> list[str]:
        return [payload for name, payload in self.published if name == f"mediarip/{topic}"]


def card_lists(
    store: Store,
    live: Mapping[str, Progress],
    status: Callable[[], ServiceStatus] = ServiceStatus,
    *,
    isolated: bool = False,
    clock: Callable[[], datetime] = lambda: NOW,
    tile: Callable[[str], int | None] = lambda _: None,
) -> CardLists:
    facts = CardFacts("1.2.3", ["best", "audio"])
    made_from = CardSources(status, lambda: facts, live, tile, lambda *_: None, clock)
    return CardLists(Topics("mediarip", isolated=isolated), store, made_from)


def sources(store: Store, limit: ProgressLimit) -> Sources:
    topics, live = Topics("mediarip"), dict[str, Progress]()
    status = ServiceStatus()

    def missing() -> Any:
        raise AssertionError("no test publishes it")

    return Sources(
        topics,
        store,
        Preferences(Settings()),
        ServicePayloads(
            missing,
            missing,
            lambda: None,
            lambda: False,
            lambda _: None,
            tiles=lambda: None,
            on_tiles=lambda: None,
        ),
        StateSummary(topics, store, lambda: status, live, lambda: NOW),
        card_lists(store, live, lambda: status),
        live,
        limit,
        RetainedHistory(store, RETAINED_JOBS),
    )
