"""TLS and socket options of a connection to a broker."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.contract.settings import MqttSettings

UNACKNOWLEDGED: Final = 15_000  # milliseconds without a TCP acknowledgement that end a connection


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """Return the TLS context for the settings; None without TLS.

    Raises `BrokerError` if a file can't be read.
    """
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(
            f"The TLS files of the broker can't be read: {error}. Check mqtt.ca_file, "
            "mqtt.cert_file and mqtt.key_file."
        ) from None
    if settings.tls_insecure:
        context.check_hostname = False
    return context


def socket_options() -> list[tuple[int, int, int]]:
    """Return the options of the connection's socket as arguments of `setsockopt`."""
    # Without NODELAY a QoS 0 publish waits for Nagle's algorithm; USER_TIMEOUT notices a cut
    # network in 15 s while data is in flight instead of two keep-alive periods.
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED))
    return options
