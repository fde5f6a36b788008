"""Which URLs are accepted and which addresses connected to.

`check_url` looks at what is written, without DNS: it runs on the event loop. `check_address` looks
at the address really connected to, which covers DNS answers and redirects (`engine.patches`).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from mediarip_mqtt.errors import CommandError, ErrorCode
from mediarip_mqtt.settings import SecuritySettings

MAX_URL: Final = 4096
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_LOCAL_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\\]")
_QUOTED: Final = {ord(char): f"%{ord(char):02X}" for char in '<>"^`{|}'}
_NUMERIC: Final = re.compile(
    r"^(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?$", re.IGNORECASE
)


def check_url(url: str, security: SecuritySettings) -> str:
    """Return a URL in its normal form.

    Raises `CommandError`: `invalid_url` where it is not an http or https URL with a host,
    `blocked_address` where it names an inside address in any spelling.
    """
    text = unicodedata.normalize("NFC", url.strip())
    if len(text) > MAX_URL:
        raise _invalid(f"The URL is longer than {MAX_URL} characters.")
    if _FORBIDDEN.search(text):
        raise _invalid("The URL holds a space, a control character, or one that URLs may not have.")
    try:
        parts = urlsplit(text.translate(_QUOTED))
        port = parts.port
    except ValueError:
        raise _invalid("The URL can't be read; its host or port is wrong.") from None
    if parts.scheme not in {"http", "https"}:
        raise _invalid("Only http and https URLs are accepted.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("A URL with a user name or password is not accepted: it would be published.")
    host = normal_host(parts.hostname or "")
    check_host(host, security)
    shown = f"[{host}]" if ":" in host else host
    netloc = f"{shown}:{port}" if port is not None else shown
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, parts.fragment))


def normal_host(host: str) -> str:
    """Return a host name as a resolver would see it: decoded, folded, without a final dot."""
    decoded = unicodedata.normalize("NFKC", unquote(host)).lower().rstrip(".")
    for dot in "\u3002\uff0e\uff61":
        decoded = decoded.replace(dot, ".")
    if not decoded or _FORBIDDEN.search(decoded) or set(decoded) & set("/?#@%") - set("%"):
        raise _invalid("The URL has no valid host.")
    if ":" in decoded:
        return decoded.strip("[]")
    try:
        ascii_host = decoded.encode("idna").decode("ascii") if not decoded.isascii() else decoded
    except UnicodeError:
        raise _invalid("The URL's host name is not a valid one.") from None
    labels = ascii_host.split(".")
    if not re.fullmatch(r"[a-z0-9_.-]{1,253}", ascii_host) or not all(labels):
        raise _invalid("The URL's host name is not a valid one.")
    return ascii_host


def check_host(host: str, security: SecuritySettings) -> None:
    """Refuse a host (in its normal form) that is blocked, or is written as an inside address."""
    if matches(host, security.blocked_hosts):
        raise _blocked(f"The host {host} is blocked by security.blocked_hosts.")
    address = literal(host)
    if address is not None:
        check_address(str(address), security)
        return
    if security.allow_private_addresses or matches(host, security.allowed_hosts):
        return
    if host in _LOCAL_NAMES or host.endswith(_LOCAL_SUFFIXES) or "." not in host:
        raise _inside(host)


def literal(host: str) -> Address | None:
    """Return the address that a host is a spelling of; None for a name.

    The C library takes decimal, octal, hexadecimal and short forms of IPv4 (``2130706433``,
    ``0x7f.1``), as inet_aton(3) says.
    """
    if ":" in host:
        try:
            return ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            raise _invalid("The URL's IPv6 address is not a valid one.") from None
    if not _NUMERIC.match(host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        raise _invalid("The URL's host is neither a name nor an address.") from None


def check_address(address: str, security: SecuritySettings, *, exempt: bool = False) -> None:
    """Refuse an address that is blocked or inside; ``exempt`` says that its host is allowed."""
    found = ipaddress.ip_address(address.partition("%")[0])
    spellings = [found, *_embedded(found)]
    for one in spellings:
        if matches(str(one), security.blocked_hosts):
            raise _blocked(f"The address {one} is blocked by security.blocked_hosts.")
    if security.allow_private_addresses or exempt:
        return
    for one in spellings:
        outside = one.is_global and not one.is_multicast
        if not outside and not matches(str(one), security.allowed_hosts):
            if one is found and isinstance(found, ipaddress.IPv6Address) and len(spellings) > 1:
                continue  # an IPv4 address in IPv6 clothes: judged by that one
            raise _inside(str(one))


def matches(host: str, entries: tuple[str, ...]) -> bool:
    """Whether a host or address is one of the entries, below one, or in one's network."""
    for entry in entries:
        text = entry.strip().lower().rstrip(".").strip("[]")
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            name = text.removeprefix("*.")
            if name and (host == name or host.endswith(f".{name}")):
                return True
            continue
        try:
            if ipaddress.ip_address(host) in network:
                return True
        except ValueError:
            continue
    return False


def _embedded(address: Address) -> list[Address]:
    """Return the IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address] = []
    if address.ipv4_mapped:
        found.append(address.ipv4_mapped)
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found += address.teredo
    if (
        address in _NAT64
        or address in _NAT64_LOCAL
        or (address in _COMPATIBLE and int(address) > 1)
    ):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def _invalid(text: str) -> CommandError:
    return CommandError(ErrorCode.INVALID_URL, text, field="url")


def _blocked(text: str) -> CommandError:
    return CommandError(ErrorCode.BLOCKED_ADDRESS, text, field="url")


def _inside(host: str) -> CommandError:
    return _blocked(
        f"{host} is an address inside the network, which is not allowed. An administrator can add "
        "it to security.allowed_hosts, or set security.allow_private_addresses."
    )
