"""The addresses of this machine, and of its neighbours, also where they are global ones.

In a home with IPv6 each device has a global address, which no list of private networks knows.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import Final

import ifaddr

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FRESH: Final = 5.0  # seconds; prefixes change while the service runs
# Shortest prefixes of a network whose hosts are neighbours; a tunnel may have the whole internet.
_SHORTEST: Final = {4: 8, 6: 32}

_lock: Final = threading.Lock()
_known: tuple[float, tuple[Network, ...]] = (float("-inf"), ())


def is_own(address: Address) -> bool:
    """Whether an address is this machine's, or in a network that it is connected to."""
    return any(address in network for network in _networks())


def _networks() -> tuple[Network, ...]:
    global _known  # noqa: PLW0603 - one list for all threads
    with _lock:
        read_at, networks = _known
        if time.monotonic() - read_at > FRESH:
            networks = tuple(_read())
            _known = (time.monotonic(), networks)
        return networks


def _read() -> set[Network]:
    found: set[Network] = set()
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            length = entry.network_prefix
            if length < _SHORTEST[address.version]:
                length = address.max_prefixlen
            found.add(ipaddress.ip_network((address, length), strict=False))
    return found
