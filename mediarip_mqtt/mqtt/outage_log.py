"""Logs why there is no connection: each reason once for each outage."""

from __future__ import annotations

import logging

from mediarip_mqtt.contract.errors import BrokerError

logger = logging.getLogger(__name__)


class OutageLog:
    """The reasons that were logged since the last connection."""

    def __init__(self) -> None:
        self._logged: set[type[BrokerError]] = set()

    def report(self, error: BrokerError) -> None:
        """Log an error as a warning, or for debugging if its kind was already logged."""
        log = logger.debug if type(error) in self._logged else logger.warning
        self._logged.add(type(error))
        log("mqtt: %s Trying again.", error.message)

    def over(self) -> None:
        """Note that the connection is back."""
        self._logged.clear()
