"""Which addresses a source may lead to: an explicit table, and the law behind it."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.sources.addresses import refused_because, same_site

# Written from the registries of special addresses, not from what `ipaddress` says of them.
SPECIAL_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
SPECIAL_V6 = [
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
PUBLIC = [
    "1.1.1.1",
    "11.0.0.1",
    "93.184.216.34",
    "172.32.0.1",
    "192.167.255.255",
    "223.255.255.255",
]


def inside(networks: list[str]) -> st.SearchStrategy[str]:
    """Return addresses inside one of the networks, their edges among them."""

    def of(network: str) -> st.SearchStrategy[str]:
        net = ipaddress.ip_network(network)
        kind = type(net.network_address)
        first, last = int(net.network_address), int(net.broadcast_address)
        return st.integers(first, last).map(lambda number: str(kind(number)))

    return st.sampled_from(networks).flatmap(of)


def wrappings(v4: str) -> list[str]:
    """Return the ways in which an IPv6 address can hide this IPv4 one."""
    number = int(ipaddress.IPv4Address(v4))
    high, low = number >> 16, number & 0xFFFF
    return [
        f"::ffff:{v4}",
        f"::ffff:{high:x}:{low:x}",
        f"0:0:0:0:0:FFFF:{high:04X}:{low:04X}",
        f"::ffff:{v4}%eth0",
        f"::{v4}",
        f"::ffff:0:{v4}",
        f"64:ff9b::{v4}",
        f"64:ff9b:1::{v4}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::1",
        f"2001:0:1:1::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
    ]


@given(inside(SPECIAL_V4) | inside(SPECIAL_V6))
def test_no_special_address_may_be_reached(ip: str) -> None:
    assert refused_because(ip)
    assert refused_because(ipaddress.ip_address(ip).exploded)


@given(inside(SPECIAL_V4), st.integers(0, 10))
@example("127.0.0.1", 0)
def test_no_wrapping_of_a_special_address_may_be_reached(v4: str, way: int) -> None:
    assert refused_because(wrappings(v4)[way])


@given(st.ip_addresses(v=6).filter(lambda ip: ip not in ipaddress.IPv6Network("2000::/3")))
def test_only_global_unicast_may_be_reached_over_ipv6(ip: ipaddress.IPv6Address) -> None:
    if ip.ipv4_mapped:
        assert refused_because(str(ip)) == refused_because(str(ip.ipv4_mapped))
    else:
        assert refused_because(str(ip))


@pytest.mark.parametrize("v4", PUBLIC)
def test_a_public_address_may_be_reached_and_hidden_in_none_but_the_plain_mapping(v4: str) -> None:
    assert refused_because(v4) is None
    mapped, hidden = wrappings(v4)[:4], wrappings(v4)[4:]
    assert [refused_because(ip) for ip in mapped] == [None] * 4
    assert all(refused_because(ip) for ip in hidden)


@pytest.mark.parametrize("v6", ["2600::1", "2a00:1450:4001::8a", "2606:4700:4700::1111"])
def test_a_public_ipv6_address_may_be_reached(v6: str) -> None:
    assert refused_because(v6) is None


@pytest.mark.parametrize(
    ("ip", "words"),
    [
        ("127.0.0.1", "this computer's own"),
        ("::1", "this computer's own"),
        ("::7f00:1", "an old form of an IPv4 address"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("10.0.0.1", "not on the public internet"),
        ("fd00::1", "not on the public internet"),
        ("100.64.0.1", "shared by a provider's customers"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("64:ff9b::7f00:1", "an IPv4 address behind NAT64"),
        ("2002:7f00:1::", "a 6to4 tunnel"),
        ("2001:0:7f00:1::", "a Teredo tunnel"),
        ("fec0::1", "site-local"),
        ("", "not an IP address"),
        ("2130706433", "not an IP address"),
        ("news.example.com", "not an IP address"),
    ],
)
def test_the_reason_is_one_that_a_person_understands(ip: str, words: str) -> None:
    assert refused_because(ip) == words


@given(st.text() | st.binary(max_size=16).map(lambda b: b.hex(":", 2)))
def test_what_is_no_address_is_refused(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert refused_because(text) == "not an IP address"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com.", True),
        ("www.example.com", "example.com", True),
        ("feeds.example.com", "example.com", True),
        ("www.example.com", "feeds.example.com", True),
        ("a.example.com", "b.example.com", False),
        ("example.com", "badexample.com", False),
        ("example.com", "example.com.evil.test", False),
        ("example.com", "example.org", False),
        ("com", "example.com", False),
        ("localhost", "feeds.localhost", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("0.2.1", "192.0.2.1", False),
        ("2.1", "192.0.2.1", False),
        ("2600::1", "2600::1", True),
        ("2600::1", "2600::2", False),
    ],
)
def test_hosts_belong_together_only_as_far_as_their_names_prove_it(
    one: str, other: str, same: bool
) -> None:
    assert same_site(one, other) is same
    assert same_site(other, one) is same
