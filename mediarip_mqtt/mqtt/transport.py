"""TLS and socket options of a connection to a broker."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.contract.settings import MqttSettings

UNACKNOWLEDGED: Final = 15_000  # milliseconds without a TCP acknowledgement that end a connection


class TlsError(BrokerError):
    """A file for TLS can't be used."""


class _NoPasswordError(Exception):
    """The key file is encrypted, and there is no password for it."""


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Return the TLS context for the settings; blocks.

    Raises `TlsError` if a file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # also `ssl.SSLError`
        raise TlsError(
            f"mqtt.ca_file: {settings.ca_file} can't be used ({reason_of(error)}). It must have "
            "certificates in PEM form."
        ) from None
    if settings.cert_file:
        _load_client_certificate(context, settings)
    elif settings.key_file:
        raise TlsError("mqtt.key_file is the key of mqtt.cert_file, which is missing. Set both.")
    if settings.ca_file:
        # Python 3.13 also refuses an authority without the extensions that RFC 5280 requires;
        # many that people made with openssl for their broker lack them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.tls_insecure:
        context.check_hostname = False
        if not settings.ca_file:
            context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, settings: MqttSettings) -> None:
    def password() -> str:
        # Without this function OpenSSL would ask for the password on the terminal, and wait.
        if settings.key_password is None:
            raise _NoPasswordError
        return settings.key_password.get_secret_value()

    key_file = settings.key_file or settings.cert_file
    try:
        context.load_cert_chain(str(settings.cert_file), settings.key_file, password)
    except _NoPasswordError:
        raise TlsError(
            f"The private key in {key_file} is encrypted. Set mqtt.key_password (or "
            "mqtt.key_password_file), or use a key without a password."
        ) from None
    except (OSError, ValueError) as error:  # also `ssl.SSLError`
        remedy = "Check mqtt.cert_file and mqtt.key_file"
        if settings.key_password is not None:
            remedy += ", and mqtt.key_password"
        raise TlsError(
            f"The client certificate {settings.cert_file} with the key in {key_file} can't be used "
            f"({reason_of(error)}). {remedy}."
        ) from None


def reason_of(error: Exception) -> str:
    """Return the reason of an `OSError` or `ssl.SSLError` without its numbers and places."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(text).replace("_", " ").lower() if str(text).isupper() else str(text)


def socket_options() -> list[tuple[int, int, int]]:
    """Return the options of the connection's socket as arguments of `setsockopt`."""
    # Without NODELAY a QoS 0 publish waits for Nagle's algorithm; USER_TIMEOUT notices a cut
    # network in 15 s while data is in flight instead of two keep-alive periods.
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED))
    return options
