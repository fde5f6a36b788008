"""Decides which URLs are accepted and which addresses may be connected to.

`check_url` checks the text only, without DNS, so it may run on the event loop. `check_address`
checks the address of a connection, which covers DNS answers and redirects (`engine.patches`).
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

import idna

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings

MAX_URL: Final = 4096
MAX_PICTURE_URL: Final = 2048
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_6TO4: Final = ipaddress.IPv6Network("2002::/16")
# IPv6 networks whose addresses embed an IPv4 address in the last 32 bits: mapped (RFC 4291),
# translated (RFC 2765), compatible (RFC 4291, deprecated), NAT64 (RFC 6052).
_TAILED: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96")
)
_LOOPBACK: Final = ipaddress.IPv6Address("::1")
_ISATAP: Final = frozenset((0x00005EFE, 0x02005EFE))
# Global unicast; everything else counts as internal. `is_global` differs between versions of
# Python: _RESERVED lists what the older ones lack.
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
_DOTS: Final = "\u3002\uff0e\uff61"  # that IDNA takes for a full stop
_FORBIDDEN: Final = re.compile(rf"{texts.UNFIT.pattern}|\\")
_NOT_IN_HOST: Final = re.compile(rf"{_FORBIDDEN.pattern}|\s")
_QUOTED: Final = {ord(char): f"%{ord(char):02X}" for char in ' <>"^`{|}'}
_PARTS: Final = re.compile(r"(https?)://([^/?#]*)(.*)", re.IGNORECASE)
# Up to the last `@`: a password may contain one. A space ends it in a text.
_LOGIN: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_SECOND_URL: Final = re.compile(r"\shttps?://", re.IGNORECASE)
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORTS: Final = {"http": 80, "https": 443}
_NUMERIC: Final = re.compile(
    r"^(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?$", re.IGNORECASE
)


@dataclass(frozen=True)
class Target:
    """A checked URL without user name and password, and these by themselves.

    ``login`` is ``user:password`` as it was written, percent-encoded. It is a secret: it is kept
    out of the URL so that the URL may be published.
    """

    url: str
    login: str | None = field(default=None, repr=False)


def check_url(url: str, security: SecuritySettings) -> str:
    """Return what `read_target` does, without user name and password."""
    return read_target(url, security).url


def read_target(url: str, security: SecuritySettings) -> Target:
    """Validate a URL; normalise its host, and leave the rest as it was written.

    Only what no URL may contain is percent-encoded; Unicode is not normalised, as a server compares
    the bytes of a name. Raises `CommandError`: `invalid_url` if it is not an http or https URL with
    a host, `blocked_address` if its host is an internal address in any notation.
    """
    text = url.strip()
    if len(text) > MAX_URL:
        raise _invalid(f"The URL is longer than {MAX_URL} characters.")
    if _FORBIDDEN.search(text):
        raise _invalid("The URL holds a control character or a backslash.")
    match = _PARTS.fullmatch(text)
    if match is None:
        raise _invalid("Only http and https URLs are accepted.")
    if _SECOND_URL.search(text):
        raise _invalid("The text holds several URLs. Send them one at a time.")
    scheme, authority, rest = match.groups()
    userinfo, _, place = authority.rpartition("@")
    try:
        parts = urlsplit(f"//{place.translate(_QUOTED)}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _invalid("The URL is malformed: its host or port is invalid.") from None
    host = normal_host(host)
    check_host(host, security)
    bracketed = f"[{host}]" if ":" in host else host
    netloc = f"{bracketed}:{port}" if port is not None else bracketed
    # A `%` that encodes nothing would make the HTTP library encode the whole URL once more.
    path = _STRAY_PERCENT.sub("%25", rest if rest.startswith("/") else f"/{rest}")
    return Target(f"{scheme.lower()}://{netloc}{path.translate(_QUOTED)}", userinfo or None)


def split_login(url: str) -> tuple[str, str | None]:
    """Return any URL without user name and password, and these."""
    match = _PARTS.fullmatch(url.strip())
    if match is None or "@" not in match[2]:
        return url, None
    login, _, place = match[2].rpartition("@")
    return f"{match[1]}://{place}{match[3]}", login


def hide_logins(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    return _LOGIN.sub("", text)


def basic_authorization(login: str) -> str:
    """Return the value of the header ``Authorization`` for a login."""
    user, _, password = login.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of an http or https URL; None for other texts."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        port = parts.port or _PORTS.get(scheme)
        return (scheme, normal_host(parts.hostname or ""), port) if scheme in _PORTS else None
    except (ValueError, CommandError):
        return None


def check_picture(url: object, security: SecuritySettings) -> str | None:
    """Validate and normalise the URL of a thumbnail; return None if it must not be fetched."""
    try:
        if not isinstance(url, str) or not url or len(url) > MAX_PICTURE_URL or " " in url:
            return None
        target = read_target(url, security)
    except CommandError:
        return None
    # A thumbnail's URL is published; without its password it would lead nowhere.
    return target.url if target.login is None else None


def host_of(url: str) -> str | None:
    """Return a URL's host, or None."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def site_of(host: str | None, sites: Iterable[str]) -> str | None:
    """Return the most specific site that matches the host."""
    host = (host or "").lower()
    matching = [s for s in sites if host == s.lower() or host.endswith(f".{s.lower()}")]
    return max(matching, key=len, default=None)


def check_link(url: str, security: SecuritySettings) -> None:
    """Reject a URL found by yt-dlp if it has no host or an internal one.

    Less strict than `check_url`: pages use URLs with spaces and passwords.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise _invalid("The page contains a malformed URL.") from None
    check_host(normal_host(host), security)


def normal_host(host: str) -> str:
    """Normalise a host as a resolver would: decoded, folded, IDNA, without a trailing dot."""
    decoded = unicodedata.normalize("NFKC", unquote(host)).lower().rstrip(".")
    for dot in _DOTS:
        decoded = decoded.replace(dot, ".")
    if not decoded or _NOT_IN_HOST.search(decoded) or set(decoded) & set("/?#@"):
        raise _invalid("The URL has no valid host.")
    if ":" in decoded:
        return decoded.strip("[]")
    try:
        ascii_host = decoded.encode("idna").decode("ascii") if not decoded.isascii() else decoded
    except UnicodeError:
        raise _invalid("The URL's host name is invalid.") from None
    labels = ascii_host.split(".")
    if not re.fullmatch(r"[a-z0-9_.-]{1,253}", ascii_host) or not all(labels):
        raise _invalid("The URL's host name is invalid.")
    return ascii_host


def check_host(host: str, security: SecuritySettings) -> None:
    """Reject a normalised host that is blocked, or that is an internal name or address."""
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
    """Parse a host that is an address in any notation; return None for a name.

    Includes the decimal, octal, hexadecimal and short forms of IPv4 (``2130706433``, ``0x7f.1``)
    that the C library accepts, see inet_aton(3).
    """
    if ":" in host:
        try:
            return ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            raise _invalid("The URL's IPv6 address is invalid.") from None
    if not _NUMERIC.match(host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        raise _invalid("The URL's host is neither a valid name nor a valid address.") from None


def check_address(
    address: str,
    security: SecuritySettings,
    *,
    exempt: bool = False,
    is_own: Callable[[Address], bool] = lambda _: False,
) -> None:
    """Reject an address that is blocked or internal.

    ``exempt``: its host is in allowed_hosts. ``is_own`` tells this machine's and its neighbours'
    addresses, which are internal, too.
    """
    outer = ipaddress.ip_address(address.partition("%")[0])
    embedded = _embedded(outer)
    for candidate in (outer, *embedded):
        if matches(str(candidate), security.blocked_hosts):
            raise _blocked(f"The address {candidate} is blocked by security.blocked_hosts.")
    if security.allow_private_addresses or exempt:
        return
    for candidate in embedded if _only_embeds(outer) else (outer, *embedded):
        inside = not _is_global(candidate) or is_own(candidate)
        if inside and not matches(str(candidate), security.allowed_hosts):
            raise _inside(str(candidate))


def matches(host: str, entries: tuple[str, ...]) -> bool:
    """Whether a host or address equals an entry, is its subdomain, or is in its network."""
    for entry in entries:
        text = entry.strip().lower().rstrip(".").strip("[]")
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            if any(host == name or host.endswith(f".{name}") for name in _forms(text)):
                return True
            continue
        try:
            if ipaddress.ip_address(host) in network:
                return True
        except ValueError:
            continue
    return False


@lru_cache(maxsize=256)
def _forms(entry: str) -> frozenset[str]:
    """Return the names that a host in a setting may be asked for by: IDNA of 2003 and of 2008.

    They differ for a few letters: straße.example is strasse.example, or xn--strae-oqa.example.
    """
    name = unicodedata.normalize("NFKC", entry).lower().removeprefix("*.")
    for dot in _DOTS:
        name = name.replace(dot, ".")
    names = {name}
    with suppress(UnicodeError):
        names.add(name.encode("idna").decode("ascii"))
    with suppress(UnicodeError):
        names.add(idna.encode(name, uts46=True).decode("ascii"))
    return frozenset(names - {""})


def _is_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _INTERNET:
        return False
    reserved = any(address in network for network in _RESERVED)
    return address.is_global and not address.is_multicast and not reserved


def _only_embeds(address: Address) -> bool:
    """Whether an IPv6 address is only a form of an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= int(_LOOPBACK):
        return False
    return any(address in network for network in (*_TAILED, _NAT64_LOCAL, _TEREDO, _6TO4))


def _embedded(address: Address) -> list[Address]:
    """Return the IPv4 addresses that an IPv6 address may embed."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    number = int(address)
    embedded = set()
    if any(address in network for network in _TAILED) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        embedded.add(number & 0xFFFFFFFF)
    if address in _6TO4:
        embedded.add(number >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:  # the server's and the client's
        embedded |= {number >> 64 & 0xFFFFFFFF, number & 0xFFFFFFFF ^ 0xFFFFFFFF}
    if address in _NAT64_LOCAL:
        embedded |= _nat64_targets(number)
    return [ipaddress.IPv4Address(value) for value in sorted(embedded)]


def _nat64_targets(number: int) -> set[int]:
    """Return the IPv4 addresses a local NAT64 may translate to, for each possible prefix length.

    RFC 6052: the IPv4 address follows the prefix and skips bits 64 to 71.
    """
    targets = {number & 0xFFFFFFFF}
    lower = number & 0x00FFFFFFFFFFFFFF
    for length in (48, 56, 64):
        whole = (number >> 64) << 56 | lower  # 120 bits
        inner = whole >> (120 - length - 32) & 0xFFFFFFFF
        if inner >> 24:  # 0.0.0.0/8: only the zeros after a prefix, not a target
            targets.add(inner)
    return targets


def _invalid(text: str) -> CommandError:
    return CommandError(ErrorCode.INVALID_URL, text, field="url")


def _blocked(text: str) -> CommandError:
    return CommandError(ErrorCode.BLOCKED_ADDRESS, text, field="url")


def _inside(host: str) -> CommandError:
    return _blocked(
        f"{host} is an address inside the network, which is not allowed. An administrator can add "
        "it to security.allowed_hosts, or set security.allow_private_addresses."
    )
