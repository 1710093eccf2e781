"""No answer costs more time or memory than the limits say, however the server misbehaves."""

import datetime as dt
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from digest.errors import SourceError, SourceRefused, SourceUnavailable
from digest.services.collection import WORKERS
from digest.sources.connections import Network
from digest.sources.feeds import MAX_VALIDATOR_LENGTH, PROOF_FETCHES, PROOF_TIME
from digest.sources.http import MAX_HEADER_BYTES, MAX_HOPS, HttpClient
from tests.loopback import Loopback, Reply, Request, make_client

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
LIMIT = 100_000
MEGABYTE = 2**20
OK = b"HTTP/1.1 200 OK\r\n"

Send = Callable[[bytes], object]


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@contextmanager
def at_most(*, seconds: float, memory: int) -> Iterator[None]:
    """Fail when what is done inside takes longer, or holds more bytes at once."""
    tracemalloc.start()
    try:
        before, started = tracemalloc.get_traced_memory()[0], time.monotonic()
        yield
        assert time.monotonic() - started < seconds
        assert tracemalloc.get_traced_memory()[1] - before < memory
    finally:
        tracemalloc.stop()


def bomb(megabytes: int) -> bytes:
    """Return gzip that inflates to so many megabytes of zeros."""
    deflater = zlib.compressobj(wbits=31)
    parts = [deflater.compress(bytes(MEGABYTE)) for _ in range(megabytes)]
    return b"".join([*parts, deflater.flush()])


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def drip(server: Loopback, head: bytes, piece: bytes) -> Reply:
    """Return a page that sends its head at once, and then one piece after the other."""

    def write(send: Send) -> None:
        send(head)
        while not server.over.wait(0.05):
            send(piece)

    return Reply(write=write)


@pytest.mark.parametrize(
    ("head", "piece", "kind", "error"),
    [
        (OK + b"\r\n", b"x", SourceRefused, "needed more than 0.5 seconds to send"),
        (
            OK + b"Content-Length: 1000\r\n\r\n",
            b"x",
            SourceRefused,
            "needed more than 0.5 seconds to send",
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
            SourceRefused,
            "needed more than 0.5 seconds to send",
        ),
        (b"", b"", SourceUnavailable, "gave no answer within 0.5 seconds"),
        (b"H", b"", SourceUnavailable, "gave no answer within 0.5 seconds"),
        (OK, b"X: x\r\n", SourceUnavailable, "gave no answer within 0.5 seconds"),
        (OK + b"X: ", b"x", SourceUnavailable, "gave no answer within 0.5 seconds"),
        (
            b"",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            SourceUnavailable,
            "gave no answer within 0.5 seconds",
        ),
    ],
    ids=["body", "length", "chunks", "silence", "half a line", "headers", "header", "continue"],
)
def test_a_slow_answer_is_cut_off_at_the_deadline(
    server: Loopback, head: bytes, piece: bytes, kind: type[SourceError], error: str
) -> None:
    server.pages["/"] = drip(server, head, piece)
    with (
        at_most(seconds=3, memory=MEGABYTE),
        pytest.raises(kind, match=error) as caught,
    ):
        make_client(server, total_seconds=0.5).get(server.url(), now=NOW)
    assert type(caught.value) is kind
    assert caught.value.hint


def test_a_handshake_without_an_answer_is_cut_off_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dial = partial(socket.create_connection, silent.getsockname())
        network = Network(lambda *_: ["11.0.0.1"], lambda _ip, _port, seconds: dial(seconds))
        client = make_client(network=network, total_seconds=0.5)
        with (
            at_most(seconds=3, memory=MEGABYTE),
            pytest.raises(SourceUnavailable, match="gave no answer"),
        ):
            client.get("https://news.example.com/", now=NOW)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_resolver_without_an_answer_is_not_waited_for(is_stopped: bool) -> None:
    over, asked = threading.Event(), threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        asked.set()
        over.wait(30)
        return ["11.0.0.1"]

    network = Network(resolve, lambda *_: pytest.fail("it was connected to"))
    client = make_client(network=network, total_seconds=20 if is_stopped else 0.5)
    with ThreadPoolExecutor(1) as pool:
        try:
            with at_most(seconds=3, memory=MEGABYTE):
                waiting = pool.submit(client.get, "https://news.example.com/", now=NOW)
                assert asked.wait(5)
                if is_stopped:
                    client.stop()
                error = waiting.exception(timeout=5)
        finally:
            over.set()
    words = "The run was stopped" if is_stopped else "gave no answer within 0.5 seconds"
    assert isinstance(error, SourceUnavailable)
    assert words in error.message


def test_redirects_share_one_deadline(server: Loopback) -> None:
    def slow(request: Request) -> Reply:
        server.over.wait(0.3)
        return Reply(302, headers={"Location": request.path + "x"})

    for length in range(1, 7):
        server.pages["/" + "x" * (length - 1)] = slow
    with (
        at_most(seconds=3, memory=MEGABYTE),
        pytest.raises(SourceUnavailable, match="no answer"),
    ):
        make_client(server, total_seconds=0.7).get(server.url(), now=NOW)
    assert len(server.requests) == 3


def test_no_thread_and_no_descriptor_is_left_behind() -> None:
    before = descriptors()
    with Loopback() as server:
        server.pages["/slow"] = drip(server, OK + b"\r\n", b"x")
        server.pages["/good"] = Reply(body=b"body")
        client = make_client(server, total_seconds=0.3)
        assert client.get(server.url("/good"), now=NOW).body == b"body"
        for path in ("/slow", "/missing"):
            with pytest.raises(SourceError):
                client.get(server.url(path), now=NOW)
    for thread in threading.enumerate():
        if thread.name.startswith("deadline"):
            thread.join(timeout=2)
            assert not thread.is_alive()
    patience = time.monotonic() + 5
    while descriptors() > before and time.monotonic() < patience:
        threading.Event().wait(0.01)  # the server's own threads may need a moment
    assert descriptors() == before


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (OK + b"Content-Length: 1000\r\n\r\n", b"x" * 999),
        (OK + b"Content-Length: 1000\r\n\r\n", b""),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhel"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nhello\r\n0\r\n\r\n"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"hello!"),
        (OK + b"Content-Type: text/xml", b""),
        (b"SSH-2.0-OpenSSH_9.6\r\n", b""),
        (b"HTTP/1.1 banana OK\r\n\r\n", b""),
        (b"", b""),
    ],
)
def test_half_an_answer_is_no_answer(server: Loopback, head: bytes, body: bytes) -> None:
    def write(send: Send) -> None:
        send(head + body)

    server.pages["/"] = Reply(write=write)
    with pytest.raises(SourceUnavailable, match="broke off before its answer was complete"):
        make_client(server).get(server.url(), now=NOW)


def test_what_follows_the_stated_length_is_not_read(server: Loopback) -> None:
    server.pages["/"] = Reply(
        write=lambda send: send(OK + b"Content-Length: 4\r\n\r\nbody and more")
    )
    assert make_client(server).get(server.url(), now=NOW).body == b"body"


@pytest.mark.parametrize(
    "head",
    [b"", b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"],
    ids=["until the end", "length", "chunked"],
)
@pytest.mark.parametrize(("size", "works"), [(LIMIT, True), (LIMIT + 1, False)])
def test_the_limit_of_a_body_is_exact(
    server: Loopback, head: bytes, size: int, works: bool
) -> None:
    body = b"x" * size
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if b"chunked" in head else body
    stated = head % size if b"%" in head else head
    server.pages["/"] = Reply(write=lambda send: send(OK + stated + b"\r\n" + sent))
    client = make_client(server, max_bytes=LIMIT)
    if works:
        assert client.get(server.url(), now=NOW).body == body
    else:
        with pytest.raises(SourceRefused, match=r"more than 0\.0954 MB"):
            client.get(server.url(), now=NOW)


@pytest.mark.parametrize(("size", "works"), [(LIMIT, True), (LIMIT + 1, False)])
def test_the_limit_of_an_inflated_body_is_exact(server: Loopback, size: int, works: bool) -> None:
    server.pages["/"] = Reply(body=gzip.compress(bytes(size)))
    client = make_client(server, max_bytes=LIMIT)
    if works:
        assert client.get(server.url(), now=NOW).body == bytes(size)
    else:
        with pytest.raises(SourceRefused, match="more than"):
            client.get(server.url(), now=NOW)


def test_a_bomb_costs_little_memory(server: Loopback) -> None:
    server.pages["/"] = Reply(body=bomb(128), headers={"Content-Encoding": "gzip"})
    with (
        at_most(seconds=5, memory=15 * MEGABYTE),
        pytest.raises(SourceRefused, match="more than 5 MB"),
    ):
        make_client(server).get(server.url(), now=NOW)


@pytest.mark.parametrize("length", ["10000000000", "9" * 40, "9" * 5000])
def test_a_stated_length_over_the_limit_is_refused_before_anything_is_read(
    server: Loopback, length: str
) -> None:
    head = OK + f"Content-Length: {length}\r\n\r\n".encode()
    server.pages["/"] = drip(server, head, b"x")
    with at_most(seconds=2, memory=MEGABYTE), pytest.raises(SourceRefused, match="more than 5 MB"):
        make_client(server).get(server.url(), now=NOW)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"\r\n", bytes(65536)),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n"),
    ],
    ids=["until the end", "chunked"],
)
def test_an_endless_body_is_cut_off_at_the_limit(
    server: Loopback, head: bytes, piece: bytes
) -> None:
    def write(send: Send) -> None:
        send(head)
        while not server.over.is_set():
            send(piece)

    server.pages["/"] = Reply(write=write)
    with (
        at_most(seconds=5, memory=15 * MEGABYTE),
        pytest.raises(SourceRefused, match="more than 5 MB"),
    ):
        make_client(server).get(server.url(), now=NOW)


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"x" * 2 * MEGABYTE + b"\r\n",
        b"X: x\r\n" * 350_000,
        b"X: x\r\n" * 101,
        b"".join(b"X%d: %s\r\n" % (number, b"x" * 60_000) for number in range(2)),
    ],
    ids=["one of 2 MB", "2 MB of many", "too many", "together too long"],
)
def test_too_many_or_too_long_headers_are_refused(server: Loopback, headers: bytes) -> None:
    sent = OK + headers + b"\r\nbody"
    server.pages["/"] = Reply(write=lambda send: send(sent))
    with (
        at_most(seconds=5, memory=3 * MEGABYTE),
        pytest.raises(SourceRefused, match="more or longer headers"),
    ):
        make_client(server).get(server.url(), now=NOW)


def test_a_long_first_line_is_refused(server: Loopback) -> None:
    server.pages["/"] = Reply(write=lambda send: send(b"HTTP/1.1 200 " + b"O" * MEGABYTE))
    with pytest.raises(SourceRefused, match="more or longer headers"):
        make_client(server).get(server.url(), now=NOW)


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "identity", "banana"])
def test_a_transfer_coding_that_was_not_asked_for_is_refused(server: Loopback, coding: str) -> None:
    head = OK + f"Transfer-Encoding: {coding}\r\n\r\n".encode()
    server.pages["/"] = Reply(write=lambda send: send(head + b"0\r\n\r\n"))
    with pytest.raises(SourceRefused, match="not asked for"):
        make_client(server).get(server.url(), now=NOW)


def test_the_documentation_states_the_limits_that_hold() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    client = make_client(total_seconds=HttpClient.total_seconds)
    for words in (
        f"At most {MAX_HOPS} redirects",
        f"{PROOF_FETCHES} fetches over at least {PROOF_TIME // dt.timedelta(hours=1)} hours",
        f"{MAX_HEADER_BYTES // 1024} kB",
        f"longer than {MAX_VALIDATOR_LENGTH}",
        f"{client.connect_seconds:g} seconds an address",
        f"{client.total_seconds:g} seconds in all",
        f"within {client.total_seconds:g} seconds",
        f"{client.max_bytes // 2**20} MB",
        f"Up to {WORKERS} sources",
    ):
        assert words in text
