"""A feed leads to the public internet or nowhere, however it names the place."""

import datetime as dt
import ipaddress
import socket
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import SourceRefused
from digest.sources.connections import Network
from tests.loopback import Loopback, Reply, SmallInternet, make_client

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PUBLIC = "11.0.0.1"
PRIVATE = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        server.pages["/"] = Reply(body=b"body")
        yield server


@pytest.fixture
def sink() -> Iterator[Loopback]:
    """Somewhere that nobody may go."""
    with Loopback() as sink:
        sink.pages["/"] = Reply(body=b"secret")
        yield sink


def numeric(host: str, _port: int) -> Sequence[str]:
    """Read numbers as the system's resolver does: decimal, octal or hex, one to four of them."""
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        socket.inet_pton(socket.AF_INET6, host)
        return [host]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
    ],
)
def test_this_computer_is_not_asked(sink: Loopback, host: str) -> None:
    url = f"http://{host}:{sink.port}/"
    with pytest.raises(SourceRefused, match="was not asked, because its address is") as caught:
        make_client().get(url, now=NOW)
    assert "allow_private" in caught.value.hint
    assert sink.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00::1]",
        "[ff02::1]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "169.254.169.254",
        "2852039166",
        "224.0.0.1",
        "255.255.255.255",
        "100.64.0.1",
        "192.168.1.1",
    ],
)
@pytest.mark.parametrize("by_redirect", [False, True])
def test_no_spelling_of_an_inner_address_is_dialled(
    server: Loopback, host: str, by_redirect: bool
) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)

    def resolve(name: str, port: int) -> Sequence[str]:
        known = name in internet.names
        return internet.resolve(name, port) if known else numeric(name.rstrip("."), port)

    url = f"http://{host}/"
    if by_redirect:
        location = url.encode().decode("latin-1")
        server.pages["/"] = Reply(302, headers={"Location": location})
        url = "http://news.example.com/"
    with pytest.raises(SourceRefused, match="was not asked, because its address is"):
        make_client(network=Network(resolve, internet.dial)).get(url, now=NOW)
    assert internet.dialled == ([(PUBLIC, 80)] if by_redirect else [])


@given(
    network=st.sampled_from(PRIVATE),
    number=st.integers(0, 2**24 - 1),
    parts=st.integers(1, 4),
    bases=st.lists(st.sampled_from(["{:d}", "0x{:x}", "0X{:X}", "0{:o}"]), min_size=4, max_size=4),
)
def test_no_way_to_write_a_private_address_leads_to_it(
    network: str, number: int, parts: int, bases: list[str]
) -> None:
    inner = ipaddress.IPv4Network(network)
    value = int(inner.network_address) + number % inner.num_addresses
    octets = list(value.to_bytes(4, "big"))
    numbers = [*octets[: parts - 1], int.from_bytes(octets[parts - 1 :], "big")]
    host = ".".join(base.format(n) for base, n in zip(bases, numbers, strict=False))
    internet = SmallInternet()
    client = make_client(network=Network(numeric, internet.dial))
    with pytest.raises(SourceRefused, match="was not asked"):
        client.get(f"http://{host}/feed", now=NOW)
    assert internet.dialled == []


def test_a_name_with_one_inner_address_among_public_ones_is_not_asked(server: Loopback) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    internet.names["news.example.com"] = [PUBLIC, "10.0.0.1"]
    with pytest.raises(SourceRefused, match=r"news\.example\.com was not asked"):
        make_client(network=internet.network).get("http://news.example.com/", now=NOW)
    assert internet.dialled == []


def test_a_name_that_changes_its_address_gains_nothing(server: Loopback, sink: Loopback) -> None:
    internet = SmallInternet()
    internet.servers = {PUBLIC: server, "127.0.0.1": sink}
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    client = make_client(network=Network(lambda *_: next(answers), internet.dial))
    assert client.get("http://news.example.com/", now=NOW).body == b"body"
    assert internet.dialled == [(PUBLIC, 80)]
    with pytest.raises(SourceRefused, match="this computer's own"):
        client.get("http://news.example.com/", now=NOW)
    assert internet.dialled == [(PUBLIC, 80)]
    assert sink.connections == 0


@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_name_inside_is_not_followed(
    server: Loopback, sink: Loopback, status: int, inner: str
) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    internet.put("inside.example.com", inner, sink)
    server.pages["/"] = Reply(status, headers={"Location": "http://inside.example.com/"})
    with pytest.raises(SourceRefused, match=r"inside\.example\.com was not asked"):
        make_client(network=internet.network).get("http://news.example.com/", now=NOW)
    assert internet.dialled == [(PUBLIC, 80)]
    assert sink.connections == 0


def test_an_allowed_private_host_leads_only_to_what_is_allowed_too(server: Loopback) -> None:
    with Loopback("127.0.0.2", server.port) as other:
        other.pages["/"] = Reply(body=b"other")
        server.pages["/"] = Reply(302, headers={"Location": other.url()})
        with pytest.raises(SourceRefused, match=r"127\.0\.0\.2 was not asked"):
            make_client(server).get(server.url(), now=NOW)
        assert other.connections == 0
        assert make_client(server, other).get(server.url(), now=NOW).body == b"other"


def test_a_public_host_does_not_lead_to_an_allowed_private_one(server: Loopback) -> None:
    with Loopback() as private:
        internet = SmallInternet()
        internet.put("news.example.com", PUBLIC, server)
        internet.put("nas.example.com", "10.0.0.9", private)
        private.pages["/"] = Reply(body=b"inner")
        server.pages["/"] = Reply(302, headers={"Location": "http://nas.example.com/"})
        allowed = frozenset({("nas.example.com", 80)})
        client = make_client(network=internet.network, allowed=allowed)
        assert client.get("http://nas.example.com/", now=NOW).body == b"inner"
        with pytest.raises(SourceRefused, match=r"nas\.example\.com was not asked"):
            client.get("http://news.example.com/", now=NOW)
        assert private.connections == 1


def test_another_port_of_an_allowed_host_is_not_allowed(server: Loopback, sink: Loopback) -> None:
    with pytest.raises(SourceRefused, match="this computer's own"):
        make_client(server).get(sink.url(), now=NOW)
    assert sink.connections == 0


@pytest.mark.parametrize("port", [80, 8080])
def test_a_redirect_reaches_the_webs_port_and_the_one_in_the_settings(
    server: Loopback, port: int
) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    server.pages["/a"] = Reply(302, headers={"Location": f"http://news.example.com:{port}/"})
    client = make_client(network=internet.network)
    assert client.get("http://news.example.com:8080/a", now=NOW).body == b"body"
    assert internet.dialled == [(PUBLIC, 8080), (PUBLIC, port)]


@pytest.mark.parametrize("port", [22, 25, 6379, 8081])
def test_a_redirect_to_another_port_is_refused(server: Loopback, port: int) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    server.pages["/a"] = Reply(302, headers={"Location": f"http://news.example.com:{port}/"})
    with pytest.raises(SourceRefused, match=f"leads to port {port} of"):
        make_client(network=internet.network).get("http://news.example.com:8080/a", now=NOW)
    assert internet.dialled == [(PUBLIC, 8080)]


@pytest.mark.parametrize(
    "url",
    [
        "http://reader:hunter2@news.example.com/",
        "http://hunter2@news.example.com/",
        "http://:hunter2@news.example.com/",
        "http://reader:hunter2@news.example.com:port/",
        "http://reader:hunter2@",
        "http://reader:hunter2@[::1/",
        "ftp://reader:hunter2@news.example.com/",
        "hunter2:x@news.example.com/",
    ],
)
def test_a_password_in_an_address_is_refused_and_never_repeated(url: str) -> None:
    internet = SmallInternet()
    with pytest.raises(SourceRefused) as caught:
        make_client(network=internet.network).get(url, now=NOW)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert internet.resolved == []
    assert internet.dialled == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_in_the_environment_is_ignored(
    server: Loopback, sink: Loopback, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, sink.url())
    assert make_client(server).get(server.url(), now=NOW).body == b"body"
    assert sink.connections == 0
