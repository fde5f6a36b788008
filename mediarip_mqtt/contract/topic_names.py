"""Which topics the settings may name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator

SESSION_LEVEL: Final = "session"


class BadTopic(NamedTuple):
    """A setting whose topic can't be used beside the others, and why."""

    section: str
    key: str
    problem: str


def _check(value: str) -> str:
    problem = None
    if not all(value.split("/")):
        problem = "must not begin or end with `/`, or contain `//`"
    elif set(value) & set("+#"):
        problem = "must not contain `+` or `#`: they are MQTT's wildcards"
    elif value.startswith("$"):
        problem = "must not begin with `$`: such topics are the broker's own"
    elif not value.isprintable():
        problem = "must not contain control characters"
    elif value != value.strip():
        problem = "must not begin or end with a space"
    if problem:
        raise ValueError(problem)
    return value


TopicName = Annotated[str, AfterValidator(_check)]


def conflicts(base: str, discovery_prefix: str, birth_topic: str) -> Iterator[BadTopic]:
    """Yield what is wrong with the topics of a service, taken together."""
    if SESSION_LEVEL in base.split("/")[:-1]:
        yield BadTopic(
            "mqtt",
            "base_topic",
            f"`{base}` is below a level `{SESSION_LEVEL}`, where a service has the topics of its "
            "isolated sessions. Choose a base topic without it; only the command line may name a "
            "session's topics",
        )
    if _overlap(base, discovery_prefix):
        yield BadTopic(
            "mqtt",
            "base_topic",
            f"`{base}` overlaps homeassistant.discovery_prefix `{discovery_prefix}`: Home "
            "Assistant's own topics are there, and its other devices would take this service's "
            "status for Home Assistant's. Choose another base topic, for example `mediarip`",
        )
    elif f"{birth_topic}/".startswith(f"{base}/"):
        yield BadTopic(
            "homeassistant",
            "birth_topic",
            f"`{birth_topic}` is one of the service's own topics, below mqtt.base_topic `{base}`. "
            "It must be the birth topic of Home Assistant's MQTT integration",
        )


def _overlap(one: str, other: str) -> bool:
    """Whether the topics are the same, or one is below the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
