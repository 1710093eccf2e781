"""Each host is asked by one thread at a time, with pauses, and left alone when it says so."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest import __version__
from digest.app import App
from digest.errors import SourceUnavailable
from digest.project import load
from digest.sources.http import HttpClient, Response, retry_after
from digest.testing.clock import FrozenClock
from tests.loopback import Loopback, Reply, Request, SmallInternet, make_client

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = (
    dt.timedelta(minutes=1),
    dt.timedelta(hours=1),
    dt.timedelta(days=1),
)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


class Turnstile:
    """A page that knows how many requests are inside at once."""

    def __init__(self, over: threading.Event, seconds: float) -> None:
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._over, self._seconds = over, seconds

    def __call__(self, _request: Request) -> Reply:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._over.wait(self._seconds)
        with self._lock:
            self._inside -= 1
        return Reply(body=b"body")


def get_all(client: HttpClient, urls: list[str]) -> list[Response]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda url: client.get(url, now=NOW), urls))


def test_one_host_is_never_asked_twice_at_once(server: Loopback) -> None:
    page = Turnstile(server.over, 0.05)
    urls = [server.url(f"/{number}") for number in range(6)]
    server.pages |= {f"/{number}": page for number in range(6)}
    assert len(get_all(make_client(server), urls)) == 6
    assert page.most == 1


def test_different_hosts_are_asked_at_once(server: Loopback) -> None:
    # Each answer waits until all four requests have come.
    meeting = threading.Barrier(4, timeout=5)
    internet = SmallInternet()

    def page(_request: Request) -> Reply:
        meeting.wait()
        return Reply(body=b"body")

    server.pages["/"] = page
    for number in range(4):
        internet.put(f"n{number}.example.com", f"11.0.0.{number + 1}", server)
    client = make_client(network=internet.network)
    assert len(get_all(client, [f"http://{name}/" for name in internet.names])) == 4


def test_waiting_for_a_turn_costs_none_of_the_time_for_an_answer(server: Loopback) -> None:
    page = Turnstile(server.over, 0.2)
    server.pages["/"] = page
    client = make_client(server, total_seconds=0.6)
    started = time.monotonic()
    assert len(get_all(client, [server.url()] * 5)) == 5
    assert time.monotonic() - started > 5 * 0.2 > 0.6
    assert page.most == 1


def test_there_is_a_pause_between_two_requests_to_a_host(server: Loopback) -> None:
    times: list[float] = []

    def page(request: Request) -> Reply:
        times.append(time.monotonic())
        is_first = request.path == "/"
        return Reply(302, headers={"Location": "/b"}) if is_first else Reply(404)

    server.pages = {"/": page, "/b": page}
    client = make_client(server, host_pause_seconds=0.2, total_seconds=0.3)
    for _ in range(2):  # a failure and a redirect are requests, too
        with pytest.raises(SourceUnavailable, match="404"):
            client.get(server.url(), now=NOW)
    assert len(times) == 4
    assert all(b - a >= 0.2 for a, b in pairwise(times))


def test_a_slow_host_does_not_make_another_wait(server: Loopback) -> None:
    internet = SmallInternet()
    internet.put("slow.example.com", "11.0.0.1", server)
    internet.put("quick.example.com", "11.0.0.2", server)
    quick_is_done = threading.Event()

    def slow(_request: Request) -> Reply:
        return Reply(body=b"slow" if quick_is_done.wait(5) else b"too late")

    server.pages = {"/slow": slow, "/": Reply(body=b"quick")}
    client = make_client(network=internet.network, host_pause_seconds=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "http://slow.example.com/slow", now=NOW)
        assert client.get("http://quick.example.com/", now=NOW).body == b"quick"
        quick_is_done.set()
        assert waiting.result().body == b"slow"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7200", 2 * HOUR),
        (" 90 ", 1.5 * MINUTE),
        ("0", MINUTE),
        ("5", MINUTE),
        ("999999", DAY),
        ("1" + "0" * 20, DAY),
        ("9" * 5000, DAY),
        ("Tue, 24 Nov 2026 15:00:00 GMT", 3 * HOUR),
        ("Tue, 24 Nov 2026 15:00:00 +0100", 2 * HOUR),
        ("Tue, 24 Nov 2026 11:00:00 GMT", MINUTE),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Tue, 99 Nov 2026 99:00:00 GMT", None),
        (None, None),
    ],
)
def test_a_busy_host_is_left_alone_as_long_as_it_asks_within_reason(
    server: Loopback, status: int, value: str | None, wait: dt.timedelta | None
) -> None:
    server.pages["/"] = Reply(status, headers={} if value is None else {"Retry-After": value})
    with pytest.raises(SourceUnavailable, match=f"answered {status}") as caught:
        make_client(server).get(server.url(), now=NOW)
    assert caught.value.not_before_at == (None if wait is None else NOW + wait)
    assert caught.value.hint


@given(st.text() | st.integers().map(str) | st.datetimes().map(lambda at: f"{at:%d %b %Y %T %z}"))
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Mon, 01 Jan 2026 00:00:00 +9999")
@example("Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
@example("٣")
@example("²")
def test_any_retry_after_is_between_a_minute_and_a_day_or_nothing(value: str) -> None:
    until = retry_after(value, NOW)
    assert until is None or NOW + MINUTE <= until <= NOW + DAY


def test_a_busy_host_is_left_alone_by_all_its_sources(server: Loopback) -> None:
    server.pages = {
        "/a": Reply(429, headers={"Retry-After": "3600"}),
        "/b": Reply(body=b"b"),
    }
    client = make_client(server)
    with pytest.raises(SourceUnavailable, match="429"):
        client.get(server.url("/a"), now=NOW)
    for later in (dt.timedelta(0), HOUR - dt.timedelta(seconds=1)):
        with pytest.raises(SourceUnavailable, match="asked every program to wait") as caught:
            client.get(server.url("/b"), now=NOW + later)
        assert caught.value.not_before_at == NOW + HOUR
    assert len(server.requests) == server.connections == 1
    assert client.get(server.url("/b"), now=NOW + HOUR).body == b"b"


def test_those_who_wait_for_their_turn_heed_a_retry_after_that_comes_meanwhile(
    server: Loopback,
) -> None:
    page = Turnstile(server.over, 0.1)

    def busy(request: Request) -> Reply:
        page(request)
        return Reply(503, headers={"Retry-After": "3600"})

    server.pages["/"] = busy
    client = make_client(server)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(client.get, server.url(), now=NOW) for _ in range(4)]
    for answer in waiting:
        with pytest.raises(SourceUnavailable) as caught:
            answer.result()
        assert caught.value.not_before_at == NOW + HOUR
    assert len(server.requests) == 1


def test_a_busy_host_on_the_way_is_left_alone_too(server: Loopback) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", "11.0.0.1", server)
    internet.put("busy.example.com", "11.0.0.2", server)
    server.pages = {
        "/": Reply(302, headers={"Location": "http://busy.example.com/busy"}),
        "/busy": Reply(503, headers={"Retry-After": "600"}),
    }
    client = make_client(network=internet.network)
    for words in ("busy.example.com answered 503", "busy.example.com asked every program"):
        with pytest.raises(SourceUnavailable, match=words):
            client.get("http://news.example.com/", now=NOW)
    assert [request.path for request in server.requests] == ["/", "/busy", "/"]


def test_collecting_asks_one_host_for_one_source_at_a_time_and_says_whom_to_tell(
    server: Loopback, tmp_path: Path
) -> None:
    page = Turnstile(server.over, 0.1)
    server.pages |= {"/0": page, "/1": page}
    sources = "".join(
        f'[[source]]\nname = "S{number}"\nurl = "{server.url(f"/{number}")}"\n'
        "allow_private = true\n"
        for number in range(2)
    )
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "digest.toml").write_text(
        '[newsletter]\npublic_url = "https://letters.example.com/"\n' + sources, encoding="utf-8"
    )
    started = time.monotonic()
    with App(load(tmp_path, {}), FrozenClock(NOW)) as app:
        reports = app.collect()
    assert [report.failed for report in reports] == [True, True]  # "body" is no feed
    assert page.most == 1
    assert time.monotonic() - started >= 1
    agents = {request.headers["user-agent"] for request in server.requests}
    assert agents == {f"digest/{__version__} (+https://letters.example.com)"}
