"""Errors of connections to a broker; their messages say what to check."""

from __future__ import annotations

import ssl
from typing import Any, Final

from mediarip_mqtt.contract.errors import LinkError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.transport import reason_of

_TIMED_OUT: Final = "Operation timed out"  # aiomqtt's message
_WRONG_VERSION: Final = {1, 132}  # CONNACK: unacceptable (3.1.1), unsupported (5) protocol version
_REFUSED: Final = {4, 5, 134, 135}  # CONNACK: bad user name or password, not authorised
_TAKEN_OVER: Final = 142  # DISCONNECT of MQTT 5: session taken over


class CredentialsError(LinkError):
    """The broker refused the user name or password."""


class ProtocolVersionError(LinkError):
    """The broker does not speak this version of MQTT."""


class SilentError(ProtocolVersionError):
    """The broker did not answer: it doesn't support this version of MQTT, or it is slow."""


class UnprovenError(ProtocolVersionError):
    """The broker answers to 3.1.1; whether also to MQTT 5 is to be found out first."""


class RivalError(LinkError):
    """Another service is at work on the same base topic."""


class TakenOverError(LinkError):
    """Another client with the same id connected, and the broker dropped this one."""


def connect_error(error: Exception, settings: MqttSettings, protocol: str) -> LinkError:
    """Return the error for a failed attempt to connect; ``error`` is aiomqtt's."""
    broker = f"{settings.host}:{settings.port}"
    code = _number(getattr(error, "rc", None))
    # Some brokers that support only 3.1.1 do not answer a CONNECT of MQTT 5.
    if protocol == "5" and str(error) == _TIMED_OUT:
        return SilentError(f"The broker at {broker} does not answer to MQTT 5.")
    if code in _WRONG_VERSION:
        return ProtocolVersionError(f"The broker at {broker} does not speak MQTT 5.")
    if code in _REFUSED:
        return CredentialsError(
            f"The broker at {broker} refused the user name or password. Check mqtt.username and "
            "mqtt.password (or mqtt.password_file)."
        )
    if isinstance(error.__context__, ssl.SSLError):
        return LinkError(_tls_text(error.__context__, broker))
    return LinkError(
        f"The broker at {broker} can't be reached ({error}). Check that it runs, and mqtt.host, "
        "mqtt.port and mqtt.tls."
    )


def _tls_text(error: ssl.SSLError, broker: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of the broker at {broker} is not accepted ({reason_of(error)}). "
            "Set mqtt.ca_file to the certificate of its authority, or mqtt.tls_insecure to true to "
            "accept any; mqtt.host must be a name in the certificate."
        )
    return (
        f"The broker at {broker} does not accept the TLS connection ({reason_of(error)}). Check "
        "mqtt.port: the usual port for TLS is 8883, and 1883 is without."
    )


def lost_error(error: Exception | None, reason: object) -> LinkError:
    """Return the error for a lost connection; ``reason`` is the code of the broker's DISCONNECT."""
    if _number(reason) == _TAKEN_OVER:
        return TakenOverError(
            "Another MQTT client with the same id connected. Give each service its own "
            "mqtt.node_id."
        )
    return LinkError(f"The connection to the broker was lost ({error or 'no answer'}).")


def _number(code: Any) -> Any:
    """Return a reason code as a number; paho gives an object or the number itself."""
    return getattr(code, "value", code)
