"""Which URLs are accepted, and which addresses may be connected to."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import (
    basic_authorization,
    check_address,
    check_url,
    hide_logins,
    matches,
    read_target,
)

CLOSED = SecuritySettings()
OPEN = SecuritySettings(allow_private_addresses=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "nas",
        "nas.local",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
    ],
)
def test_every_spelling_of_an_inside_address_is_refused(host: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_url(f"http://{host}/x", CLOSED)
    assert caught.value.code == "blocked_address", caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "https://user:secret@exa mple.com/x",
        "https://user:secret@/x",
        "https://user:secret@example.com:99999/x",
        "https://example.com:99999/x",
        "https://exa mple.com/x",
        "https://a.example/1 https://a.example/2",
        "https://example.com/\nx",
        "https://example.com\\@127.0.0.1/",
        "https://[::1/x",
        "https://example.com/" + "x" * 5000,
        "https://1.2.3.4.5/",
        "https://a..b/",
        "https://example.com/\ud800",
    ],
)
def test_what_is_not_a_web_url_is_refused(url: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_url(url, CLOSED)
    assert caught.value.code == "invalid_url"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Example.COM/Path?q=1#t", "https://example.com/Path?q=1#t"),
        ("https://example.com", "https://example.com/"),
        ("http://example.com:8080/x", "http://example.com:8080/x"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://93.184.216.34/x", "https://93.184.216.34/x"),
        ("https://[2606:2800:220:1::1]/x", "https://[2606:2800:220:1::1]/x"),
        ('https://example.com/a"b|c', "https://example.com/a%22b%7Cc"),
        (
            "https://example.com/my video.mp4?a=b c#d e",
            "https://example.com/my%20video.mp4?a=b%20c#d%20e",
        ),
        # amitshekhariitbhu/Fast-Android-Networking#422: a file with `%` in its name is not found
        (
            "https://example.com/100% real%20%C3%BC.mp4",
            "https://example.com/100%25%20real%20%C3%BC.mp4",
        ),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com?q=1", "https://example.com/?q=1"),
        ("HTTP://user:pa%20ss@example.com:80/x", "http://example.com:80/x"),
        ("http://a:b@c@example.com/x", "http://example.com/x"),
    ],
)
def test_outside_urls_are_accepted_in_their_normal_form(url: str, normal: str) -> None:
    assert check_url(url, CLOSED) == normal


@pytest.mark.parametrize("name", ["\u00fcber", "u\u0308ber", "\ufb01n", "\u212b", "\u1e9b\u0323"])
def test_unicode_is_normalised_in_the_host_only(name: str) -> None:
    # A server compares the bytes of a name; browsers and curl send what is written.
    assert check_url(f"https://example.com/{name}?q={name}", CLOSED).count(name) == 2
    assert check_url(f"https://{name}.example/", CLOSED).isascii()


def test_user_name_and_password_are_kept_apart_from_the_url() -> None:
    target = read_target("https://a%40b:p@ss:w%C3%B6rd@example.com/x", CLOSED)
    assert target.url == "https://example.com/x"
    assert target.login == "a%40b:p@ss:w%C3%B6rd"
    assert "ss" not in repr(target)
    assert (
        base64.b64decode(basic_authorization(target.login).split()[1]).decode()
        == "a@b:p@ss:w\u00f6rd"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Not at http://me:pa55@host/x or https://k3y@host",
            "Not at http://host/x or https://host",
        ),
        ("http://me:p@55@host/a@b", "http://host/a@b"),
        ("write to me@host", "write to me@host"),
    ],
)
def test_a_text_is_shown_without_the_passwords_of_its_urls(text: str, shown: str) -> None:
    assert hide_logins(text) == shown


def test_an_allowed_host_or_network_may_be_inside() -> None:
    allowed = SecuritySettings(allowed_hosts=("nas.local", "192.168.1.0/24"))
    assert check_url("http://nas.local/x", allowed)
    assert check_url("http://media.nas.local/x", allowed)
    assert check_url("http://192.168.1.7/x", allowed)
    for host in ("evilnas.local", "192.168.2.7"):
        with pytest.raises(CommandError):
            check_url(f"http://{host}/x", allowed)


def test_a_blocked_host_stays_blocked_whatever_is_allowed() -> None:
    blocked = OPEN.model_copy(update={"blocked_hosts": ("example.com", "10.0.0.0/8")})
    for url in ("https://example.com/", "https://www.example.com/", "http://10.1.2.3/"):
        with pytest.raises(CommandError) as caught:
            check_url(url, blocked)
        assert caught.value.code == "blocked_address"


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "169.254.1.1"])
def test_the_address_connected_to_is_judged_like_the_written_one(address: str) -> None:
    with pytest.raises(CommandError):
        check_address(address, CLOSED)
    check_address(address, OPEN)
    check_address(address, CLOSED, exempt=True)


def rfc6052(prefix: str, length: int, inner: ipaddress.IPv4Address) -> str:
    """Return an IPv4 address in an IPv6 one, as RFC 6052 puts it behind a prefix of a length."""
    bits = f"{int(ipaddress.IPv6Address(prefix)):0128b}"[:length] + f"{int(inner):032b}"
    if length < 96:
        bits = bits[:64] + "0" * 8 + bits[64:]  # the octet that stays empty
    return str(ipaddress.IPv6Address(int(bits.ljust(128, "0"), 2)))


CLOTHES: dict[str, Callable[[ipaddress.IPv4Address], str]] = {
    "mapped": lambda inner: f"::ffff:{inner}",
    "translated": lambda inner: f"::ffff:0:{inner}",
    "compatible": lambda inner: f"::{inner}",
    "6to4": lambda inner: str(ipaddress.IPv6Address(0x2002 << 112 | int(inner) << 80 | 1)),
    "Teredo server": lambda inner: str(
        ipaddress.IPv6Address(0x20010000 << 96 | int(inner) << 64 | (0xF7F7F7F7))
    ),
    "Teredo client": lambda inner: str(
        ipaddress.IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | int(inner) ^ 0xFFFFFFFF)
    ),
    "ISATAP": lambda inner: str(
        ipaddress.IPv6Address(0x26064700 << 96 | 0x5EFE << 32 | int(inner))
    ),
    "ISATAP, global": lambda inner: str(
        ipaddress.IPv6Address(0x26064700 << 96 | 0x02005EFE << 32 | int(inner))
    ),
    "NAT64": lambda inner: rfc6052("64:ff9b::", 96, inner),
    **{
        f"local NAT64 /{length}": partial(rfc6052, "64:ff9b:1::", length)
        for length in (48, 56, 64, 96)
    },
    "local NAT64 /96 of a site": lambda inner: rfc6052("64:ff9b:1:0:ab:cd::", 96, inner),
}
INSIDE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]


@pytest.mark.parametrize("clothes", CLOTHES)
@given(data=st.data())
def test_an_inside_address_is_refused_in_all_its_ipv6_clothes(
    clothes: str, data: st.DataObject
) -> None:
    network = data.draw(st.sampled_from(INSIDE[1:]))
    inner = data.draw(st.ip_addresses(v=4, network=network))
    address = CLOTHES[clothes](ipaddress.IPv4Address(int(inner)))
    for check in (
        lambda: check_address(address, CLOSED),
        lambda: check_url(f"http://[{address}]/", CLOSED),
    ):
        with pytest.raises(CommandError) as caught:
            check()
        assert caught.value.code == "blocked_address"
    check_address(address, OPEN)


@pytest.mark.parametrize("clothes", ["mapped", "6to4", "Teredo client", "NAT64", "local NAT64 /96"])
def test_an_outside_address_is_reached_in_its_ipv6_clothes(clothes: str) -> None:
    check_address(CLOTHES[clothes](ipaddress.IPv4Address("93.184.216.34")), CLOSED)


@pytest.mark.parametrize(
    "network",
    [
        *INSIDE,
        "::/127",
        "100::/64",
        "2001:2::/48",
        "2001:db8::/32",
        "3fff::/20",
        "4000::/3",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ],
)
@given(data=st.data())
def test_every_address_that_is_not_of_the_internet_is_refused(
    network: str, data: st.DataObject
) -> None:
    address = str(data.draw(st.ip_addresses(network=network)))
    with pytest.raises(CommandError):
        check_address(address, CLOSED)


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(text: str) -> None:
    for url in (text, f"https://{text}/x", f"https://example.com/{text}"):
        try:
            assert check_url(url, CLOSED).startswith(("http://", "https://"))
        except CommandError as error:
            assert error.code in {"invalid_url", "blocked_address"}  # noqa: PT017 - both outcomes are right


@given(st.ip_addresses())
def test_no_inside_address_gets_through_as_a_url(address: object) -> None:
    host = f"[{address}]" if ":" in str(address) else str(address)
    try:
        check_url(f"http://{host}/", CLOSED)
    except CommandError:
        return
    check_address(str(address), CLOSED)


@pytest.mark.parametrize(
    "entry", ["bücher.example", "BÜCHER.example.", "*.bücher。example", "xn--bcher-kva.example"]
)
@pytest.mark.parametrize("host", ["bücher.example", "www.Bücher.example", "xn--bcher-kva.example"])
def test_a_blocked_host_is_blocked_in_each_form_of_its_name(entry: str, host: str) -> None:
    with pytest.raises(CommandError, match=r"security\.blocked_hosts"):
        check_url(f"http://{host}/", SecuritySettings(blocked_hosts=(entry,)))


def test_a_blocked_host_is_blocked_by_both_editions_of_idna() -> None:
    # requests asks for straße.example by the edition of 2008, Python's codec by that of 2003.
    for host in ("strasse.example", "xn--strae-oqa.example"):
        assert matches(host, ("straße.example",))
    assert not matches("strase.example", ("straße.example",))
