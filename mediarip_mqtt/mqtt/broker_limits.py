"""What a broker allows, as its CONNACK of MQTT 5 says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# Header, packet id and lengths of a PUBLISH, at most; small brokers take only 1 KiB in all.
_FIXED_SIZE: Final = 1 + 4 + 2 + 2 + 4 + 3 + 3


@dataclass(frozen=True)
class BrokerLimits:
    """The limits of one connection; the defaults are MQTT's.

    Aliases and shared subscriptions are not listed: the service uses neither.
    """

    receive_maximum: int = 65_535  # publications without PUBACK
    maximum_packet: int | None = None  # bytes
    maximum_qos: int = 2
    retain: bool = True
    wildcards: bool = True
    keepalive: int | None = None  # seconds; None: the client's own
    session_expiry: int | None = None  # seconds; None: as asked for
    identifier: str | None = None  # given by the broker

    @classmethod
    def from_connack(cls, properties: Any) -> BrokerLimits:
        """Read paho's properties of a CONNACK; those of MQTT 3.1.1 are empty."""

        def value(name: str, default: Any) -> Any:
            return getattr(properties, name, default)

        return cls(
            receive_maximum=value("ReceiveMaximum", cls.receive_maximum) or 1,
            maximum_packet=value("MaximumPacketSize", None),
            maximum_qos=value("MaximumQoS", cls.maximum_qos),
            retain=bool(value("RetainAvailable", cls.retain)),
            wildcards=bool(value("WildcardSubscriptionAvailable", cls.wildcards)),
            keepalive=value("ServerKeepAlive", None),
            session_expiry=value("SessionExpiryInterval", None),
            identifier=value("AssignedClientIdentifier", None),
        )

    def losses(self, session_expiry: int) -> list[str]:
        """Say what does not work because of the limits; ``session_expiry`` was asked for."""
        losses = []
        if not self.retain:
            losses.append("it retains no messages: clients see no state until the next change")
        if self.maximum_qos == 0:
            losses.append("it takes only QoS 0: messages may be lost")
        if not self.wildcards:
            losses.append("it allows no wildcards: commands of sessions are not received")
        if self.session_expiry is not None and self.session_expiry < session_expiry:
            losses.append(
                f"it keeps commands for only {self.session_expiry} s while the service is offline"
            )
        return losses


def packet_size(
    topic: str, payload: bytes, response_topic: str | None, correlation: bytes | None
) -> int:
    """Return the size of a PUBLISH in bytes, or a few bytes more."""
    texts = len(topic.encode()) + len((response_topic or "").encode())
    return _FIXED_SIZE + texts + len(correlation or b"") + len(payload)
