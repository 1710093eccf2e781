"""Which IP addresses a source may never lead to, and which hosts belong together.

Pure rules: nothing is resolved and nothing is connected here. `digest.sources.http` asks
`refused_because` about the very address that it is about to connect to.
"""

import ipaddress

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `ipaddress` calls some of these global, because the registry's "globally reachable" says nothing
# of the IPv4 address that hides in them (NAT64, 6to4, Teredo) or of what newer registries hold.
_REFUSED: tuple[tuple[str, str], ...] = (
    ("100.64.0.0/10", "shared by a provider's customers"),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("::/96", "an old form of an IPv4 address"),
    ("64:ff9b::/96", "an IPv4 address behind NAT64"),
    ("64:ff9b:1::/48", "an IPv4 address behind local NAT64"),
    ("2001::/32", "a Teredo tunnel"),
    ("2002::/16", "a 6to4 tunnel"),
    ("3fff::/20", "for documentation only"),
    ("fec0::/10", "site-local"),
)
_NETWORKS = tuple((ipaddress.ip_network(network), reason) for network, reason in _REFUSED)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def refused_because(ip: str) -> str | None:
    """Say why a source may not be reached at `ip`, or None when it may.

    The rule: only global unicast addresses, and none that wraps another
    address. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) is judged as what it is.

    Args:
        ip: An address in any spelling that `ipaddress` reads; a zone (`%eth0`) is allowed.

    Returns:
        Words that complete "its address is …", or None.
    """
    try:
        address: _Address = ipaddress.ip_address(ip)
    except ValueError:
        return "not an IP address"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    if address.is_multicast:
        return "a multicast address"
    if address.is_loopback:
        return "this computer's own"
    if address.is_link_local:
        return "link-local"
    for network, reason in _NETWORKS:
        if address in network:
            return reason
    if not address.is_global or (address.version == 6 and address not in _GLOBAL_UNICAST):
        return "not on the public internet"
    return None


def same_site(one: str, other: str) -> bool:
    """Say whether two host names belong to one owner, as far as the names can prove it.

    They do when they are equal apart from `www.`, or when one is below the other. Siblings
    (`a.example.com`, `b.example.com`) do not: without a list of public suffixes nobody can tell
    them from two customers of one hoster, and a wrong yes gives a feed away for ever.
    IP addresses only equal themselves.
    """
    if _is_address(one) or _is_address(other):
        return one == other
    one, other = (host.lower().rstrip(".").removeprefix("www.") for host in (one, other))
    short, long = sorted((one, other), key=len)
    return short == long or ("." in short and long.endswith(f".{short}"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
