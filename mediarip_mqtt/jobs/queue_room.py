"""How many more jobs the limits of the queue allow."""

from __future__ import annotations

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import WAITING
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.store import Tx


def room(tx: Tx, session_id: str, preferences: Preferences, *, isolated: bool) -> tuple[int, str]:
    """Return how many more jobs of a session may wait, and the setting that limits this."""
    limits: list[tuple[str | None, str]] = [(None, "queue_limit")]
    if isolated and session_id != ROOT_SESSION:
        limits.append((session_id, "session_queue_limit"))
    rooms = []
    for scope, setting in limits:
        counts = tx.counts(scope)
        waiting = sum(counts[status] for status in WAITING)
        rooms.append((getattr(preferences, setting) - waiting, setting))
    return min(rooms)


def queue_full(waiting: int, setting: str) -> CommandError:
    """Error for a job when the queue is full."""
    return CommandError(
        ErrorCode.QUEUE_FULL,
        f"The queue is full: {waiting} jobs wait. Wait, cancel some, or raise the setting "
        f"{setting}.",
    )
