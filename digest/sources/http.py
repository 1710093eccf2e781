"""The one door to the internet: a guarded HTTP client.

Feeds choose the addresses that this program asks, so every answer is taken to be hostile until
shown otherwise:

* The address is checked when the connection is made, on the resolved IP, on every redirect, so a
  name that resolves differently a moment later gains nothing.
* A watchdog cuts a connection at the total deadline, whatever state it is in, and nobody waits for
  the system's resolver any longer than that.
* Bodies are read raw and inflated to an exact limit.
* Each host is asked by one thread at a time, with a pause, and its Retry-After holds for all.

Nothing is read from the environment; no cookie and no password is ever sent.
"""

import datetime as dt
import email.utils
import http.client
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import urllib3

from digest.errors import SourceUnavailable
from digest.sources.addresses import refused_because, same_site
from digest.sources.connections import Network, Watchdog, connection
from digest.sources.failures import (
    UNHARMED,
    broken,
    busy,
    raise_unless_good,
    refused,
    status_words,
    stopped,
    too_large,
    too_many_headers,
    too_slow,
    unasked,
)
from digest.sources.targets import DEFAULT_PORTS, Target, follow, read_url

MAX_HOPS = 5
MAX_HEADER_BYTES = 64 * 1024
PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT_HEADERS = ("etag", "last-modified", "content-type", "content-language")
_SHORTEST_WAIT, _LONGEST_WAIT = dt.timedelta(minutes=1), dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A good answer: 200 (or 203) with its body, or 304 without one.

    `url` is the address that answered. `hops` are the redirects that led there, each as (status,
    address that it named). `headers` holds the few that matter, with lower-case names and values
    byte for byte (Latin-1). `body` is inflated.
    """

    status: int
    url: str
    hops: tuple[tuple[int, str], ...]
    headers: Mapping[str, str]
    body: bytes


@dataclass(eq=False)
class _Host:
    """What one run knows of a host: whose turn it is, and until when it wants to be left alone."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    free_at: float = 0.0
    not_before_at: dt.datetime | None = None


@dataclass(frozen=True)
class _Answer:
    """One hop's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(eq=False)
class HttpClient:
    """Asks hosts on the internet, politely and within limits. Safe to use from many threads.

    Args:
        user_agent: Names the program and where to complain.
        allowed: The exact (host, port) pairs that may be private; see `read_url(...).endpoint`.
            Only a request that starts at one of them may lead to one of them.
        connect_seconds: Longest wait for one connection.
        total_seconds: Longest time for one `get` with all its redirects; turns are not counted.
        max_bytes: Largest body, before and after inflating.
        host_pause_seconds: Pause between two requests to one host.
        network: Name resolution, connecting and trust.
    """

    user_agent: str
    allowed: frozenset[tuple[str, int]] = frozenset()
    connect_seconds: float = 10
    total_seconds: float = 30
    max_bytes: int = 5 * 2**20
    host_pause_seconds: float = 1.0
    network: Network = field(default_factory=Network)
    _hosts: dict[str, _Host] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _running: set[Watchdog] = field(default_factory=set, init=False, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def get(
        self,
        url: str,
        *,
        now: dt.datetime,
        etag: str = "",
        last_modified: str = "",
        accept: str = "*/*",
    ) -> Response:
        """Fetch `url`, following at most five redirects.

        Args:
            url: An http(s) address. A port in it is allowed for the redirects, too.
            now: Aware UTC; the instant from which Retry-After counts.
            etag: Sent as If-None-Match, byte for byte, but to no other site.
            last_modified: Sent as If-Modified-Since, byte for byte, but to no other site.
            accept: The media types wanted.

        Raises:
            SourceUnavailable: No answer, or one that may pass; may name `not_before_at`.
            SourceGone: 410.
            SourceRefused: A limit was broken or a forbidden address named.
        """
        headers = {"User-Agent": self.user_agent, "Accept": accept, "Accept-Encoding": "gzip"}
        conditions = {"If-None-Match": etag} if etag else {}
        conditions |= {"If-Modified-Since": last_modified} if last_modified else {}
        first = target = read_url(url)
        private = self.allowed if first.endpoint in self.allowed else frozenset()
        hops: list[tuple[int, str]] = []
        seconds = self.total_seconds
        while True:
            with self._turn(target.host, now):
                started = time.monotonic()
                sent = {**headers, **conditions}
                answer = self._ask(target, sent, target.endpoint in private, seconds)
                seconds -= time.monotonic() - started
                if answer.status in (429, 503):
                    self._raise_busy(target.host, answer, now)
            if answer.status == 304 and not conditions:
                raise unasked(target.host)
            if answer.status not in _REDIRECTS:
                return _response(target, tuple(hops), answer)
            target = follow(target, answer.headers.get("location", ""))
            hops.append((answer.status, target.url))
            _check_hop(first, target, len(hops))
            if not same_site(first.host, target.host):
                conditions = {}  # what one site knows its readers by is not for another

    def stop(self) -> None:
        """Cut every request under way and refuse new ones: each raises SourceUnavailable."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        for watchdog in running:
            watchdog.cut()

    @contextmanager
    def _turn(self, name: str, now: dt.datetime) -> Iterator[None]:
        """Hold the host's turn, after its pause; refuse while its Retry-After runs."""
        with self._lock:
            host = self._hosts.setdefault(name, _Host())
        with host.turn:
            if host.not_before_at and now < host.not_before_at:
                raise busy(name, "asked every program to wait", host.not_before_at)
            self._stopped.wait(max(0.0, host.free_at - time.monotonic()))
            try:
                yield
            finally:
                host.free_at = time.monotonic() + self.host_pause_seconds

    def _raise_busy(self, name: str, answer: _Answer, now: dt.datetime) -> NoReturn:
        """Note a 429 or 503 for the host, whose turn this thread has, and raise it."""
        until = retry_after(answer.headers.get("retry-after", ""), now)
        self._hosts[name].not_before_at = until
        raise busy(name, f"answered {status_words(answer.status)}", until)

    def _ask(
        self, target: Target, headers: Mapping[str, str], private: bool, seconds: float
    ) -> _Answer:
        """Make one request on one new connection, within `seconds`."""
        watchdog = self._watchdog(target.host, seconds)
        opened = connection(target, self.network.tls, lambda: self._dial(target, private, watchdog))
        answered = False
        try:
            opened.request(
                "GET",
                target.path,
                headers={**headers, "Connection": "close"},
                preload_content=False,
                decode_content=False,
            )
            with closing(opened.getresponse()) as raw:
                watchdog.check()
                answered = True
                found = _checked_headers(target.host, raw)
                body = self._body(target.host, raw, found) if raw.status in (200, 203) else b""
                watchdog.check()
                return _Answer(raw.status, found, body)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            if self._stopped.is_set():
                raise stopped() from error
            if not watchdog.barked:
                raise broken(target.host, error, self.connect_seconds) from error
            raise too_slow(target.host, self.total_seconds, answered=answered) from error
        finally:
            with self._lock:
                self._running.discard(watchdog)
            watchdog.close()
            opened.close()

    def _watchdog(self, host: str, seconds: float) -> Watchdog:
        """Return the watchdog of one request, known to `stop`."""
        with self._lock:
            if self._stopped.is_set():
                raise stopped()
            watchdog = Watchdog(seconds, f"deadline {host}")
            self._running.add(watchdog)
        return watchdog

    def _dial(self, target: Target, private: bool, watchdog: Watchdog) -> socket.socket:
        """Resolve once, check all addresses, and connect to the first of them that answers."""
        addresses = watchdog.outwait(lambda: self.network.resolve(*target.endpoint))
        for ip in addresses:
            if not private and (reason := refused_because(ip)):
                raise refused(
                    f"{target.host} was not asked, because its address is {reason}",
                    "If you run this host yourself, set `allow_private = true` for the source.",
                )
        failure = OSError("the name has no address")
        for ip in addresses:
            try:
                seconds = min(self.connect_seconds, watchdog.left())
                return watchdog.watch(self.network.dial(ip, target.port, seconds))
            except OSError as error:
                failure = error
        raise failure

    def _body(self, host: str, raw: urllib3.BaseHTTPResponse, headers: Mapping[str, str]) -> bytes:
        """Read and inflate the body, holding no more of it in memory than the limit."""
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise refused(f"{host} sent its answer in a coding that was not asked for", "")
        if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
            raise refused(f"{host} sent its answer in a coding that was not asked for", "")
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self.max_bytes):
            raise too_large(host, self.max_bytes)
        body = bytearray()
        while chunk := raw.read(65536, decode_content=False):
            body += chunk
            if len(body) > self.max_bytes:
                raise too_large(host, self.max_bytes)
        if not (body or length or raw.chunked):
            raise http.client.IncompleteRead(b"")  # headers cut off look as if they were complete
        if body.startswith(b"\x1f\x8b"):
            return _gunzip(host, bytes(body), self.max_bytes)
        if body and coding in ("gzip", "x-gzip"):
            raise SourceUnavailable(f"{host} sent a damaged answer. {UNHARMED}")
        return bytes(body)


def _check_hop(first: Target, target: Target, hops: int) -> None:
    """Refuse the hop too many, and a port that neither the web nor the settings name."""
    if hops > MAX_HOPS:
        raise refused(
            f"{first.host} redirects more than {MAX_HOPS} times",
            "Open the address in a browser and use the one that you end at.",
        )
    if target.port not in {*DEFAULT_PORTS.values(), first.port}:
        raise refused(
            f"{first.host} leads to port {target.port} of {target.host}, which is not open",
            "If that is right, give this address with its port in `url`.",
        )


def _response(target: Target, hops: tuple[tuple[int, str], ...], answer: _Answer) -> Response:
    raise_unless_good(target.host, answer.status)
    return Response(
        status=answer.status,
        url=target.url,
        hops=hops,
        headers={k: answer.headers[k] for k in _KEPT_HEADERS if k in answer.headers},
        body=answer.body,
    )


def _checked_headers(host: str, raw: urllib3.BaseHTTPResponse) -> dict[str, str]:
    """Return the headers with lower-case names, repeated ones joined, if they are not too many."""
    if (
        sum(len(name) + len(value) + 4 for name, value in raw.headers.iteritems())
        > MAX_HEADER_BYTES
    ):
        raise too_many_headers(host)
    return {name.lower(): value for name, value in raw.headers.itermerged()}


def _gunzip(host: str, body: bytes, limit: int) -> bytes:
    """Inflate one layer of gzip to at most `limit` bytes, never holding more than that."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise SourceUnavailable(f"{host} sent a damaged answer. {UNHARMED}") from error
    if len(inflated) > limit:
        raise too_large(host, limit)
    if not inflater.eof:
        raise SourceUnavailable(f"{host} broke off in the middle of its answer. {UNHARMED}")
    again = b"\x1f\x8b"
    if inflated.startswith(again) or inflater.unused_data.startswith(again):
        raise refused(f"{host} compressed its answer more than once", "")
    return inflated


def retry_after(value: str, now: dt.datetime) -> dt.datetime | None:
    """Read a Retry-After (RFC 9110, 10.2.3) as an instant between 1 minute and 24 hours from now.

    Returns:
        Aware UTC, or None when there is none or it cannot be read.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        wait = dt.timedelta(seconds=min(int(value[:9]), 10**6) if len(value) < 10 else 10**6)
    else:
        try:
            until = email.utils.parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=dt.UTC)) - now
    return now + min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)
