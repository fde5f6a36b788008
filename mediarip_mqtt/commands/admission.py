"""Limits for isolated sessions: commands that affect others, and the rate of commands."""

from __future__ import annotations

import enum
import time
from typing import Final

from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.runtime_settings import Preferences

MAX_BUCKETS: Final = 1000
REFUSALS: Final = 60  # (one a second) replies `rate_limited` that a session gets in a minute


class Standing(enum.Enum):
    """What becomes of a message, by how many its session has sent lately."""

    ALLOWED = enum.auto()
    TOO_MANY = enum.auto()  # `rate_limited`, unless it repeats a command that has been answered
    FLOOD = enum.auto()  # dropped without a reply: reading it would delay others


class Admission:
    """Refuses isolated sessions' commands that affect all sessions, and those above the rate."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        # session: (tokens for commands, tokens for refusals, time of that count)
        self._buckets: dict[str, tuple[float, float, float]] = {}
        self._flooded: dict[str, float] = {}  # session: time until which it has no tokens

    def count(self, session_id: str) -> Standing:
        """Count a message of a session, valid or not."""
        commands, refusals, now = self._tokens(session_id)
        standing = Standing.FLOOD
        if commands >= 1:
            standing, commands = Standing.ALLOWED, commands - 1
        elif refusals >= 1:
            standing, refusals = Standing.TOO_MANY, refusals - 1
        self._note_flood(session_id, commands, refusals, now)
        self._buckets.pop(session_id, None)  # to the end: the oldest entry is dropped first
        self._buckets[session_id] = (commands, refusals, now)
        if len(self._buckets) > MAX_BUCKETS:
            oldest = next(iter(self._buckets))
            del self._buckets[oldest]
            self._flooded.pop(oldest, None)
        return standing

    def is_flood(self, session_id: str) -> bool:
        """Whether the session's next message gets no reply."""
        return time.monotonic() < self._flooded.get(session_id, 0.0)

    def _note_flood(self, session_id: str, commands: float, refusals: float, now: float) -> None:
        """Note until when a session has no tokens: `is_flood` must not take long."""
        wait = min((1 - commands) * 60 / self._preferences.session_rate, 1 - refusals)
        if wait > 0:
            self._flooded[session_id] = now + wait
        else:
            self._flooded.pop(session_id, None)

    def _tokens(self, session_id: str) -> tuple[float, float, float]:
        """Return the tokens that a session has now, for commands and for refusals, and the time."""
        rate, now = self._preferences.session_rate, time.monotonic()
        commands, refusals, counted_at = self._buckets.get(session_id, (rate, REFUSALS, now))
        minutes = (now - counted_at) / 60
        commands = min(rate, commands + minutes * rate)
        return commands, min(REFUSALS, refusals + minutes * REFUSALS), now

    def check(self, command: Command, standing: Standing) -> None:
        """Raise `rate_limited` or `forbidden` if a session may not send this command now.

        The refusal is not stored under the request id: the same request may be sent again.
        """
        if standing is not Standing.ALLOWED:
            raise CommandError(
                ErrorCode.RATE_LIMITED,
                f"More than {self._preferences.session_rate} commands a minute of one session. "
                "Wait a little.",
            )
        if command.concerns_all():
            raise CommandError(
                ErrorCode.FORBIDDEN,
                f"`{command.command_name}` would concern every session; only the service's own "
                "topic `command` may ask for that. Name one of your jobs.",
            )
