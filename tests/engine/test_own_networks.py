"""A global address may be this machine's own, or its neighbour's."""

from __future__ import annotations

import ipaddress

import ifaddr
import pytest

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_address
from mediarip_mqtt.engine import own_networks


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_networks, "FRESH", -1.0)


def connect(
    monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str | tuple[str, int, int], int]
) -> None:
    """Let the machine have these addresses, each with the length of its network's prefix."""
    ips = [ifaddr.IP(ip, length, "eth0") for ip, length in addresses]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", ips)])


def inside(address: str, **settings: object) -> bool:
    try:
        security = SecuritySettings.model_validate(settings)
        check_address(address, security, is_own=own_networks.is_own)
    except CommandError:
        return True
    return False


def test_this_machine_has_an_address() -> None:
    assert own_networks.is_own(ipaddress.ip_address("127.0.0.1"))
    assert not own_networks.is_own(ipaddress.ip_address("2606:2800:220:1::34"))


def test_global_addresses_of_the_home_are_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, (("2a02:8106:1:2::1", 0, 0), 64), ("93.184.216.34", 29))
    assert inside("2a02:8106:1:2::1")
    assert inside("2a02:8106:1:2:dead::beef")  # a neighbour
    assert inside("93.184.216.33")
    assert inside("::ffff:93.184.216.34")
    assert not inside("2a02:8106:1:3::1")
    assert not inside("93.184.216.41")
    assert not inside("2a02:8106:1:2::1", allowed_hosts=["2a02:8106:1:2::/64"])


def test_a_new_prefix_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, (("2a02:8106:1:2::1", 0, 0), 64))
    assert not inside("2a02:8106:9:9::1")
    connect(monkeypatch, (("2a02:8106:9:9::1", 0, 0), 64))
    assert inside("2a02:8106:9:9::1")


def test_a_tunnel_that_has_the_whole_internet_does_not_block_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, ("93.184.216.34", 0), (("2a02:8106::1", 0, 0), 3))
    assert not inside("1.1.1.1")
    assert not inside("2606:2800:220:1::34")
    assert inside("93.184.216.34")
    assert inside("2a02:8106::1")
