"""Limits for isolated sessions: commands that affect others, and the rate of commands."""

from __future__ import annotations

import time
from typing import Final

from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.runtime_settings import Preferences

MAX_BUCKETS: Final = 1000


class Admission:
    """Refuses isolated sessions' commands that affect all sessions, and those above the rate."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._buckets: dict[str, tuple[float, float]] = {}  # session: (tokens, time of that count)

    def check(self, command: Command, session_id: str) -> None:
        """Raise `rate_limited` or `forbidden` if the session may not send this command now.

        The refusal is not stored under the request id: the same request may be sent again.
        """
        self._refuse_too_many(session_id)
        if command.concerns_all():
            raise CommandError(
                ErrorCode.FORBIDDEN,
                f"`{command.command_name}` would concern every session; only the service's own "
                "topic `command` may ask for that. Name one of your jobs.",
            )

    def _refuse_too_many(self, session_id: str) -> None:
        """Raise `rate_limited` if a session's token bucket is empty."""
        rate, now = self._preferences.session_rate, time.monotonic()
        tokens, counted_at = self._buckets.get(session_id, (float(rate), now))
        tokens = min(rate, tokens + (now - counted_at) * rate / 60)
        if tokens < 1:
            raise CommandError(
                ErrorCode.RATE_LIMITED,
                f"More than {rate} commands a minute of one session. Wait a little.",
            )
        self._buckets.pop(session_id, None)  # to the end: the oldest entry is dropped first
        self._buckets[session_id] = (tokens - 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.pop(next(iter(self._buckets)))
