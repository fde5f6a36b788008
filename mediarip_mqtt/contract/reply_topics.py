"""Where replies and events may be published.

The service may write where a sender, or who writes on the volume, may not: a topic that a message
or a stored row names is checked before it is used.
"""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.contract.settings import HomeAssistantSettings
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics

LONGEST: Final = 512  # characters
MOST_LEVELS: Final = 30  # Mosquitto allows 200, other brokers fewer
_OWN: Final = ("response", "event")


class ReplyTopics:
    """Knows the topics for replies and events."""

    def __init__(self, topics: Topics, homeassistant: HomeAssistantSettings) -> None:
        self._topics = topics
        # What is published below these could announce devices, or Home Assistant's start.
        birth = homeassistant.birth_topic
        prefixes = (homeassistant.discovery_prefix, birth, birth.rpartition("/")[0])
        self._reserved = tuple(prefix for prefix in prefixes if prefix)

    def may_name(self, topic: str, session_id: str) -> bool:
        """Whether a session may have its replies sent to a topic.

        Not allowed are the service's own topics, Home Assistant's, wildcards and `$SYS`. An
        isolated session may only use topics below its own `response`.
        """
        if not _is_publishable(topic):
            return False
        replies = topic.startswith(f"{self._topics.of(session_id).response}/")
        if self._topics.isolated and session_id != ROOT_SESSION:
            return replies
        own = f"{topic}/".startswith(f"{self._topics.base}/")
        return not topic.startswith("$") and (replies or not own) and not self._is_reserved(topic)

    def may_send(self, topic: str) -> bool:
        """Whether the service itself publishes replies or events on a topic, for any session."""
        base, below = self._topics.base, ""
        if topic.startswith(f"{base}/"):
            below = topic[len(base) + 1 :]
        match below.split("/"):
            case ["session", session_id, *rest]:
                pass
            case rest:
                session_id = ROOT_SESSION
        if len(rest) == 1 and rest[0] in _OWN:
            return True
        return self.may_name(topic, session_id)

    def _is_reserved(self, topic: str) -> bool:
        return any(f"{topic}/".startswith(f"{prefix}/") for prefix in self._reserved)


def _is_publishable(topic: str) -> bool:
    """Whether brokers take a message on a topic: some close the connection at a bad one."""
    return (
        0 < len(topic) <= LONGEST
        and not set(topic) & set("+#")
        and topic.isprintable()
        and topic.count("/") < MOST_LEVELS
    )
