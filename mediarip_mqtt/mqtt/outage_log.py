"""Logs why there is no connection: each reason once for each outage."""

from __future__ import annotations

import logging

from mediarip_mqtt.contract.errors import BrokerError, LinkError
from mediarip_mqtt.mqtt.connection_errors import LostError

logger = logging.getLogger(__name__)


class OutageLog:
    """The reasons that were logged since the last connection."""

    def __init__(self) -> None:
        self._logged: set[tuple[type[BrokerError], int | None]] = set()

    def report(self, error: BrokerError) -> None:
        """Log an error as a warning, or for debugging if its kind was already logged."""
        # After a loss, that the broker can't be reached is no news.
        kind = LinkError if type(error) is LostError else type(error)
        reason = kind, getattr(error, "reason", None)
        log = logger.debug if reason in self._logged else logger.warning
        self._logged.add(reason)
        log("mqtt: %s Trying again.", error.message)

    def over(self) -> None:
        """Note that the connection is back."""
        self._logged.clear()
