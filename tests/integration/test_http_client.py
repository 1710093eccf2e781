"""The guarded client on a real server: what it asks, what it gives back, and how it fails."""

import datetime as dt
import gzip
import socket
import ssl
from collections.abc import Iterator

import pytest

from digest.errors import (
    SourceError,
    SourceGone,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from digest.sources.connections import Network
from tests.loopback import Loopback, Reply, Request, SmallInternet, make_client

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PUBLIC = "11.0.0.1"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


def test_a_good_answer_comes_back_with_the_few_headers_that_matter(server: Loopback) -> None:
    headers = {"ETag": '"1"', "Content-Type": "text/xml", "Set-Cookie": "a=b", "X-Other": "x"}
    server.pages["/feed"] = Reply(body=b"body", headers=headers)
    response = make_client(server).get(server.url("/feed#part"), now=NOW)
    assert (response.status, response.body, response.hops) == (200, b"body", ())
    assert response.url == server.url("/feed")
    assert response.headers == {"etag": '"1"', "content-type": "text/xml"}


def test_the_host_learns_who_asks_and_gets_nothing_else(server: Loopback) -> None:
    server.pages["/feed"] = Reply(headers={"Set-Cookie": "a=b"})
    client = make_client(server)
    for _ in range(2):
        client.get(server.url("/feed"), now=NOW, accept="text/xml")
    assert server.requests[1].headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "digest/1 (+https://news.example.com)",
        "accept": "text/xml",
        "accept-encoding": "gzip",
        "connection": "close",
    }


@pytest.mark.parametrize("etag", ['"strong"', 'W/"weak"', "bare", '"é ÿ"', 'W/"a, b;c"', '""'])
@pytest.mark.parametrize("modified", ["", "Tue, 24 Nov 2026 11:00:00 GMT", "yesterday"])
def test_validators_go_back_byte_for_byte(server: Loopback, etag: str, modified: str) -> None:
    wanted = {"ETag": etag} | ({"Last-Modified": modified} if modified else {})

    def page(request: Request) -> Reply:
        back = (request.headers.get("if-none-match"), request.headers.get("if-modified-since"))
        is_same = back == (etag, modified or None)
        return Reply(304 if is_same else 200, b"body", wanted)

    server.pages["/feed"] = page
    client = make_client(server)
    first = client.get(server.url("/feed"), now=NOW)
    assert first.body == b"body"
    known = {"etag": first.headers["etag"], "last_modified": first.headers.get("last-modified", "")}
    second = client.get(server.url("/feed"), now=NOW, **known)
    assert (second.status, second.body) == (304, b"")


def test_a_304_that_nobody_asked_for_is_a_fault(server: Loopback) -> None:
    server.pages["/feed"] = Reply(304)
    with pytest.raises(SourceUnavailable, match="never asked before"):
        make_client(server).get(server.url("/feed"), now=NOW)


@pytest.mark.parametrize(
    ("status", "kind", "words", "hint"),
    [
        (401, SourceUnavailable, "401 Unauthorized", "login"),
        (403, SourceUnavailable, "403 Forbidden", "turns programs away"),
        (404, SourceMissing, "404 Not Found", "new address"),
        (410, SourceGone, "410 Gone", "another feed"),
        (500, SourceUnavailable, "500 Internal Server Error", "next collect"),
        (204, SourceUnavailable, "204 No Content", "next collect"),
        (206, SourceUnavailable, "206 Partial Content", "next collect"),
        (300, SourceUnavailable, "300 Multiple Choices", "next collect"),
        (799, SourceUnavailable, "answered 799.", "next collect"),
    ],
)
def test_a_bad_status_is_named_in_plain_words_with_the_next_step(
    server: Loopback, status: int, kind: type[SourceError], words: str, hint: str
) -> None:
    server.pages["/feed"] = Reply(status, b"<h1>the server's own words</h1>")
    with pytest.raises(kind, match=words) as caught:
        make_client(server).get(server.url("/feed"), now=NOW)
    assert type(caught.value) is kind
    assert caught.value.message.endswith("Nothing was changed.")
    assert hint in caught.value.hint
    assert "own words" not in caught.value.message


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/b", "/b"),
        ("b?x=1#part", "/a/b?x=1"),
        ("?page=2", "/a/?page=2"),
        ("../c d", "/c%20d"),
        ("/\xc3\xa9", "/%C3%A9"),
        ("/%2F%zz", "/%2F%zz"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_told(
    server: Loopback, status: int, location: str, asked: str
) -> None:
    server.pages["/a/"] = Reply(status, headers={"Location": location})
    server.pages[asked] = Reply(body=b"there")
    response = make_client(server).get(server.url("/a/"), now=NOW)
    assert response.body == b"there"
    assert response.url == server.url(asked)
    assert response.hops == ((status, server.url(asked)),)


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (["www.news.example.com"], [True, True]),
        (["other.example.org"], [True, False]),
        (["other.example.org", "news.example.com"], [True, False, False]),
    ],
)
def test_what_one_site_marked_is_told_to_no_other(way: list[str], told: list[bool]) -> None:
    internet = SmallInternet()
    names = ["news.example.com", "www.news.example.com", "other.example.org"]
    with Loopback() as server:
        for number, name in enumerate(names):
            internet.put(name, f"11.0.0.{number + 1}", server)
        for number, name in enumerate(way):
            location = {"Location": f"http://{name}/{number + 1}"}
            server.pages[f"/{number}"] = Reply(302, headers=location)
        server.pages[f"/{len(way)}"] = Reply(body=b"body")
        client = make_client(network=internet.network)
        client.get(f"http://{names[0]}/0", now=NOW, etag='"1"', last_modified="today")
    for name in ("if-none-match", "if-modified-since"):
        assert [name in request.headers for request in server.requests] == told


@pytest.mark.parametrize(
    ("hops", "works"),
    [(5, True), (6, False), (50, False)],
)
def test_at_most_five_redirects_are_followed(server: Loopback, hops: int, works: bool) -> None:
    for number in range(hops):
        server.pages[f"/{number}"] = Reply(302, headers={"Location": f"/{number + 1}"})
    server.pages[f"/{hops}"] = Reply(body=b"end")
    client = make_client(server)
    if works:
        assert client.get(server.url("/0"), now=NOW).body == b"end"
    else:
        with pytest.raises(SourceRefused, match="redirects more than 5 times"):
            client.get(server.url("/0"), now=NOW)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("location", "error", "requests"),
    [
        ("/a", "redirects more than 5 times", 6),
        (None, "without saying where", 1),
        ("", "without saying where", 1),
        ("http://[::1", "cannot be read", 1),
        ("https:///nowhere", "no usable host name", 1),
        ("file:///etc/passwd", 'uses "file:"', 1),
        ("gopher://example.com/", 'uses "gopher:"', 1),
        ("javascript:alert(1)", 'uses "javascript:"', 1),
        ("data:text/xml,x", 'uses "data:"', 1),
        ("http://user:hunter2@example.com/", "user name or password", 1),
        ("http://127.0.0.1:1/", "leads to port 1 of", 1),
        ("/" + "x" * 2000, "too long", 1),
    ],
)
def test_a_redirect_to_nowhere_fails_at_once(
    server: Loopback, location: str | None, error: str, requests: int
) -> None:
    headers = {} if location is None else {"Location": location}
    server.pages["/a"] = Reply(301, headers=headers)
    with pytest.raises(SourceError, match=error) as caught:
        make_client(server).get(server.url("/a"), now=NOW)
    assert len(server.requests) == server.connections == requests
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_name_is_sent_as_host_and_in_the_handshake_and_the_certificate_is_checked() -> None:
    internet = SmallInternet()
    with Loopback(tls=True) as server:
        internet.put("news.example.com", PUBLIC, server)
        internet.put("other.example.com", "11.0.0.2", server)
        server.pages["/feed"] = Reply(body=b"secret")
        client = make_client(network=internet.network)
        assert client.get("https://News.Example.com/feed", now=NOW).body == b"secret"
        assert server.requests[0].headers["host"] == "news.example.com"
        assert server.server_names == ["news.example.com"]
        assert internet.dialled == [(PUBLIC, 443)]
        with pytest.raises(SourceUnavailable, match="no certificate that can be trusted"):
            client.get("https://other.example.com/feed", now=NOW)
        stranger = Network(internet.resolve, internet.dial, ssl.create_default_context())
        with pytest.raises(SourceUnavailable, match="no certificate that can be trusted"):
            make_client(network=stranger).get("https://news.example.com/feed", now=NOW)
        assert len(server.requests) == 1


def test_a_redirect_from_https_to_http_is_refused() -> None:
    internet = SmallInternet()
    with Loopback(tls=True) as server:
        internet.put("news.example.com", PUBLIC, server)
        server.pages["/feed"] = Reply(301, headers={"Location": "http://news.example.com/feed"})
        with pytest.raises(SourceRefused, match="from https to http"):
            make_client(network=internet.network).get("https://news.example.com/feed", now=NOW)
        assert internet.dialled == [(PUBLIC, 443)]


def test_a_server_that_does_not_speak_tls_is_named(server: Loopback) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    with pytest.raises(SourceUnavailable, match="could not agree on encryption"):
        make_client(network=internet.network).get("https://news.example.com/feed", now=NOW)


def test_a_name_that_nobody_has_is_named() -> None:
    with pytest.raises(SourceUnavailable, match="not a name that can be found"):
        make_client(network=SmallInternet().network).get("http://news.example.com/", now=NOW)


def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    client = make_client(allowed=frozenset({(host, port)}))
    with pytest.raises(SourceUnavailable, match="refused the connection"):
        client.get(f"http://{host}:{port}/", now=NOW)


def test_a_host_that_does_not_connect_is_named() -> None:
    waits: list[float] = []

    def dial(_ip: str, _port: int, seconds: float) -> socket.socket:
        waits.append(seconds)
        raise TimeoutError

    internet = SmallInternet()
    internet.names["news.example.com"] = [PUBLIC]
    client = make_client(network=Network(internet.resolve, dial), connect_seconds=2)
    with pytest.raises(SourceUnavailable, match="did not connect within 2 seconds"):
        client.get("http://news.example.com/", now=NOW)
    assert waits == [2]


def test_the_next_address_is_tried_when_the_first_does_not_answer(server: Loopback) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    internet.names["news.example.com"] = ["2600::1", PUBLIC, "11.0.0.2"]
    server.pages["/"] = Reply(body=b"here")
    assert make_client(network=internet.network).get("http://news.example.com", now=NOW)
    assert internet.dialled == [("2600::1", 80), (PUBLIC, 80)]


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", None])
def test_gzip_is_inflated_whether_it_is_named_or_not(server: Loopback, coding: str | None) -> None:
    headers = {"Content-Encoding": coding} if coding else {}
    server.pages["/feed"] = Reply(body=gzip.compress(b"body" * 1000), headers=headers)
    assert make_client(server).get(server.url("/feed"), now=NOW).body == b"body" * 1000


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip, " * 499 + "gzip"])
def test_a_coding_that_was_not_asked_for_is_refused(server: Loopback, coding: str) -> None:
    server.pages["/feed"] = Reply(body=b"body", headers={"Content-Encoding": coding})
    with pytest.raises(SourceRefused, match="not asked for"):
        make_client(server).get(server.url("/feed"), now=NOW)


@pytest.mark.parametrize(
    "body",
    [gzip.compress(gzip.compress(b"body")), gzip.compress(b"one") + gzip.compress(b"two")],
    ids=["one in another", "one after another"],
)
def test_gzip_in_gzip_is_refused(server: Loopback, body: bytes) -> None:
    server.pages["/feed"] = Reply(body=body, headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceRefused, match="more than once"):
        make_client(server).get(server.url("/feed"), now=NOW)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"no gzip at all", "damaged"),
        (b"\x1f\x8b\x08 but no more", "damaged"),
        (gzip.compress(b"body" * 1000)[:-9], "broke off in the middle"),
    ],
    ids=["none", "the start", "half"],
)
def test_damaged_gzip_is_no_answer(server: Loopback, body: bytes, error: str) -> None:
    server.pages["/feed"] = Reply(body=body, headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceUnavailable, match=error):
        make_client(server).get(server.url("/feed"), now=NOW)


def test_an_empty_answer_is_an_empty_body(server: Loopback) -> None:
    server.pages["/feed"] = Reply(headers={"Content-Encoding": "gzip"})
    assert make_client(server).get(server.url("/feed"), now=NOW).body == b""
