"""Decides which of two services gives way if they use one client id or one base topic."""

from __future__ import annotations

import logging
from typing import Final

from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.mqtt.connection_errors import RivalError, TakenOverError

STABLE: Final = 10.0  # seconds; a connection that lasts longer has its place
WAR: Final = 3  # short connections in a row: probably two clients with the same id
GIVE_WAY: Final = 60.0  # seconds until the first attempt after giving way; doubled each time
GIVE_WAY_LIMIT: Final = 900.0  # seconds
TAKE_BACK: Final = 1.0  # seconds after which the one that was there first reconnects
_FOUGHT: Final = (
    "The broker closed %d connections right after they were opened. Probably another client with "
    "the same id connected: give each service its own mqtt.node_id (and mqtt.client_id, if that is "
    "set). If the broker gives all clients of a user one id (Mosquitto: use_username_as_clientid), "
    "also its own mqtt.username."
)

logger = logging.getLogger(__name__)


class Contention:
    """Whoever was there first goes on; the other one waits, longer each time.

    ``problem`` says why this service gives way; None if it does not.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._pause = GIVE_WAY
        self._short = 0  # connections in a row

    def lost(self, error: BrokerError, *, lasted: float, was_online: bool) -> float:
        """Return the minimum seconds until the next attempt to connect."""
        has_lasted = was_online and lasted > STABLE
        self._short = self._short + 1 if was_online and not has_lasted else 0
        if isinstance(error, RivalError):
            return self._give_way(error.message)
        if isinstance(error, TakenOverError):
            return TAKE_BACK if has_lasted else self._give_way(error.message)
        # Mosquitto 2.0 closes without the reason code "session taken over".
        if self._short >= (1 if self.problem else WAR):
            text = _FOUGHT % self._short
            log = logger.debug if self.problem else logger.error
            log("mqtt: %s Trying again in %d s.", text, self._pause)
            return self._give_way(text)
        return 0.0

    def settled(self) -> None:
        """Note that the connection has lasted."""
        self.problem = None
        self._pause = GIVE_WAY

    def _give_way(self, problem: str) -> float:
        self.problem = problem
        self._short = 0
        pause, self._pause = self._pause, min(2 * self._pause, GIVE_WAY_LIMIT)
        return pause
