"""Which URLs are accepted and which addresses connected to.

`check_url` looks at what is written, without DNS: it runs on the event loop. `check_address` looks
at the address really connected to, which covers DNS answers and redirects (`engine.patches`).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings

MAX_URL: Final = 4096
MAX_PICTURE_URL: Final = 2048
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_6TO4: Final = ipaddress.IPv6Network("2002::/16")
# IPv6 addresses that end in the IPv4 address they lead to: mapped (RFC 4291), translated (RFC
# 2765), compatible (RFC 4291, deprecated), NAT64 (RFC 6052).
_TAILED: Final = tuple(
    ipaddress.IPv6Network(one)
    for one in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96")
)
_LOOPBACK: Final = ipaddress.IPv6Address("::1")
_ISATAP: Final = frozenset((0x00005EFE, 0x02005EFE))
# The internet's: what is not allocated is nobody's, or one's own. `is_global` differs between
# Python's versions; what the older ones lack is below.
_INTERNET: Final = ipaddress.IPv6Network("2000::/3")
_RESERVED: Final[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = (
    ipaddress.IPv4Network("0.0.0.0/8"),
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("192.88.99.0/24"),
    ipaddress.IPv6Network("2001::/23"),
    ipaddress.IPv6Network("3fff::/20"),
)
_LOCAL_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet")
_FORBIDDEN: Final = re.compile(rf"{texts.UNFIT.pattern}|[ \\]")
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


def check_picture(url: object, security: SecuritySettings) -> str | None:
    """Return the URL of a picture in its normal form; None where it may not be asked for."""
    try:
        short = isinstance(url, str) and len(url) <= MAX_PICTURE_URL
        return check_url(str(url), security) if url and short else None
    except CommandError:
        return None


def host_of(url: str) -> str | None:
    """Return the host that a URL names; None where it names none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def site_of(host: str | None, sites: Iterable[str]) -> str | None:
    """Return the one of some sites to which a host belongs: the most exact."""
    host = (host or "").lower()
    found = [site for site in sites if host == site.lower() or host.endswith(f".{site.lower()}")]
    return max(found, key=len, default=None)


def check_link(url: str, security: SecuritySettings) -> None:
    """Refuse a URL that a page gave, where it has no host or an inside one; else it is yt-dlp's.

    Less is asked of it than of what a sender writes: pages put spaces and passwords into theirs.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise _invalid("The page gives a URL that can't be read.") from None
    check_host(normal_host(host), security)


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
    carried = _carried(found)
    for one in (found, *carried):
        if matches(str(one), security.blocked_hosts):
            raise _blocked(f"The address {one} is blocked by security.blocked_hosts.")
    if security.allow_private_addresses or exempt:
        return
    for one in carried if _carries(found) else (found, *carried):
        if not _is_outside(one) and not matches(str(one), security.allowed_hosts):
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


def _is_outside(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _INTERNET:
        return False
    reserved = any(address in network for network in _RESERVED)
    return address.is_global and not address.is_multicast and not reserved


def _carries(address: Address) -> bool:
    """Whether an IPv6 address is nothing but the clothes of an IPv4 one."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= int(_LOOPBACK):
        return False
    return any(address in one for one in (*_TAILED, _NAT64_LOCAL, _TEREDO, _6TO4))


def _carried(address: Address) -> list[Address]:
    """Return the IPv4 addresses that an IPv6 address may lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    number = int(address)
    found = set()
    if any(address in one for one in _TAILED) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.add(number & 0xFFFFFFFF)
    if address in _6TO4:
        found.add(number >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:  # the server's, and the client's
        found |= {number >> 64 & 0xFFFFFFFF, number & 0xFFFFFFFF ^ 0xFFFFFFFF}
    if address in _NAT64_LOCAL:
        found |= _translated(number)
    return [ipaddress.IPv4Address(one) for one in sorted(found)]


def _translated(number: int) -> set[int]:
    """Return what a local NAT64 may make of an address: the length of its prefix is not known.

    RFC 6052 puts the address behind the prefix and leaves out bits 64 to 71.
    """
    found = {number & 0xFFFFFFFF}
    lower = number & 0x00FFFFFFFFFFFFFF
    for length in (48, 56, 64):
        whole = (number >> 64) << 56 | lower  # 120 bits
        inner = whole >> (120 - length - 32) & 0xFFFFFFFF
        if inner >> 24:  # 0.0.0.0/8 is what the zeros behind a prefix look like, and leads nowhere
            found.add(inner)
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
