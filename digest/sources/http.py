"""The one door to the internet: a guarded HTTP client.

Feeds choose the addresses that this program asks, so every answer is taken to be hostile until
shown otherwise (security research, E1 and E2; collecting research, section 2):

* The address is checked when the connection is made, on the resolved IP, on every redirect, so a
  name that resolves differently a moment later gains nothing.
* A watchdog cuts a connection at the total deadline, whatever state it is in.
* Bodies are read raw and inflated to an exact limit.
* Each host is asked by one thread at a time, with a pause, and its Retry-After holds for all.

Nothing is read from the environment; no cookie and no password is ever sent.
"""

import datetime as dt
import email.utils
import http
import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from digest.errors import SourceError, SourceGone, SourceRefused, SourceUnavailable
from digest.sources.addresses import refused_because

MAX_HOPS = 5
MAX_HEADER_BYTES = 64 * 1024
MAX_URL_LENGTH = 2000
PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT_HEADERS = ("etag", "last-modified", "content-type", "content-language")
_SHORTEST_WAIT, _LONGEST_WAIT = dt.timedelta(minutes=1), dt.timedelta(hours=24)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_UNHARMED = "Nothing was changed."
_HINTS = {
    401: "The address wants a login. Ask the site for a feed that is open.",
    403: "The site turns programs away. Ask its owner, or remove the source.",
    404: "Look on the site for the feed's new address and correct `url`.",
    410: "Look on the site for another feed, or remove the source.",
}


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


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart and found fit to be asked: `host` is ASCII and lower-case."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port, as `HttpClient.allowed` names them."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The address again, normalised and without a fragment."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_url(url: str) -> Target:
    """Take an http(s) address apart.

    Raises:
        SourceRefused: It is no such address, it holds a user name or password, or it is too long.
            The message never repeats what could be a secret.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").encode("idna").decode("ascii").lower(), parts.port
    except ValueError:
        raise _refused("The address cannot be read", "Correct `url`.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        scheme = parts.scheme if parts.scheme.isascii() else ""
        raise _refused(
            f'The address uses "{scheme[:20]}:", and digest reads http and https only',
            "Use the http or https address of the feed.",
        )
    if "@" in parts.netloc:
        raise _refused(
            f"The address for {host[:80]} holds a user name or password, and digest sends none",
            "Use an address without them.",
        )
    if not _HOST_NAME.fullmatch(host) or len(url) > MAX_URL_LENGTH or not url.isprintable():
        raise _refused("The address is too long or has no usable host name", "Correct `url`.")
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*[]")
    query = quote(parts.query, safe="/%:=&~+!$,;'@()*[]?")
    return Target(
        parts.scheme,
        host,
        _DEFAULT_PORTS[parts.scheme] if port is None else port,
        f"{path}?{query}" if query else path,
    )


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the IP addresses of `host`.

    Raises:
        OSError: The name is unknown or the resolver does not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def dial(ip: str, port: int, seconds: float) -> socket.socket:
    """Connect to exactly this IP address within `seconds`."""
    return socket.create_connection((ip, port), timeout=seconds)


@dataclass(frozen=True)
class Network:
    """How names become addresses and addresses connections; tests put a small internet here."""

    resolve: Callable[[str, int], Sequence[str]] = resolve
    dial: Callable[[str, int, float], socket.socket] = dial
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


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
    _hosts_lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

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
            etag: Sent as If-None-Match, byte for byte.
            last_modified: Sent as If-Modified-Since, byte for byte.
            accept: The media types wanted.

        Raises:
            SourceUnavailable: No answer, or one that may pass; may name `not_before_at`.
            SourceGone: 410.
            SourceRefused: A limit was broken or a forbidden address named.
        """
        headers = {"User-Agent": self.user_agent, "Accept": accept, "Accept-Encoding": "gzip"}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": last_modified} if last_modified else {}
        first = target = read_url(url)
        ports = {*_DEFAULT_PORTS.values(), first.port}
        private = self.allowed if first.endpoint in self.allowed else frozenset()
        hops: list[tuple[int, str]] = []
        seconds = self.total_seconds
        while True:
            if target.port not in ports:
                raise _refused(
                    f"{first.host} leads to port {target.port} of {target.host}, which is not open",
                    "If that is right, give this address with its port in `url`.",
                )
            with self._turn(target.host, now):
                started = time.monotonic()
                answer = self._ask(target, headers, target.endpoint in private, seconds)
                seconds -= time.monotonic() - started
                if answer.status in (429, 503):
                    self._raise_busy(target.host, answer, now)
            if answer.status not in _REDIRECTS:
                _raise_unless_good(target.host, answer.status)
                kept = {k: answer.headers[k] for k in _KEPT_HEADERS if k in answer.headers}
                return Response(
                    status=answer.status,
                    url=target.url,
                    hops=tuple(hops),
                    headers=kept,
                    body=answer.body,
                )
            target = _follow(target, answer.headers.get("location", ""))
            hops.append((answer.status, target.url))
            if len(hops) > MAX_HOPS:
                raise _refused(
                    f"{first.host} redirects more than {MAX_HOPS} times",
                    "Open the address in a browser and use the one that you end at.",
                )

    @contextmanager
    def _turn(self, name: str, now: dt.datetime) -> Iterator[None]:
        """Hold the host's turn, after its pause; refuse while its Retry-After runs."""
        with self._hosts_lock:
            host = self._hosts.setdefault(name, _Host())
        with host.turn:
            if host.not_before_at and now < host.not_before_at:
                raise _busy(name, "asked every program to wait", host.not_before_at)
            time.sleep(max(0.0, host.free_at - time.monotonic()))
            try:
                yield
            finally:
                host.free_at = time.monotonic() + self.host_pause_seconds

    def _raise_busy(self, name: str, answer: _Answer, now: dt.datetime) -> NoReturn:
        """Note a 429 or 503 for the host, whose turn this thread has, and raise it."""
        until = retry_after(answer.headers.get("retry-after", ""), now)
        self._hosts[name].not_before_at = until
        raise _busy(name, f"answered {_status(answer.status)}", until)

    def _ask(
        self, target: Target, headers: Mapping[str, str], private: bool, seconds: float
    ) -> _Answer:
        """Make one request on one new connection, within `seconds`."""
        watchdog = _Watchdog(seconds, f"deadline {target.host}")
        connection = _connection(
            target, self.network.tls, lambda: self._dial(target, private, watchdog)
        )
        answered = False
        try:
            connection.request(
                "GET",
                target.path,
                headers={**headers, "Connection": "close"},
                preload_content=False,
                decode_content=False,
            )
            raw = connection.getresponse()
            answered = True
            found = _checked_headers(target.host, raw)
            body = self._body(target.host, raw, found) if raw.status in (200, 203) else b""
            watchdog.check()
            return _Answer(raw.status, found, body)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            if not watchdog.barked:
                raise _broken(target.host, error, self.connect_seconds) from error
            raise _too_slow(target.host, self.total_seconds, answered=answered) from error
        finally:
            watchdog.close()
            connection.close()

    def _dial(self, target: Target, private: bool, watchdog: "_Watchdog") -> socket.socket:
        """Resolve once, check all addresses, and connect to the first of them that answers."""
        addresses = self.network.resolve(*target.endpoint)
        for ip in addresses:
            if not private and (reason := refused_because(ip)):
                raise _refused(
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
            raise _refused(f"{host} sent its answer in a coding that was not asked for", "")
        if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
            raise _refused(f"{host} sent its answer in a coding that was not asked for", "")
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self.max_bytes):
            raise _too_large(host, self.max_bytes)
        body = bytearray()
        while chunk := raw.read(65536, decode_content=False):
            body += chunk
            if len(body) > self.max_bytes:
                raise _too_large(host, self.max_bytes)
        if body.startswith(b"\x1f\x8b"):
            return _gunzip(host, bytes(body), self.max_bytes)
        if body and coding in ("gzip", "x-gzip"):
            raise SourceUnavailable(f"{host} sent a damaged answer. {_UNHARMED}")
        return bytes(body)


class _Watchdog:
    """Cuts a connection that lives too long, even in the middle of a handshake or a header.

    Socket timeouts start anew with each byte; this does not. It holds a duplicate of the
    descriptor, so that it also reaches the connection after TLS has taken the socket over.
    """

    def __init__(self, seconds: float, name: str) -> None:
        self.barked = False
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self._bark)
        self._timer.daemon = True
        self._timer.name = name
        self._timer.start()

    def left(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            self.barked = True
            raise TimeoutError("the deadline has passed")
        return left

    def check(self) -> None:
        """Raise TimeoutError if the connection was cut: its end may look like a good end."""
        if self.barked:
            raise TimeoutError("the deadline has passed")

    def watch(self, connected: socket.socket) -> socket.socket:
        """Take charge of a connected socket and return it without a timeout of its own."""
        with self._lock:
            if self.barked:
                connected.close()
                raise TimeoutError("the deadline has passed")
            connected.settimeout(None)
            self._socket = connected.dup()
        return connected

    def _bark(self) -> None:
        with self._lock:
            self.barked = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self.barked = True  # the other side was quicker; there is nothing left to cut

    def close(self) -> None:
        """Call the watchdog off and give back the descriptor."""
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _Plain(HTTPConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Encrypted(HTTPSConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


def _connection(
    target: Target, tls: ssl.SSLContext, dial: Callable[[], socket.socket]
) -> HTTPConnection:
    """Return an unopened connection that sends the host's name but is opened by `dial` alone."""
    connection: _Plain | _Encrypted
    if target.scheme == "https":
        connection = _Encrypted(target.host, target.port, ssl_context=tls)
    else:
        connection = _Plain(target.host, target.port)
    connection.dial = dial
    return connection


def _checked_headers(host: str, raw: urllib3.BaseHTTPResponse) -> dict[str, str]:
    """Return the headers with lower-case names, repeated ones joined, if they are not too many."""
    if (
        sum(len(name) + len(value) + 4 for name, value in raw.headers.iteritems())
        > MAX_HEADER_BYTES
    ):
        raise _refused(f"{host} sent more than {MAX_HEADER_BYTES // 1024} kB of headers", "")
    return {name.lower(): value for name, value in raw.headers.itermerged()}


def _follow(target: Target, location: str) -> Target:
    """Return where a redirect leads.

    Raises:
        SourceRefused: To an address of another kind, or from https to http.
        SourceUnavailable: Nowhere.
    """
    if not location:
        raise SourceUnavailable(f"{target.host} redirects without saying where. {_UNHARMED}")
    # Header values come as Latin-1; addresses that are not ASCII are meant as UTF-8.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        joined = urljoin(target.url, location)
    except ValueError:
        raise _refused(f"{target.host} redirects to an address that cannot be read", "") from None
    following = read_url(joined)
    if (target.scheme, following.scheme) == ("https", "http"):
        raise _refused(
            f"{target.host} redirects from https to http on {following.host}",
            "Ask the site for an https address, or give the http one in `url`.",
        )
    return following


def _gunzip(host: str, body: bytes, limit: int) -> bytes:
    """Inflate one layer of gzip to at most `limit` bytes, never holding more than that."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise SourceUnavailable(f"{host} sent a damaged answer. {_UNHARMED}") from error
    if len(inflated) > limit:
        raise _too_large(host, limit)
    if not inflater.eof:
        raise SourceUnavailable(f"{host} broke off in the middle of its answer. {_UNHARMED}")
    again = b"\x1f\x8b"
    if inflated.startswith(again) or inflater.unused_data.startswith(again):
        raise _refused(f"{host} compressed its answer more than once", "")
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


def _raise_unless_good(host: str, status: int) -> None:
    """Raise for every final status but 200, 203 and 304."""
    if status in (200, 203, 304):
        return
    kind = SourceGone if status == 410 else SourceUnavailable
    hint = _HINTS.get(status, "The next collect asks again.")
    raise kind(f"{host} answered {_status(status)}. {_UNHARMED}", hint=hint)


def _status(status: int) -> str:
    """Name a status with the words of the standard: the server's own words are not to be shown."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _busy(host: str, what: str, until: dt.datetime | None) -> SourceUnavailable:
    hint = f"digest waits until {until:%Y-%m-%d %H:%M} UTC." if until else "Collect again later."
    return SourceUnavailable(f"{host} {what}. {_UNHARMED}", hint=hint, not_before_at=until)


def _refused(what: str, hint: str) -> SourceRefused:
    return SourceRefused(
        f"{what}. {_UNHARMED}", hint=hint or "Tell the site, or remove the source."
    )


def _too_large(host: str, limit: int) -> SourceRefused:
    return _refused(
        f"{host} sent more than {limit / 2**20:.3g} MB", "Use a feed with fewer or shorter entries."
    )


def _too_slow(host: str, seconds: float, *, answered: bool) -> SourceError:
    if answered:
        return _refused(f"{host} needed more than {seconds:g} seconds to send its answer", "")
    return SourceUnavailable(
        f"{host} gave no answer within {seconds:g} seconds. {_UNHARMED}",
        hint="The next collect asks again.",
    )


def _broken(host: str, error: Exception, connect_seconds: float) -> SourceUnavailable:
    """Say in plain words how a connection failed."""
    hint = "The next collect asks again."
    match error:
        case socket.gaierror():
            what, hint = (
                "is not a name that can be found",
                "Check `url` and this computer's network.",
            )
        case ssl.SSLCertVerificationError():
            what, hint = "has no certificate that can be trusted", "Check `url`, or tell the site."
        case TimeoutError():
            what = f"did not connect within {connect_seconds:g} seconds"
        case ConnectionRefusedError():
            what = "refused the connection"
        case ssl.SSLError():
            what = "could not agree on encryption"
        case _:
            what = "broke off before its answer was complete"
    return SourceUnavailable(f"{host} {what}. {_UNHARMED}", hint=hint)
