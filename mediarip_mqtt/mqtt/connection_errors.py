"""Errors of connections to a broker; their messages say what to check."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from mediarip_mqtt.contract.errors import LinkError, SubscriptionError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt import reason_codes
from mediarip_mqtt.mqtt.transport import reason_of

TIMED_OUT: Final = "Operation timed out"  # aiomqtt's message


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


class WillError(LinkError):
    """The broker does not take the will, for the ``reason`` of its retain flag or its QoS."""

    def __init__(self, message: str, reason: int) -> None:
        super().__init__(message)
        self.reason = reason


class BusyError(LinkError):
    """The broker wants no connection now."""


class LostError(LinkError):
    """An open connection was lost.

    ``reason`` is the code in the broker's DISCONNECT. ``silent``: the broker no longer answered.
    """

    def __init__(self, message: str, reason: int | None = None, *, silent: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.silent = silent


class TakenOverError(LostError):
    """Another client with the same id connected, and the broker dropped this one."""


def connect_error(error: Exception, settings: MqttSettings, protocol: str) -> LinkError:
    """Return the error for a failed attempt to connect; ``error`` is aiomqtt's."""
    broker = f"{settings.host}:{settings.port}"
    reason = getattr(error, "rc", None)
    code = reason_codes.number(reason)
    # Some brokers that support only 3.1.1 do not answer a CONNECT of MQTT 5.
    if protocol == "5" and str(error) == TIMED_OUT:
        return SilentError(f"The broker at {broker} does not answer to MQTT 5.")
    if code in reason_codes.WRONG_VERSION:
        return ProtocolVersionError(f"The broker at {broker} does not speak MQTT 5.")
    if code in reason_codes.BAD_CREDENTIALS:
        return CredentialsError(
            f"The broker at {broker} refused the user name or password. Check mqtt.username and "
            "mqtt.password (or mqtt.password_file)."
        )
    if code is not None and hasattr(reason, "packetType"):  # else an error of paho's own
        return _refused_connection(reason, code, broker)
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


def _refused_connection(reason: object, code: int, broker: str) -> LinkError:
    text = (
        f"The broker at {broker} refuses the connection: {reason_codes.describe(reason)}."
        f"{reason_codes.advice(reason)}"
    )
    if code in {reason_codes.RETAIN_NOT_SUPPORTED, reason_codes.QOS_NOT_SUPPORTED}:
        return WillError(text, code)
    return BusyError(text) if code in reason_codes.PATIENCE else LinkError(text)


def lost_error(error: Exception | None, reason: object, properties: object = None) -> LostError:
    """Return the error for a lost connection; ``reason`` is the code of the broker's DISCONNECT."""
    code = reason_codes.number(reason) or None  # 0 says nothing
    if code == reason_codes.TAKEN_OVER:
        return TakenOverError(
            "Another MQTT client with the same id connected. Give each service its own "
            "mqtt.node_id (and mqtt.client_id, if that is set).",
            code,
        )
    if code is not None:
        return LostError(
            f"The broker closed the connection: {reason_codes.describe(reason, properties)}."
            f"{reason_codes.advice(reason)}",
            code,
        )
    silent = str(error) == TIMED_OUT or "Keep alive timeout" in str(error)
    return LostError(
        f"The connection to the broker was lost ({error or 'no answer'}).", silent=silent
    )


def refused_subscription(reasons: Mapping[str, str], *, granted: bool) -> SubscriptionError:
    """Return the error for refused topic filters; ``granted``: others were not refused."""
    names = ", ".join(f"{topic} ({reason})" for topic, reason in reasons.items())
    return SubscriptionError(
        f"The broker does not let this user subscribe to {names}. Allow it in the broker's access "
        "list.",
        granted=granted,
    )
