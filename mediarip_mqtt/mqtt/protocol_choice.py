"""Chooses the version of MQTT for the next attempt to connect."""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.mqtt.connection_errors import (
    ProtocolVersionError,
    SilentError,
    UnprovenError,
)

_TRIES: Final = 2  # attempts with MQTT 5 before one with 3.1.1
_PROVEN: Final = 3  # silent to MQTT 5, and the last time right after an answer to 3.1.1


class ProtocolChoice:
    """Falls back from MQTT 5 to 3.1.1 if the broker does not support 5.

    Some brokers that support only 3.1.1 do not answer a CONNECT of MQTT 5, and neither does one
    that is frozen or overloaded. So silence is no reason to leave MQTT 5 if the broker has spoken
    it before, and otherwise only if the broker is silent right after it has answered to 3.1.1.
    """

    def __init__(self, configured: str) -> None:
        self.version = configured
        self._configured = configured
        self._has_spoken_5 = False
        self._silences = 0  # in a row

    def answered(self) -> bool:
        """Note a CONNACK; return False if MQTT 5 is to be tried once more before use."""
        if self.version == "5":
            self._has_spoken_5 = True
            self._silences = 0
        elif 0 < self._silences < _PROVEN:
            self.version = "5"
            return False
        return True

    def failed(self, error: BrokerError, *, was_online: bool) -> bool:
        """Note a failed attempt or a lost connection; return whether to try again at once."""
        if isinstance(error, SilentError) and self._has_spoken_5:
            return False
        match error:
            case UnprovenError():
                return True
            case SilentError():
                self._silences += 1
                if self._silences >= _TRIES:
                    self.version = "3.1.1"
                return True
            case ProtocolVersionError() if self.version == "5":
                self.version = "3.1.1"
                return True
        if not was_online:
            # The version was not the reason.
            self.version = self._configured
            self._silences = 0
        elif self._silences:
            # Another broker may come back: ask it once for MQTT 5.
            self.version = self._configured
            self._silences = _PROVEN - 1
        return False
