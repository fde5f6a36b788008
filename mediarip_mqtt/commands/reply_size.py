"""Makes a reply fit where a broker takes only small packets."""

from __future__ import annotations

import json
from typing import Any, Final

from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.replies import Refused
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.topics import dumps

# Lists that may end early: `truncated` says so for pages, and `count` for the ids.
_PAGES: Final = ("jobs", "titles", "subscriptions", "items")
_LISTS: Final = (*_PAGES, "job_ids", "removed")


def shortened(payload: str, limit: int) -> str | None:
    """Return the reply in at most ``limit`` bytes: with fewer jobs, else as an error.

    None if there is no such reply; so for events, which are small.
    """
    reply = json.loads(payload)
    if "ok" not in reply:
        return None
    for key in _LISTS:
        if isinstance(reply.get(key), list) and (shorter := _with_fewer(reply, key, limit)):
            return shorter
    command = CLASSES.get(reply["command"] or "")
    outcome = "" if command is None or command.reads else "The command was carried out, but "
    if not reply["ok"]:
        outcome = "The command was refused, but "
    size = len(payload.encode())
    error = CommandError(
        ErrorCode.PAYLOAD_TOO_LARGE,
        f"{outcome}the reply has {size} bytes, and the broker takes {limit}. Ask for less, or "
        "raise the broker's limit.".removeprefix(" "),
    )
    text = Refused.of(error, reply["command"], reply["request_id"]).model_dump_json()
    return text if len(text.encode()) <= min(limit, size - 1) else None


def _with_fewer(reply: dict[str, Any], key: str, limit: int) -> str | None:
    """Return the reply with the first entries of a list; None if not even one fits."""
    entries = reply[key]
    frame: dict[str, Any] = {**reply, key: []}
    if key in _PAGES:
        frame |= {"count": len(entries), "truncated": True}
    room = limit - len(dumps(frame).encode())
    kept = 0
    for entry in entries[:-1]:  # at least one is left out
        room -= len(dumps(entry).encode()) + 1
        if room < 0:
            break
        kept += 1
    if not kept:
        return None
    if key in _PAGES:
        frame["count"] = kept
    return dumps({**frame, key: entries[:kept]})
