"""Reason codes of MQTT 5: what the broker means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

FAILURE: Final = 0x80  # reason codes from here on are errors
WRONG_VERSION: Final = frozenset({1, 0x84})  # 1: CONNACK of MQTT 3.1.1
BAD_CREDENTIALS: Final = frozenset({4, 5, 0x86, 0x87, 0x8C})  # 4 and 5: CONNACK of MQTT 3.1.1
TAKEN_OVER: Final = 0x8E
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B
# PUBACK: another attempt may succeed.
TRANSIENT: Final = frozenset({0x80, 0x83, 0x89, 0x91, 0x97})
# PUBACK: the reason may be the size. Mosquitto's message_size_limit gives 0x83 or 0x95.
ABOUT_THE_SIZE: Final = frozenset({0x80, 0x83, 0x95})
# The broker asks for patience: an immediate attempt to connect would only be refused again.
PATIENCE: Final = frozenset({0x85, 0x88, 0x89, 0x8A, 0x96, 0x97, 0x98, 0x9C, 0x9D, 0x9F})
# DISCONNECT: the reason may be a message that the service had just sent.
ABOUT_A_MESSAGE: Final = frozenset(
    {0x80, 0x81, 0x82, 0x83, 0x87, 0x8F, 0x90, 0x94, 0x95, 0x99, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2}
)

ADVICE: Final[dict[int, str]] = {
    0x85: "The broker does not accept this client id: set mqtt.client_id, or mqtt.node_id.",
    0x87: "Allow it in the broker's access list.",
    0x88: "The broker is starting or overloaded.",
    0x89: "The broker is overloaded.",
    0x8A: "The broker has banned this client; see its log.",
    0x8F: "The broker does not allow this topic filter.",
    0x90: "The broker does not allow this topic; see mqtt.base_topic.",
    0x95: "Raise the broker's limit (Mosquitto: max_packet_size).",
    0x96: "Raise the broker's limit for messages per second.",
    0x97: "A quota of the broker is used up; see its limits for this user.",
    0x98: "An administrator of the broker closed the connection.",
    0x99: "The broker checks payloads, and does not accept this one.",
    0x9A: "Allow retained messages (Mosquitto: retain_available true).",
    0x9C: "Set mqtt.host to the other server.",
    0x9D: "The broker has moved: set mqtt.host to the other server.",
    0x9F: "Raise the broker's limit for connections per second.",
    0xA2: "Allow subscriptions with wildcards.",
}


def for_all_packets(
    names: Mapping[int, Mapping[str, Sequence[int]]], packets: Sequence[int]
) -> dict[int, dict[str, list[int]]]:
    """Return paho's table of names with every error code for each kind of packet.

    paho closes the connection for a code that MQTT does not list for the packet, and brokers send
    such: Mosquitto 2.0 a PUBACK with 0x95, EMQX 4 a PUBREC with 0x93 (emqx/emqx#6447).
    """
    completed = {
        code: {name: list(kinds) for name, kinds in row.items()} for code, row in names.items()
    }
    for code in range(FAILURE, 256):
        row = completed.setdefault(code, {f"Reason {code}": []})
        known = {kind for kinds in row.values() for kind in kinds}
        next(iter(row.values())).extend(kind for kind in packets if kind not in known)
    return completed


def number(code: object) -> int | None:
    """Return a reason code as a number; paho gives an object or the number itself."""
    value = getattr(code, "value", code)
    return value if isinstance(value, int) else None


def describe(code: object, properties: Any = None) -> str:
    """Return the code's name and number, and what the broker says with it."""
    value = number(code)
    parts = [f"{code} (0x{value:02X})" if value is not None else str(code)]
    for name, label in (("ReasonString", "it says"), ("ServerReference", "other server")):
        if text := getattr(properties, name, None):
            shown = "".join(character for character in str(text) if character.isprintable())
            parts.append(f"{label}: {shown[:200]}")
    return "; ".join(parts)


def advice(code: object) -> str:
    """Return what to do about a code, with a space in front; empty if unknown."""
    text = ADVICE.get(number(code) or 0)
    return f" {text}" if text else ""
